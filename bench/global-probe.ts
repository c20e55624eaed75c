/**
 * Tells how far an output is on all workers: nothing is exchanged, but the frontier of an exchange is everybody's, so it passes a time
 * only when every worker has folded all of it. (As timely's probe, whose frontier counts what is left on any worker.)
 */
import type { Builder } from '../operators/builder.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'

class Swallow extends Operator {
  private readonly port: Port

  constructor(stream: Stream) {
    super(stream.operator.dataflow, 'swallow')
    this.port = this.listen(stream.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) batch.release()
    this.advance(port.frontier)
  }
}

/** What has the frontier of all workers. */
export function globalProbe(builder: Builder, stream: Stream): { readonly frontier: number } {
  return builder.exchange(streamOf(new Swallow(stream), stream.schema), [0]).operator
}
