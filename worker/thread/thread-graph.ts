/** A dataflow that does nothing before all workers have it. */
import { Dataflow } from '../../runtime/graph/dataflow.ts'

export class ThreadGraph extends Dataflow {
  private started = false

  start(): void {
    this.started = true
  }

  override run(budget?: number): boolean {
    return this.started ? super.run(budget) : true
  }
}
