/**
 * accumulate: per key, aggregates that can be updated by adding and subtracting (count, sum, average).
 *
 * Computes: for each key with rows, one row of the key and its aggregates; an update is a removal and an insertion.
 * State: per key id a row count and a few words an aggregate (named state cells of the key table's size).
 * Times: total order; changes of a time are emitted when the input frontier passes it.
 * Cost per change: a key lookup and one or two cache lines; per touched key and time one output pair.
 * Source: `count_total` of differential dataflow; accumulator columns as in column stores.
 *
 * @example
 *   orders.groupBy('city').aggregate((o) => ({ n: count(), cents: sum(o.cents) }))
 */
import { type Batch, BatchPool, grown, powerOfTwo } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import type { KeyTable, KeyUser } from '../runtime/trace/key-table.ts'
import type { Accumulator } from './accumulator.ts'

export class AccumulateOperator extends Operator implements KeyUser {
  private readonly port: Port
  private readonly keys: KeyTable
  private readonly keyPicks: readonly number[]
  private readonly keyCount: number
  private readonly encoder: KeyEncoder
  private readonly accumulators: readonly Accumulator[]
  private readonly accumulatorPicks: readonly number[]
  private readonly pool: BatchPool
  private readonly keyScratch: Int32Array[] = []
  /** Two ints a key id: rows, and 1 while the key is among the touched. */
  private rows: Int32Array
  private capacity: number
  /** Key ids touched at `time`, and their row counts before it. */
  private touched = new Int32Array(64)
  private before = new Int32Array(64)
  private touchedCount = 0
  private time = -1
  private readonly countOnly: boolean

  constructor(input: Stream, schema: Schema, keyColumns: readonly number[], keys: KeyTable, accumulators: readonly Accumulator[]) {
    super(input.operator.dataflow, 'aggregate')
    this.keys = keys
    this.keyPicks = keyColumns.map((column) => input.picks[column] as number)
    this.keyCount = keyColumns.length
    const keyTypes = keyColumns.map((column) => input.schema.types[column] as ColumnType)
    this.encoder = new KeyEncoder(keyTypes, keyTypes)
    this.accumulators = accumulators
    this.accumulatorPicks = accumulators.map((accumulator) => (accumulator.column < 0 ? -1 : (input.picks[accumulator.column] as number)))
    this.pool = new BatchPool(schema.widths)
    this.capacity = keys.capacity
    this.rows = new Int32Array(2 * this.capacity)
    for (const accumulator of accumulators) accumulator.grow(this.capacity)
    this.countOnly = accumulators.length === 1 && accumulators[0]?.kind === 'rows'
    keys.users.push(this)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const port = this.port
    for (let batch = port.peek(); batch !== null; batch = port.peek()) {
      if (this.touchedCount > 0 && this.time !== batch.time) this.emit()
      port.pop()
      this.time = batch.time
      this.take(batch)
      batch.release()
    }
    if (this.touchedCount > 0 && port.frontier > this.time) this.emit()
    this.advance(port.frontier)
  }

  private take(batch: Batch): void {
    const n = batch.n
    const ids = this.keys.map(this.encoder.encode(pickColumns(batch, this.keyPicks, this.keyScratch), n, this.dataflow.dictionary), n)
    if (this.capacity < this.keys.capacity) this.grow(this.keys.capacity)
    if (this.touched.length < this.touchedCount + n) {
      const length = powerOfTwo(this.touchedCount + n)
      this.touched = grown(this.touched, length)
      this.before = grown(this.before, length)
      for (const accumulator of this.accumulators) accumulator.growBefore(length)
    }
    const from = this.touchedCount
    this.touchedCount = touchAndCount(ids, batch.differences, n, this.rows, this.touched, this.before, from)
    if (this.countOnly) return
    for (let i = 0; i < this.accumulators.length; i++) {
      const accumulator = this.accumulators[i] as Accumulator
      accumulator.remember(this.touched, from, this.touchedCount)
      accumulator.add(ids, batch, this.accumulatorPicks[i] as number, n)
    }
  }

  private grow(capacity: number): void {
    this.capacity = capacity
    this.rows = grown(this.rows, 2 * capacity)
    for (const accumulator of this.accumulators) accumulator.grow(capacity)
  }

  private emit(): void {
    const n = this.touchedCount
    const out = this.pool.take(this.time, 2 * n)
    this.touchedCount = 0
    if (this.countOnly && this.keyCount === 1 && (this.keys.widths[0] === 1 || (this.keys.dense && this.keys.widths[0] === 2))) {
      const words = this.keys.words
      const keys = out.columns[0] as Int32Array
      const counts = out.columns[1] as Int32Array
      out.n =
        words === null
          ? emitDenseCounts(n, this.touched, this.before, this.rows, keys, this.keys.widths[0] as number, counts, out.differences)
          : emitCounts(n, this.touched, this.before, this.rows, words.arena, words.stride, words.offset, keys, counts, out.differences)
    } else this.emitRows(out, n)
    this.send(out)
  }

