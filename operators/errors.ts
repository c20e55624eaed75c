/**
 * errors: the errors of everything that an output reads, as one collection.
 *
 * Computes: the sum of the multiplicities.
 * State: none; it is arranged by its readers. A batch waits in its port while another input may still bring an earlier time.
 * Times: each error keeps its time, and times come out in order; complete when all sources are. A host with one worker need not
 * advance a source at which nothing happens, such as the rejected rows of an input, until an error waits for it (`waits`) or somebody
 * reads: thereby errors cost nothing a commit.
 * Cost: nothing while nothing fails.
 */
import { errorSchema } from '../runtime/data/error-schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { leastTime, nextInTimeOrder } from './time-order.ts'

export class ErrorsOperator extends Operator {
  readonly stream: Stream
  /** Whether errors are here that may not pass before another source has come to their time. */
  waits = false

  constructor(dataflow: Dataflow, sources: Iterable<Stream>) {
    super(dataflow, 'errors')
    this.stream = streamOf(this, errorSchema)
    for (const source of sources) this.listen(source.operator)
    if (this.inputs.length === 0) this.activate()
  }

  step(): void {
    const { inputs } = this
    for (let i = nextInTimeOrder(inputs); i >= 0; i = nextInTimeOrder(inputs)) {
      const batch = inputs[i].pop()
      if (batch !== null) this.send(batch)
    }
    this.waits = inputs.some((port) => port.length > 0)
    this.advance(leastTime(inputs))
  }
}
