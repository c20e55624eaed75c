/**
 * Several workers in one process under a seeded scheduler, which delays and interleaves what they do and say.
 *
 * Each pair of workers has a FIFO link. An action is either the delivery of some messages of one link or one step of
 * one worker with a small budget; which, the random source says. The same seed gives the same run.
 */
import { MillraceError } from '../runtime/error.ts'
import type { PeerMessage } from '../runtime/protocol/message.ts'
import type { Worker } from './worker.ts'

/** Actions after which a group that has not come to rest is declared stuck. */
const MAX_ACTIONS = 5_000_000
/** A step's budget is at most this many activations, so that steps end in the middle of things. */
const MAX_STEP_ACTIVATIONS = 24
const MAX_DELIVERED = 4

export class SimulatedGroup {
  readonly workers: readonly Worker[]
  private readonly below: (bound: number) => number
  private readonly links: PeerMessage[][][]
  private readonly inboxes: PeerMessage[][]
  /** Workers that may have work although nothing is addressed to them. */
  private readonly stirred: boolean[]
  /** Called after every action; tests check what must hold at any moment. */
  afterAction: (() => void) | null = null

  /** @param below gives a whole number from 0 up to, not including, its argument */
  constructor(workers: readonly Worker[], below: (bound: number) => number) {
    this.workers = workers
    this.below = below
    this.links = workers.map(() => workers.map(() => []))
    this.inboxes = workers.map(() => [])
    this.stirred = workers.map(() => true)
  }

  /** Says that a worker's inputs changed. */
  stir(worker: number): void {
    this.stirred[worker] = true
  }

  /** Messages on links and in inboxes, per receiver; for tests. */
  underWay(to: number): readonly PeerMessage[] {
    return [...this.workers[to].waiting, ...this.inboxes[to], ...this.links.flatMap((from) => from[to])]
  }

  /** One action; false if nobody has anything to do. */
  act(): boolean {
    const full: [number, number][] = []
    for (let from = 0; from < this.links.length; from++)
      for (let to = 0; to < this.links.length; to++) if (this.links[from][to].length > 0) full.push([from, to])
    const ready: number[] = []
    for (let w = 0; w < this.workers.length; w++) if (this.inboxes[w].length > 0 || this.stirred[w] || !this.workers[w].idle) ready.push(w)
    if (full.length + ready.length === 0) return false
    const choice = this.below(full.length + ready.length)
    if (choice < full.length) {
      const [from, to] = full[choice]
      this.inboxes[to].push(...this.links[from][to].splice(0, 1 + this.below(MAX_DELIVERED)))
    } else this.step(ready[choice - full.length])
    this.afterAction?.()
    return true
  }

  /** Acts until nobody has anything to do. */
  settle(): void {
    for (let actions = 0; this.act(); actions++)
      if (actions > MAX_ACTIONS) throw new MillraceError('INVARIANT', `the workers did not come to rest within ${MAX_ACTIONS} actions`)
  }

  private step(w: number): void {
    this.stirred[w] = false
    const outbox = this.workers[w].step(this.inboxes[w].splice(0), 1 + this.below(MAX_STEP_ACTIVATIONS))
    for (const { to, message } of outbox) this.links[w][to].push(message)
  }
}
