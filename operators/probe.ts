/**
 * probe: tells how far a collection is complete.
 *
 * Computes: nothing; its input's changes go.
 * State: none.
 * Times: the probe's frontier is that of the input: no change at a time below it comes any more. (Not inside loops.)
 * Cost: none a row.
 * Source: timely dataflow's probe.
 *
 * @example
 *   ({ orders }) => ({ done: orders.distinct().probe() })     // later: app.outputs.done.isComplete(time)
 */
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'

export class ProbeOperator extends Operator {
  private readonly port: Port

  constructor(input: Stream) {
    super(input.operator.dataflow, 'probe')
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) this.send(batch)
    this.advance(port.frontier)
  }
}
