/**
 * output: where changes leave a dataflow: as columns in chunks as they come, or as rows, summed per time.
 *
 * State: while somebody reads rows, the changes of times that are not complete yet.
 * Times: columns are given away at once with their time; rows when the input frontier has passed their time.
 * Cost: none a row for columns; for rows a hash consolidation and one object a change.
 *
 * @example
 *   app.outputs.byCity.subscribe(({ time, changes }) => { for (const { row, diff } of changes) console.log(time, diff, row) })
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { consolidate } from '../runtime/data/consolidate.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'

/** A chunk of changes as columns; valid only during the call that hands it over. */
export interface ColumnChanges {
  /** Rows in use; the arrays may be longer. */
  readonly n: number
  readonly time: number
  /** Per column: Int32Array (int32, bool, ids), BigInt64Array (int64, timestamp) or Float64Array. */
  readonly columns: Readonly<Record<string, Int32Array | BigInt64Array | Float64Array>>
  /** Per column the int32 words that store it: 1, 2 (low, high) or 3 a row. */
  readonly words: Readonly<Record<string, Int32Array>>
  readonly differences: Int32Array
  /** Strings of the ids in interned columns. */
  readonly dictionary: Dictionary
}

export interface RowChanges<R> {
  readonly time: number
  readonly changes: readonly { readonly row: R; readonly diff: number }[]
}

/** Calls back, and stops when its function is called. */
export type Unsubscribe = () => void

export class OutputOperator extends Operator {
  private readonly port: Port
  private readonly stream: Stream
  private readonly codec: RowCodec
  private readonly columnReaders: ((changes: ColumnChanges) => void)[] = []
  private readonly rowReaders: ((changes: RowChanges<unknown>) => void)[] = []
  private readonly pool: BatchPool
  private readonly shown: { n: number; time: number; columns: Record<string, Int32Array | BigInt64Array | Float64Array> } & {
    words: Record<string, Int32Array>
    differences: Int32Array
    dictionary: Dictionary
  }
  /** Changes of incomplete times, one batch a time, in time order. */
  private readonly incomplete: Batch[] = []

  constructor(stream: Stream, name: string) {
    super(stream.operator.dataflow, name)
    this.stream = stream
    this.codec = rowCodec(stream.schema)
    this.pool = new BatchPool(stream.schema.widths)
    this.shown = { n: 0, time: 0, columns: {}, words: {}, differences: new Int32Array(0), dictionary: this.dataflow.dictionary }
    this.port = this.listen(stream.operator)
  }

  subscribeColumns(reader: (changes: ColumnChanges) => void): Unsubscribe {
    return added(this.columnReaders, reader)
  }

  subscribe(reader: (changes: RowChanges<unknown>) => void): Unsubscribe {
    return added(this.rowReaders, reader)
  }

  step(): void {
    const port = this.port
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      if (this.columnReaders.length > 0) this.show(batch)
      if (this.rowReaders.length > 0) this.collect(batch)
      batch.release()
    }
    this.deliver(port.frontier)
    this.advance(port.frontier)
  }

  private show(batch: Batch): void {
    const { shown, stream } = this
    const { picks, schema } = stream
    shown.n = batch.n
    shown.time = batch.time
    shown.differences = batch.differences
    for (let i = 0; i < picks.length; i++) {
      const column = picks[i] as number
      const name = schema.names[i] as string
      const words = batch.columns[column] as Int32Array
      shown.words[name] = words
      shown.columns[name] = schema.types[i]?.kind === 'float64' ? (batch.floats[column] ?? words) : (batch.longs[column] ?? words)
    }
    const readers = this.columnReaders
    for (let i = 0; i < readers.length; i++) (readers[i] as (changes: ColumnChanges) => void)(shown)
  }

  private collect(batch: Batch): void {
    let at = 0
    while (at < this.incomplete.length && (this.incomplete[at] as Batch).time < batch.time) at++
    let sum = this.incomplete[at]
    if (sum === undefined || sum.time !== batch.time) {
      sum = this.pool.take(batch.time, batch.n)
      this.incomplete.splice(at, 0, sum)
    }
    sum.reserve(sum.n + batch.n)
    const n = batch.n
    for (let i = 0; i < this.stream.picks.length; i++) {
      const width = this.pool.widths[i] as number
      const from = batch.columns[this.stream.picks[i] as number] as Int32Array
      const to = sum.columns[i] as Int32Array
      for (let j = 0, k = sum.n * width; j < n * width; j++, k++) to[k] = from[j] as number
    }
    for (let j = 0; j < n; j++) sum.differences[sum.n + j] = batch.differences[j] as number
    sum.n += n
  }

  private deliver(frontier: number): void {
    while (this.incomplete.length > 0 && (this.incomplete[0] as Batch).time < frontier) {
      const batch = this.incomplete.shift() as Batch
      consolidate(batch)
      if (batch.n > 0) {
        const changes = this.codec.readRows(batch, 0, batch.n, this.dataflow.dictionary)
        for (const reader of [...this.rowReaders]) reader({ time: batch.time, changes })
      }
      batch.release()
    }
  }
}

function added<F>(list: F[], item: F): Unsubscribe {
  list.push(item)
  return () => {
    const at = list.indexOf(item)
    if (at >= 0) list.splice(at, 1)
  }
}
