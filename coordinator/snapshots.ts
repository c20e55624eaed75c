/** Stores the logs of dataflows as a whole now and then, so that what was settled one by one does not pile up. */
import type { Dataflow } from './dataflow.ts'
import type { Term } from './term.ts'

export class Snapshots {
  private readonly term: Term
  private readonly marked = new Set<Dataflow>()
  private waiting = false

  constructor(term: Term) {
    this.term = term
  }

  /** At once if nothing was stored for a while, else when that while is over. */
  mark(dataflow: Dataflow): void {
    this.marked.add(dataflow)
    if (!this.waiting) this.term.guard(() => this.store())
  }

  /** It was dropped, and its log with it. */
  forget(dataflow: Dataflow): void {
    this.marked.delete(dataflow)
  }

  /** Nothing becomes visible after this. */
  async last(dataflows: readonly Dataflow[]): Promise<void> {
    this.waiting = true
    await this.term.write(dataflows.flatMap((dataflow) => dataflow.facts()))
  }

  private async store(): Promise<void> {
    this.waiting = true
    this.term.after(this.term.limits.snapshotMilliseconds, () => {
      this.waiting = false
      if (this.marked.size > 0) return this.store()
      return undefined
    })
    const facts = [...this.marked].flatMap((one) => one.facts())
    this.marked.clear()
    await this.term.write(facts)
  }
}
