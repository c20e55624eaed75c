/**
 * Reads one partition of a source into the worker that it is assigned to: first again, exactly up to given positions, then
 * whatever comes. It reads only while rows may be admitted, and a source that fails is tried again for as long as it takes.
 */
import type { Environment, Timer } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import type { SourceAssignment } from '../../runtime/protocol/control.ts'
import type { Position } from '../../runtime/protocol/position.ts'
import type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from '../../runtime/protocol/replayable-source.ts'
import { Backoff } from './backoff.ts'
import type { SourceView } from './process-view.ts'
import type { ReadingTurns } from './reading-turns.ts'

/** Between polls of a source that has nothing: the longer it is quiet, up to the second; and up to the third after a long quiet. */
export const LEAST_IDLE_MILLISECONDS = 5
export const MOST_IDLE_MILLISECONDS = 50
export const MOST_QUIET_MILLISECONDS = 250
/** Polls in a row that had nothing, some ten seconds, after which it is long. */
const QUIET_POLLS = 200
/** Between attempts to read a source that fails. */
const FIRST_RETRY_MILLISECONDS = 100
const LONGEST_RETRY_MILLISECONDS = 5000
/** After so many failures in a row the partition is opened anew. */
const FAILURES_UNTIL_REOPEN = 3
/** Rows may be admitted again: one is told, but looks for itself, too. */
const RECHECK_MILLISECONDS = 100
/** A replay that finds nothing more for so long, before the position it must reach, says so. */
const REPLAY_PATIENCE_MILLISECONDS = 2000

export interface PartitionHost {
  readonly environment: Environment
  readonly log: Log
  readonly turns: ReadingTurns
  mayRead(): boolean
  feed(runs: readonly ChangeRun[], rows: number): void
  onFatal(error: unknown): void
}

export class PartitionRunner {
  readonly assignment: SourceAssignment
  /** Behind the last row that was fed; null before the first. */
  position: Position | null = null
  private readonly host: PartitionHost
  private readonly source: ReplayableSource
  private readonly shape: InputShape
  private readonly backoff: Backoff
  private reader: PartitionReader | null = null
  private closed = false
  private paused = false
  private wakeUp: (() => void) | null = null
  private trouble: string | null = null
  private rows = 0
  private rejected = 0
  private idle = LEAST_IDLE_MILLISECONDS
  private idlePolls = 0

  constructor(host: PartitionHost, source: ReplayableSource, shape: InputShape, assignment: SourceAssignment) {
    this.host = host
    this.source = source
    this.shape = shape
    this.assignment = assignment
    this.backoff = new Backoff(host.environment.random, FIRST_RETRY_MILLISECONDS, LONGEST_RETRY_MILLISECONDS)
  }

  view(dataflow: number): SourceView {
    const { rows, rejected, trouble, paused } = this
    const failures = this.backoff.attempts
    return {
      ...this.assignment,
      dataflow,
      kind: this.source.kind,
      rows,
      rejected,
      trouble,
      failures,
      behind: this.reader?.behind === true,
      paused,
    }
  }

  /** Resolves when all up to the position was fed, or when closed. */
  async readTo(until: Position): Promise<void> {
    const { clock } = this.host.environment
    let found = clock.monotonic()
    while (!this.closed) {
      const reader = await this.opened()
      if (reader === null) continue
      if (reader.hasReached(until)) return
      const result = await this.pull(reader, until)
      if (result === 'fed') found = clock.monotonic()
      else if (result === 'nothing' && !this.closed) {
        if (this.trouble === null && clock.monotonic() - found > REPLAY_PATIENCE_MILLISECONDS * 1000)
          this.inTrouble(`it must be read again up to ${JSON.stringify(until)}, and has nothing after ${JSON.stringify(this.position)} now`)
        await this.sleep(this.nextIdle())
      }
    }
  }

  /** Resolves when closed. */
  async follow(): Promise<void> {
    while (!this.closed) {
      const reader = await this.opened()
      if (reader === null) continue
      if ((await this.pull(reader, null)) === 'nothing' && !this.closed) await this.sleep(this.nextIdle())
    }
  }

