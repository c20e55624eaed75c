/**
 * import of errors: one error stream of another dataflow, with the rows that it has told already.
 *
 * Computes: the rows that are there when this dataflow starts, then the stream's batches as they come.
 * State: none.
 * Times: those of the stream.
 * Cost: nothing while nothing fails.
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { errorSchema } from '../runtime/data/error-schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { errorIdentity, identifyErrors } from './error-identity.ts'

export class ImportErrorsOperator extends Operator {
  readonly stream: Stream
  private readonly source: Operator
  private readonly port: Port
  private content: Batch

  constructor(dataflow: Dataflow, source: Stream) {
    super(dataflow, 'imported errors')
    this.source = source.operator
    this.stream = streamOf(this, errorSchema)
    this.content = new BatchPool(errorSchema.widths).take(dataflow.since, 16)
    const identity = errorIdentity(source)
    if (identity !== null) identifyErrors(this, identity)
    this.port = this.listen(source.operator)
    this.activate()
  }

  /** Row i of a batch is there when the dataflow starts. */
  add(batch: Batch, i: number): void {
    const { content } = this
    const n = content.n
    content.reserve(n + 1)
    for (let c = 0; c < content.columns.length; c++) content.columns[c][n] = batch.columns[c][i]
    content.differences[n] = batch.differences[i]
    content.n = n + 1
  }

  step(): void {
    const { port, content } = this
    if (content.n > 0) this.send(content)
    this.content = NOTHING
    for (let batch = port.pop(); batch !== null; batch = port.pop()) this.send(batch)
    this.advance(port.frontier)
  }

  close(): void {
    this.unlisten(this.source, this.port)
  }
}

const NOTHING = new BatchPool(errorSchema.widths).take(0, 0)

/**
 * The error streams of an exporter, here. `told` has the rows that they have told so far, all streams together: which is whose is
 * known by operator and origin; what is nobody's goes to the first stream.
 */
export function importErrors(
  dataflow: Dataflow,
  sources: ReadonlySet<Stream>,
  told: Batch | null,
  made: Map<Stream, ImportErrorsOperator>,
): ReadonlySet<Stream> {
  const { dictionary } = dataflow
  const streams = new Set<Stream>()
  const owners = new Map<string, ImportErrorsOperator>()
  let first: ImportErrorsOperator | null = null
  const own = new Set<ImportErrorsOperator>()
  for (const source of sources) {
    let operator = made.get(source)
    if (operator === undefined) {
      operator = new ImportErrorsOperator(dataflow, source)
      made.set(source, operator)
      own.add(operator)
    }
    const identity = errorIdentity(source)
    const name = identity === null ? '' : JSON.stringify([identity.operator, identity.origin])
    if (!owners.has(name)) owners.set(name, operator)
    first ??= operator
    streams.add(operator.stream)
  }
  for (let i = 0; told !== null && i < told.n; i++) {
    const name = JSON.stringify([dictionary.get(told.columns[0][i]), dictionary.get(told.columns[1][i])])
    const owner = owners.get(name) ?? owners.get('') ?? first
    // An earlier import has brought the rows of a stream that it shares with this one.
    if (owner !== null && own.has(owner)) owner.add(told, i)
  }
  return streams
}
