/** Rows again from the (key id, value id) batches of an imported index; nothing while nobody reads them. */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Arrangement } from './arrangement.ts'
import { KeyWriter } from './key-writer.ts'

export class ImportRowsOperator extends Operator {
  private readonly arrangement: Arrangement
  private readonly port: Port
  private readonly pool: BatchPool
  private readonly writer: KeyWriter
  /** Of key columns that the value has, too: there the key is coarser. */
  private readonly coarse: Int32Array[]

  constructor(arrangement: Arrangement) {
    super(arrangement.dataflow, `${arrangement.name} rows`)
    const { input, keyColumns, keyTypes, keys, valueColumns } = arrangement
    this.arrangement = arrangement
    this.pool = new BatchPool(input.schema.widths)
    const types = keyColumns.map((column) => input.schema.types[column])
    this.writer = new KeyWriter(keys, types, keyTypes)
    this.coarse = keyColumns.filter((column) => valueColumns.includes(column)).map(() => new Int32Array(0))
    this.port = this.listen(arrangement)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      if (this.readers.length > 0) this.send(this.rowsOf(batch))
      batch.release()
    }
    this.advance(port.frontier)
  }

  private rowsOf(batch: Batch): Batch {
    const { keyColumns, valueColumns, trace } = this.arrangement
    const { n } = batch
    const [keys, values] = batch.columns
    const out = this.pool.take(batch.time, n)
    out.n = n
    let spare = 0
    const targets = keyColumns.map((column) =>
      valueColumns.includes(column) ? this.spare(spare++, n * out.widths[column]) : out.columns[column],
    )
    this.writer.write(keys, n, targets, 0)
    const { rows } = trace
    let word = rows === null ? 0 : rows.offset
    for (const column of valueColumns) {
      const to = out.columns[column]
      const width = out.widths[column]
      if (rows === null) for (let i = 0; i < n; i++) to[i] = values[i]
      else {
        const { arena, stride } = rows
        for (let i = 0; i < n; i++) for (let j = 0; j < width; j++) to[i * width + j] = arena[values[i] * stride + word + j]
      }
      word += width
    }
    for (let i = 0; i < n; i++) out.differences[i] = batch.differences[i]
    return out
  }

  private spare(at: number, words: number): Int32Array {
    if (this.coarse[at].length < words) this.coarse[at] = new Int32Array(words)
    return this.coarse[at]
  }
}
