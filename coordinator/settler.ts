/**
 * Makes times durable before anybody may see them: what was seen can then be computed again, whoever is lost (Materialize calls it
 * "reclocking"). While one write is under way, what comes from all dataflows waits and goes with the next one.
 */
import type { Fact } from './metadata/metadata-store.ts'
import type { Term } from './term.ts'

interface Waiting {
  readonly fact: Fact
  readonly done: () => void
}

export class Settler {
  private readonly term: Term
  private waiting: Waiting[] = []
  private writing = false

  constructor(term: Term) {
    this.term = term
  }

  /** Calls `done` once the fact is durable, and never if the term ends before. */
  settle(fact: Fact, done: () => void): void {
    this.waiting.push({ fact, done })
    if (!this.writing) this.term.guard(() => this.write())
  }

  private async write(): Promise<void> {
    this.writing = true
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      await this.term.write(batch.map(({ fact }) => fact))
      for (const { done } of batch) this.term.guard(done)
    }
    this.writing = false
  }
}
