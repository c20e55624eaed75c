/** A dataflow that does nothing before all workers have it, and that says whether it came to rest. */
import { Dataflow } from '../../runtime/graph/dataflow.ts'

export class ThreadGraph extends Dataflow {
  private started = false
  /** Whether the last run ended with nothing left to do. */
  isAtRest = true

  start(): void {
    this.started = true
  }

  override run(budget?: number): boolean {
    if (!this.started) return true
    this.isAtRest = false
    this.isAtRest = super.run(budget)
    return this.isAtRest
  }
}