  /** What it waits for may have come. */
  wake(): void {
    this.wakeUp?.()
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.wakeUp?.()
    const { reader } = this
    this.reader = null
    // Whatever it says now is of no interest to anyone.
    await reader?.close().catch(() => undefined)
  }

  private async opened(): Promise<PartitionReader | null> {
    if (this.reader !== null) return this.reader
    try {
      const { environment } = this.host
      const reader = await this.source.open(environment, this.shape, this.assignment.partition, this.position)
      if (this.isClosed()) {
        await reader.close().catch(() => undefined)
        return null
      }
      this.reader = reader
      return reader
    } catch (error) {
      await this.failed(error)
      return null
    }
  }

  private async pull(reader: PartitionReader, until: Position | null): Promise<'fed' | 'nothing' | 'failed'> {
    const rest = this.host.turns.rest()
    if (rest !== null) await rest
    await this.admitted()
    if (this.closed) return 'nothing'
    let batch: SourceBatch | null
    try {
      batch = await reader.poll(until)
    } catch (error) {
      await this.failed(error)
      return 'failed'
    }
    if (this.isClosed()) return 'nothing'
    this.recovered(batch !== null)
    if (batch === null) return 'nothing'
    this.idle = LEAST_IDLE_MILLISECONDS
    this.idlePolls = 0
    let rows = 0
    for (const run of batch.runs) {
      rows += run.rows.length
      if (run.op === 'reject') this.rejected += run.rows.length
    }
    this.rows += rows
    // Together and at once: a cut between the two would count rows that it does not cover.
    if (rows > 0) this.host.feed(batch.runs, rows)
    this.position = batch.position
    return 'fed'
  }

  private async admitted(): Promise<void> {
    while (!this.closed && !this.host.mayRead()) {
      this.paused = true
      await this.sleep(RECHECK_MILLISECONDS)
    }
    this.paused = false
  }

  private async failed(error: unknown): Promise<void> {
    if (this.closed) return
    if (error instanceof MillraceError && error.code === 'INVARIANT') {
      this.host.onFatal(error)
      return
    }
    const wait = this.backoff.next()
    this.inTrouble(error instanceof Error ? error.message : String(error))
    if (this.backoff.attempts % FAILURES_UNTIL_REOPEN === 0) {
      const { reader } = this
      this.reader = null
      await reader?.close().catch(() => undefined)
    }
    if (!this.closed) await this.sleep(wait)
  }

  private inTrouble(reason: string): void {
    const { input, partition } = this.assignment
    if (this.trouble !== reason) this.host.log.warn('a source cannot be read; it is tried again', { input, partition, reason })
    this.trouble = reason
  }

  private recovered(progress: boolean): void {
    const { attempts } = this.backoff
    this.backoff.reset()
    if (this.trouble === null || (attempts === 0 && !progress)) return
    this.trouble = null
    const { input, partition } = this.assignment
    this.host.log.info('a source can be read again', { input, partition, attempts })
  }

  private nextIdle(): number {
    const idle = this.idle
    this.idle = Math.min(++this.idlePolls > QUIET_POLLS ? MOST_QUIET_MILLISECONDS : MOST_IDLE_MILLISECONDS, 2 * idle)
    // All quiet partitions at the same moments: a process that wakes up seldom costs nothing.
    return idle < MOST_QUIET_MILLISECONDS ? idle : idle - ((this.host.environment.clock.monotonic() / 1000) % idle)
  }

  private sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | null = null
      const done = (): void => {
        timer?.clear()
        this.wakeUp = null
        resolve()
      }
      this.wakeUp = done
      timer = this.host.environment.timers.setTimeout(() => {
        this.host.turns.begin()
        done()
      }, milliseconds)
    })
  }

  /** Asked anew after each await: the compiler would take the field for unchanged. */
  private isClosed(): boolean {
    return this.closed
  }
}
