/**
 * errors: the errors of everything that an output reads, as one collection, for a host that runs one worker.
 *
 * State: none; it is arranged by its readers.
 * Times: errors are rare, so they are followed without frontiers: the host says when a time is complete. Thereby an
 * input that rejects nothing costs nothing a commit.
 * Cost: nothing while nothing fails.
 */
import { errorSchema } from '../runtime/data/error-schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'

export class ErrorsOperator extends Operator {
  readonly stream: Stream
  private readonly arrived: (errors: ErrorsOperator) => void
  private dirty = false

  /** `arrived` is called at the first batch after each `complete`. */
  constructor(dataflow: Dataflow, sources: Iterable<Stream>, arrived: (errors: ErrorsOperator) => void) {
    super(dataflow, 'errors')
    this.arrived = arrived
    this.stream = streamOf(this, errorSchema)
    for (const source of sources) this.listen(source.operator)
  }

  step(): void {
    for (const port of this.inputs) {
      for (let batch = port.pop(); batch !== null; batch = port.pop()) {
        this.send(batch)
        if (!this.dirty) this.arrived(this)
        this.dirty = true
      }
    }
  }

  /** All errors up to a time are here; afterwards the dataflow has to run. */
  complete(time: number): void {
    this.dirty = false
    this.advance(time + 1)
  }
}
