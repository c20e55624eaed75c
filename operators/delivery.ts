/** What outputs have for their readers when a commit is complete, and what readers threw. */

/** An output with changes of complete times. */
export interface Deliverer {
  deliver(): void
}

/** Delivers after the dataflow has come to rest, so that a reader finds every output at the time that it is told about. */
export class Delivery {
  private due: Deliverer[] = []
  private readonly failures: unknown[] = []
  private delivering = false

  /** Whether readers are being called now. */
  get active(): boolean {
    return this.delivering
  }

  /** Whether anything waits: a due output or a failure. */
  get waiting(): boolean {
    return this.due.length > 0 || this.failures.length > 0
  }

  add(output: Deliverer): void {
    this.due.push(output)
  }

  /** Keeps what a reader threw until everybody has been told. */
  failed(error: unknown): void {
    this.failures.push(error)
  }

  /** Calls the readers; throws what the first of them threw, after all were called. */
  flush(): void {
    const { due } = this
    this.due = []
    this.delivering = true
    for (let i = 0; i < due.length; i++) due[i].deliver()
    this.delivering = false
    if (this.failures.length === 0) return
    const [first, ...others] = this.failures.splice(0)
    throw others.length === 0 ? first : new AggregateError([first, ...others], `${others.length + 1} subscribers threw`)
  }
}
