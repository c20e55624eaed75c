/** Whoever reads and follows a job's outputs at one process, and compares all that it is told with the ledger. */
import { MillraceError } from '../runtime/error.ts'
import type { CountedRow } from '../runtime/protocol/thread.ts'
import type { FollowEvent } from '../worker/process/follow-event.ts'
import type { Follower } from '../worker/process/follower.ts'
import type { Gateway } from '../worker/process/gateway.ts'
import { failure, type Ledger } from './ledger.ts'
import { type Multiset, Multisets } from './multiset.ts'

/** Rows of a read: more than any output of a simulation has. */
const ALL_ROWS = 10_000

/** What readers are refused with while a cluster is not whole. Anything else is a defect. */
const REFUSALS = new Set(['FENCED', 'UNREACHABLE', 'UNKNOWN_NAME', 'BAD_TIME', 'CLOSED', 'OVERFLOW'])

export interface ClientCounts {
  reads: number
  refusals: number
  changes: number
  snapshots: number
  resets: number
}

export class SimulatedClient {
  readonly name: string
  readonly counts: ClientCounts
  private readonly gateway: Gateway
  private readonly ledger: Ledger
  private readonly job: string
  private readonly onDefect: (error: unknown) => void
  private readonly lastRead = new Map<string, number>()

  constructor(name: string, gateway: Gateway, ledger: Ledger, job: string, counts: ClientCounts, onDefect: (error: unknown) => void) {
    this.name = name
    this.gateway = gateway
    this.ledger = ledger
    this.job = job
    this.counts = counts
    this.onDefect = onDefect
  }

  /** Reads all rows of an output. False if it was refused. */
  async read(output: string): Promise<boolean> {
    const begun = this.ledger.clock()
    try {
      const { time, rows } = await this.gateway.read({ job: this.job, output, limit: ALL_ROWS })
      this.ledger.checkRead(this.name, output, time, Multisets.of(rows))
      this.ledger.checkFresh(this.name, time, begun)
      const before = this.lastRead.get(output) ?? 0
      if (time < before) throw failure(`${this.name} reads ${output} as of ${time}, after it was shown ${before}`)
      this.lastRead.set(output, time)
      this.counts.reads++
      return true
    } catch (error) {
      this.refused(error)
      return false
    }
  }

  /** Follows an output until it ends, and comes back. */
  async follow(output: string, snapshot: boolean, pause: () => Promise<void>): Promise<never> {
    for (;;) {
      await pause()
      let follower: Follower
      try {
        follower = this.gateway.follow({ job: this.job, output, snapshot })
      } catch (error) {
        this.refused(error)
        continue
      }
      try {
        await this.hear(follower, output)
      } catch (error) {
        this.onDefect(error)
      }
    }
  }

  private async hear(follower: Follower, output: string): Promise<void> {
    const who = `a follower at ${this.name}`
    /** The time of the last thing that it was told; -1 before. */
    let has = -1
    let state: Multiset | null = null
    let pages: CountedRow[] = []
    for (let event: FollowEvent | null = await follower.next(); event !== null; event = await follower.next()) {
      switch (event.kind) {
        case 'start':
          has = event.time
          break
        case 'snapshot':
          pages = [...pages, ...event.rows]
          if (!event.last) break
          state = Multisets.of(pages)
          pages = []
          has = event.time
          this.ledger.checkRead(who, output, has, state)
          this.counts.snapshots++
          break
        case 'changes': {
          const changes = Multisets.of(event.changes)
          if (event.time <= has) throw failure(`${who} of ${output} is told ${event.time} after ${has}`)
          const missed = this.ledger.changedTimes(output, has, event.time - 1)
          if (has >= 0 && missed.length > 0) throw failure(`${who} of ${output} was not told of ${missed.join(', ')}`)
          this.ledger.checkChanges(who, output, event.time, changes)
          has = event.time
          if (state !== null) {
            for (const { row, diff } of event.changes) Multisets.add(state, row, diff)
            this.ledger.checkRead(who, output, has, state)
          }
          this.counts.changes++
          break
        }
        case 'reset':
          this.counts.resets++
          state = null
          pages = []
          has = -1
          break
        case 'end':
          if (!REFUSALS.has(event.code)) throw failure(`${who} of ${output} ended: ${event.code}: ${event.message}`)
          return
      }
    }
  }

  private refused(error: unknown): void {
    this.counts.refusals++
    if (!(error instanceof MillraceError && REFUSALS.has(error.code) && !error.message.startsWith('invariant'))) this.onDefect(error)
  }
}
