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
import { markBatch } from '../runtime/graph/garbage.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { Deliverer, Delivery } from './delivery.ts'

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

/** A row, and by how much its multiplicity changes; never 0. */
export interface RowChange<R> {
  readonly row: R
  readonly diff: number
}

/** All changes of one time. */
export interface RowChanges<R> {
  readonly time: number
  readonly changes: readonly RowChange<R>[]
}

/** Stops the calls. */
export type Unsubscribe = () => void

type ColumnReader = (changes: ColumnChanges) => void
type RowReader = (changes: RowChanges<unknown>) => void

interface Shown extends ColumnChanges {
  n: number
  time: number
  readonly columns: Record<string, Int32Array | BigInt64Array | Float64Array>
  readonly words: Record<string, Int32Array>
  differences: Int32Array
}

export class OutputOperator extends Operator implements Deliverer {
  private readonly port: Port
  private readonly stream: Stream
  private readonly codec: RowCodec
  private readonly delivery: Delivery | null
  /** Replaced, never changed, so that a reader may come or go while readers are called. */
  private columnReaders: readonly ColumnReader[] = []
  private rowReaders: readonly RowReader[] = []
  private readonly pool: BatchPool
  private readonly shown: Shown
  private readonly isFloat: readonly boolean[]
  /** Changes of incomplete times, one batch a time, in time order. */
  private readonly incomplete: Batch[] = []

  /** With a `delivery`, rows are handed over when it is flushed; without, as soon as they are complete. */
  constructor(stream: Stream, name: string, delivery: Delivery | null = null) {
    super(stream.operator.dataflow, name)
    this.stream = stream
    this.delivery = delivery
    this.codec = rowCodec(stream.schema)
    this.pool = new BatchPool(stream.schema.widths)
    this.isFloat = stream.schema.types.map((type) => type.kind === 'float64')
    this.shown = { n: 0, time: 0, columns: {}, words: {}, differences: new Int32Array(0), dictionary: this.dataflow.dictionary }
    this.port = this.listen(stream.operator)
  }

  subscribeColumns(reader: ColumnReader): Unsubscribe {
    this.columnReaders = [...this.columnReaders, reader]
    return () => {
      this.columnReaders = without(this.columnReaders, reader)
    }
  }

  subscribe(reader: RowReader): Unsubscribe {
    this.rowReaders = [...this.rowReaders, reader]
    return () => {
      this.rowReaders = without(this.rowReaders, reader)
    }
  }

  /** Nobody is told any more. */
  close(): void {
    this.columnReaders = []
    this.rowReaders = []
    this.unlisten(this.stream.operator, this.port)
  }

  step(): void {
    const port = this.port
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      if (this.columnReaders.length > 0) this.show(batch)
      if (this.rowReaders.length > 0) this.collect(batch)
      batch.release()
    }
    if (this.incomplete.length > 0 && this.incomplete[0].time < port.frontier) {
      if (this.delivery === null) this.deliver()
      else this.delivery.add(this)
    }
    this.advance(port.frontier)
  }

  /** Hands complete times to the readers of rows. */
  deliver(): void {
    const { incomplete, port } = this
    while (incomplete.length > 0 && incomplete[0].time < port.frontier) {
      const batch = incomplete.shift() as Batch
      consolidate(batch)
      if (batch.n > 0) {
        const changes = this.codec.readRows(batch, 0, batch.n, this.dataflow.dictionary)
        const told = { time: batch.time, changes }
        const readers = this.rowReaders
        for (let i = 0; i < readers.length; i++) this.call(readers[i], told)
      }
      batch.release()
    }
  }

  private call<T>(reader: (changes: T) => void, changes: T): void {
    if (this.delivery === null) {
      reader(changes)
      return
    }
    try {
      reader(changes)
    } catch (error) {
      this.delivery.failed(error)
    }
  }

  override markDictionary(dictionary: Dictionary): void {
    for (const batch of this.incomplete) markBatch(dictionary, batch, this.stream.schema.types)
  }

  private show(batch: Batch): void {
    const { shown, isFloat } = this
    const { picks, schema } = this.stream
    const { names } = schema
    shown.n = batch.n
    shown.time = batch.time
    shown.differences = batch.differences
    for (let i = 0; i < picks.length; i++) {
      const column = picks[i]
      const words = batch.columns[column]
      shown.words[names[i]] = words
      shown.columns[names[i]] = isFloat[i] ? (batch.floats[column] ?? words) : (batch.longs[column] ?? words)
    }
    const readers = this.columnReaders
    for (let i = 0; i < readers.length; i++) this.call(readers[i], shown)
  }

  private collect(batch: Batch): void {
    const { incomplete, pool } = this
    const { picks } = this.stream
    let at = 0
    while (at < incomplete.length && incomplete[at].time < batch.time) at++
    let sum = incomplete[at]
    if (sum === undefined || sum.time !== batch.time) {
      sum = pool.take(batch.time, batch.n)
      incomplete.splice(at, 0, sum)
    }
    const { n } = batch
    const m = sum.n
    sum.reserve(m + n)
    for (let i = 0; i < picks.length; i++) {
      const width = pool.widths[i]
      const from = batch.columns[picks[i]]
      const to = sum.columns[i]
      for (let j = 0, k = m * width; j < n * width; j++, k++) to[k] = from[j]
    }
    for (let j = 0; j < n; j++) sum.differences[m + j] = batch.differences[j]
    sum.n = m + n
  }
}

function without<F>(list: readonly F[], item: F): readonly F[] {
  const at = list.indexOf(item)
  return at < 0 ? list : [...list.slice(0, at), ...list.slice(at + 1)]
}
