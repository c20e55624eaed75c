/**
 * Pumps sources into an app: reads what they have, bounded, and commits. It commits as soon as it has caught up with
 * all sources, so that a quiet source is seen at once; while it is behind, at a number of rows or after a time,
 * whichever comes first. Nothing is queued: a source is read on only when what it gave is in the engine.
 */
import type { Environment } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Committer } from './input.ts'

/** Writes into an input when polled. */
export interface PumpSource {
  /** Whether the last poll stopped before the end of what is there. */
  readonly behind: boolean
  /** Writes a bounded number of rows and rejected rows; returns how many. */
  poll(): Promise<number>
  /** Nothing more will come: writes what waited for more. */
  finish(): Promise<number>
  close(): Promise<void>
}

export interface PumpOptions {
  /** Between polls when all was read. Default `DEFAULT_POLL_MILLISECONDS`. */
  readonly pollMilliseconds?: number
  /** Rows after which a pump that is behind commits. Default `DEFAULT_COMMIT_ROWS`. */
  readonly commitRows?: number
  /** Time after which a pump that is behind commits. Default `DEFAULT_COMMIT_MILLISECONDS`. */
  readonly commitMilliseconds?: number
  /** After each commit: its time and how many rows and rejected rows it had. */
  readonly onCommit?: (time: number, rows: number) => void
}

export const DEFAULT_POLL_MILLISECONDS = 50
export const DEFAULT_COMMIT_ROWS = 1 << 14
export const DEFAULT_COMMIT_MILLISECONDS = 100

export class Pump {
  private readonly env: Environment
  private readonly app: Committer
  private readonly sources: readonly PumpSource[]
  private readonly options: PumpOptions
  private running: Promise<void> | null = null
  private stopped = false
  private wake: (() => void) | null = null
  private pending = 0
  private committed: number

  constructor(env: Environment, app: Committer, sources: readonly PumpSource[], options: PumpOptions = {}) {
    this.env = env
    this.app = app
    this.sources = sources
    this.options = options
    this.committed = env.clock.monotonic()
  }

  /** Follows the sources until `close`. Rejects with what a commit throws. */
  run(): Promise<void> {
    this.begin()
    this.running = this.loop()
    return this.running
  }

  /** Reads the sources to their end, which is final, and commits; returns the time of the last commit. */
  async drain(): Promise<number> {
    this.begin()
    for (const source of this.sources) {
      do await this.pollOne(source)
      while (source.behind && !this.stopped)
    }
    for (const source of this.sources) this.pending += await source.finish()
    return this.commit()
  }

  /** Ends `run` after the poll under way, commits what it wrote, and closes the sources. */
  async close(): Promise<void> {
    this.stopped = true
    this.wake?.()
    await this.running?.catch(() => undefined)
    for (const source of this.sources) await source.close()
  }

  private begin(): void {
    if (this.stopped) throw new MillraceError('CLOSED', 'the pump is closed')
    if (this.running !== null) throw new MillraceError('REENTRANT', 'the pump is running already')
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      for (const source of this.sources) await this.pollOne(source)
      if (this.sources.some((source) => source.behind)) continue
      if (this.pending > 0) this.commit()
      if (!this.stopped) await this.pause()
    }
    if (this.pending > 0) this.commit()
  }

  private async pollOne(source: PumpSource): Promise<void> {
    this.pending += await source.poll()
    const { commitRows = DEFAULT_COMMIT_ROWS, commitMilliseconds = DEFAULT_COMMIT_MILLISECONDS } = this.options
    const due = this.pending >= commitRows || this.env.clock.monotonic() - this.committed >= commitMilliseconds * 1000
    if (this.pending > 0 && source.behind && due) this.commit()
  }

  private commit(): number {
    const rows = this.pending
    this.pending = 0
    const time = this.app.commit()
    this.committed = this.env.clock.monotonic()
    this.options.onCommit?.(time, rows)
    return time
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.clear()
        this.wake = null
        resolve()
      }
      const timer = this.env.timers.setTimeout(done, this.options.pollMilliseconds ?? DEFAULT_POLL_MILLISECONDS)
      this.wake = done
    })
  }
}
