/** The errors of a loop that did not settle: one for each row that would still have changed after the last iteration. */
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'

export class IterationLimitOperator extends Operator {
  readonly errors: ErrorOutlet
  private readonly port: Port
  private readonly codec: RowCodec
  private readonly message: string

  constructor(stream: Stream, maxIterations: number, origin: string) {
    super(stream.operator.dataflow, 'iteration limit')
    this.codec = rowCodec(stream.schema)
    this.message = `the row still changes after ${maxIterations} iterations (maxIterations); the loop was stopped there`
    this.port = this.listen(stream.operator)
    const own = { ...stream, operator: this }
    this.errors = new ErrorOutlet(this.dataflow, 'iterate', origin, own)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      for (let i = 0; i < batch.n; i++)
        this.errors.addFor(batch, i, rowText(this.codec.readRow(batch, i, this.dataflow.dictionary)), this.message)
      batch.release()
    }
    this.errors.flush()
  }
}