  /** Old and new row of each touched key side by side, then without those that do not exist or are equal. */
  private emitRows(out: Batch, n: number): void {
    const { touched, before, rows, accumulators } = this
    const pairs = new Int32Array(2 * n)
    const differences = out.differences
    for (let j = 0; j < n; j++) {
      const key = touched[j] as number
      pairs[2 * j] = pairs[2 * j + 1] = key
      differences[2 * j] = before[j] === 0 ? 0 : -1
      differences[2 * j + 1] = rows[2 * key] === 0 ? 0 : 1
      rows[2 * key + 1] = 0
    }
    this.keys.writeKeys(pairs, 2 * n, out.columns.slice(0, this.keyCount), 0)
    accumulators.forEach((accumulator, i) => {
      accumulator.write(touched, before, rows, n, out.columns[this.keyCount + i] as Int32Array)
    })
    out.n = compactPairs(out, n, this.keyCount)
    for (let j = 0; j < n; j++) {
      const key = touched[j] as number
      if (rows[2 * key] === 0) for (const accumulator of accumulators) accumulator.clear(key)
    }
  }

  markKeys(live: Uint8Array): void {
    for (let key = 0; key < this.capacity; key++) if (this.rows[2 * key] !== 0 || this.rows[2 * key + 1] !== 0) live[key] = 1
  }
}

function touchAndCount(
  ids: Int32Array,
  differences: Int32Array,
  n: number,
  rows: Int32Array,
  touched: Int32Array,
  before: Int32Array,
  from: number,
): number {
  let count = from
  for (let i = 0; i < n; i++) {
    const at = (ids[i] as number) << 1
    const present = rows[at] as number
    if (rows[at + 1] === 0) {
      rows[at + 1] = 1
      touched[count] = ids[i] as number
      before[count++] = present
    }
    const sum = present + (differences[i] as number)
    if (sum !== (sum | 0)) throw overflow()
    rows[at] = sum
  }
  return count
}

function overflow(): MillraceError {
  return new MillraceError('OVERFLOW', 'a group has more than 2^31 - 1 rows on one worker', 'Group by one more column, or sum counts instead of rows.')
}

function emitDenseCounts(
  n: number,
  touched: Int32Array,
  before: Int32Array,
  rows: Int32Array,
  keys: Int32Array,
  width: number,
  counts: Int32Array,
  differences: Int32Array,
): number {
  let m = 0
  for (let j = 0; j < n; j++) {
    const key = touched[j] as number
    const was = before[j] as number
    const is = rows[2 * key] as number
    rows[2 * key + 1] = 0
    if (was === is) continue
    if (was !== 0) {
      keys[width * m] = key
      if (width === 2) keys[2 * m + 1] = key >> 31
      counts[2 * m] = was
      counts[2 * m + 1] = was >> 31
      differences[m++] = -1
    }
    if (is !== 0) {
      keys[width * m] = key
      if (width === 2) keys[2 * m + 1] = key >> 31
      counts[2 * m] = is
      counts[2 * m + 1] = is >> 31
      differences[m++] = 1
    }
  }
  return m
}

function emitCounts(
  n: number,
  touched: Int32Array,
  before: Int32Array,
  rows: Int32Array,
  arena: Int32Array,
  stride: number,
  offset: number,
  keys: Int32Array,
  counts: Int32Array,
  differences: Int32Array,
): number {
  let m = 0
  for (let j = 0; j < n; j++) {
    const id = touched[j] as number
    const was = before[j] as number
    const is = rows[2 * id] as number
    rows[2 * id + 1] = 0
    if (was === is) continue
    const key = arena[id * stride + offset] as number
    if (was !== 0) {
      keys[m] = key
      counts[2 * m] = was
      counts[2 * m + 1] = was >> 31
      differences[m++] = -1
    }
    if (is !== 0) {
      keys[m] = key
      counts[2 * m] = is
      counts[2 * m + 1] = is >> 31
      differences[m++] = 1
    }
  }
  return m
}

/** Keeps, of n pairs of rows, those with a difference whose aggregates changed; returns the number of rows. */
function compactPairs(out: Batch, n: number, keyCount: number): number {
  const { columns, widths, differences } = out
  let m = 0
  for (let j = 0; j < n; j++) {
    if (differences[2 * j] !== 0 && differences[2 * j + 1] !== 0) {
      let same = true
      for (let c = keyCount; same && c < columns.length; c++) {
        const column = columns[c] as Int32Array
        const width = widths[c] as number
        for (let w = 0; w < width; w++) if (column[2 * j * width + w] !== column[(2 * j + 1) * width + w]) same = false
      }
      if (same) continue
    }
    for (let row = 2 * j; row < 2 * j + 2; row++) {
      if (differences[row] === 0) continue
      if (m !== row) {
        for (let c = 0; c < columns.length; c++) {
          const column = columns[c] as Int32Array
          const width = widths[c] as number
          for (let w = 0; w < width; w++) column[m * width + w] = column[row * width + w] as number
        }
        differences[m] = differences[row] as number
      }
      m++
    }
  }
  return m
}
