/**
 * consolidate: the same collection with the changes of each time summed up, so that what cancels never goes on.
 *
 * Computes: per time one change a different row.
 * State: the changes of times that are not complete yet.
 * Times: total order; changes of a time are emitted when the input frontier passes it.
 * Cost per change: one copy and one lookup in a hash table of the time's changes.
 * Source: differential dataflow's consolidate.
 *
 * @example
 *   consolidate(concat([left, negate(right)]))
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { isInterned } from '../runtime/data/column-type.ts'
import { consolidate as consolidateBatch } from '../runtime/data/consolidate.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { GeneralConsolidateOperator } from './general-consolidate.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'

export function consolidate(input: PlanNode, origin = ''): PlanNode {
  return {
    kind: 'consolidate',
    inputs: [input],
    schema: input.schema,
    parameters: {},
    origin,
    depth: input.depth,
    appendOnly: input.appendOnly ?? false,
    build: (builder: Builder): Built => {
      const source = builder.of(input)
      const rows = builder.exchange(
        source.rows,
        input.schema.names.map((_, i) => i),
      )
      if (rows.region !== null) {
        const operator = new GeneralConsolidateOperator(rows)
        return { rows: streamOf(operator, input.schema, rows.region, rows.depth), errors: errorsOf([source]) }
      }
      return { rows: streamOf(new ConsolidateOperator(rows), input.schema), errors: errorsOf([source]) }
    },
  }
}

/** Changes of one time are summed up whenever they have doubled, beyond this many. */
const SUMMED_ROWS = 1 << 13

export class ConsolidateOperator extends Operator {
  private readonly port: Port
  private readonly stream: Stream
  private readonly pool: BatchPool
  private open: Batch | null = null
  private summed = 0

  constructor(input: Stream) {
    super(input.operator.dataflow, 'consolidate')
    this.stream = input
    this.pool = new BatchPool(input.schema.widths)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.peek(); batch !== null; batch = port.peek()) {
      if (this.open !== null && this.open.time !== batch.time) this.emit(this.open)
      port.pop()
      this.take(batch)
      batch.release()
    }
    if (this.open !== null && port.frontier > this.open.time) this.emit(this.open)
    this.advance(port.frontier)
  }

  protected override keptTime(): number {
    return this.open?.time ?? Number.POSITIVE_INFINITY
  }

  private take(batch: Batch): void {
    this.open ??= this.pool.take(batch.time, batch.n)
    const { open } = this
    appendRows(batch, this.stream.picks, open)
    if (open.n > SUMMED_ROWS && open.n > 2 * this.summed) {
      consolidateBatch(open)
      this.summed = open.n
    }
  }

  private emit(batch: Batch): void {
    this.open = null
    this.summed = 0
    consolidateBatch(batch)
    this.send(batch)
  }

  override markDictionary(dictionary: Dictionary): void {
    const { open } = this
    if (open === null) return
    this.stream.schema.types.forEach((type, c) => {
      if (isInterned(type)) for (let i = 0; i < open.n; i++) dictionary.mark(open.columns[c][i])
    })
  }
}

/** Appends all rows of a batch, with picked columns, to another. */
export function appendRows(from: Batch, picks: readonly number[], to: Batch): void {
  const { n } = from
  const at = to.n
  to.reserve(at + n)
  for (let c = 0; c < picks.length; c++) {
    const width = to.widths[c]
    const source = from.columns[picks[c]]
    const target = to.columns[c]
    for (let j = 0, k = at * width; j < n * width; j++, k++) target[k] = source[j]
  }
  for (let i = 0; i < n; i++) to.differences[at + i] = from.differences[i]
  to.n = at + n
}
