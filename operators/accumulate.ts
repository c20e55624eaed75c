/**
 * accumulate: per key, aggregates that can be updated by adding and subtracting (count, sum, average), and beside them
 * those that now and then read their group from an arrangement (min, max, a user's).
 *
 * Computes: for each key with rows, one row of the key and its aggregates; an update is a removal and an insertion.
 * A group without a result, such as a sum outside int64, is an error instead of a row while that is so.
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
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import { presentState, type StateStats } from '../runtime/log/state-stats.ts'
import type { KeyTable, KeyUser } from '../runtime/trace/key-table.ts'
import type { StateCell } from '../runtime/trace/state-cell.ts'
import type { Hold } from '../runtime/trace/total-trace.ts'
import type { TraceRows } from '../runtime/trace/trace-store.ts'
import type { Accumulator } from './accumulator.ts'
import type { Arrangement } from './arrangement.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'
import { KeyWriter } from './key-writer.ts'

/** Keys that are emitted at a time: their rows before and now, of a few columns, stay in a core's own cache until they are used. */
const EMITTED_KEYS = 1 << 12
export class AccumulateOperator extends Operator implements KeyUser, StateCell {
  /** Marks that are given before all are taken back; tests take fewer. */
  static mostMarks = 1 << 30

  /** Where groups without a result are reported; null if every group has one. */
  readonly errors: ErrorOutlet | null
  /** null: of the aggregates, only counts of rows can be stored so far. */
  readonly cellTypes: StateCell['cellTypes']
  private readonly port: Port
  private readonly groupsPort: Port | null
  private readonly hold: Hold | null
  private readonly keys: KeyTable
  private readonly keyPicks: readonly number[]
  private readonly keyCount: number
  private readonly encoder: KeyEncoder
  private readonly keyWriter: KeyWriter
  private readonly keyCodec: RowCodec
  private readonly accumulators: readonly Accumulator[]
  private readonly accumulatorPicks: readonly number[]
  private readonly accumulatorWidths: readonly number[]
  private readonly pool: BatchPool
  private readonly keyScratch: Int32Array[] = []
  /** Two ints a key id: rows, and its mark. A key is the j-th of the touched while its mark is `base + j + 1`. */
  private rows: Int32Array
  private capacity: number
  private base = 0
  /**
   * Key ids touched at `time`; their row counts before it and now, what their aggregates showed, and why they showed nothing. All by
   * the order of touching, so that only the touching itself goes to `rows`, which is where the cache misses are.
   */
  private touched = new Int32Array(64)
  private before = new Int32Array(64)
  private now = new Int32Array(64)
  private shownBefore: Int32Array[]
  private failedBefore = new Int32Array(64)
  private touchedCount = 0
  /** Of those, how many have been emitted. */
  private emitted = 0
  private time = -1
  private readonly countOnly: boolean

  /** `groups` arranges the rows by the same keys for accumulators that read whole groups; `keys` is its key table then. */
  constructor(
    input: Stream,
    schema: Schema,
    keyColumns: readonly number[],
    keys: KeyTable,
    accumulators: readonly Accumulator[],
    origin = '',
    groups: Arrangement | null = null,
  ) {
    super(input.operator.dataflow, 'aggregate')
    this.keys = keys
    this.keyPicks = keyColumns.map((column) => input.picks[column] as number)
    this.keyCount = keyColumns.length
    const types = keyColumns.map((column) => input.schema.types[column] as ColumnType)
    const keyTypes = groups === null ? types : groups.keyTypes
    this.encoder = new KeyEncoder(types, keyTypes)
    this.keyWriter = new KeyWriter(keys, types, keyTypes)
    this.keyCodec = rowCodec(new Schema(Object.fromEntries(types.map((type, k) => [schema.names[k] as string, type]))))
    this.accumulators = accumulators
    this.accumulatorPicks = accumulators.map((accumulator) => (accumulator.column < 0 ? -1 : (input.picks[accumulator.column] as number)))
    this.accumulatorWidths = accumulators.map((_, i) => schema.widths[this.keyCount + i] as number)
    this.shownBefore = this.accumulatorWidths.map((width) => new Int32Array(64 * width))
    this.pool = new BatchPool(schema.widths)
    this.capacity = keys.capacity
    this.rows = new Int32Array(2 * this.capacity)
    for (const accumulator of accumulators) accumulator.grow(this.capacity)
    this.cellTypes = accumulators.every(({ kind }) => kind === 'rows') ? { keys: keyTypes, values: [] } : null
    this.countOnly = accumulators.length === 1 && accumulators[0]?.kind === 'rows'
    keys.users.push(this)
    this.errors = accumulators.some((accumulator) => accumulator.canFail)
      ? new ErrorOutlet(this.dataflow, 'aggregate', origin, input)
      : null
    this.hold = groups === null ? null : groups.hold(this.frontier - 1, 'aggregate')
    this.port = this.listen(input.operator)
    this.groupsPort = groups === null ? null : this.listen(groups)
  }

  step(): void {
    const { port, groupsPort } = this
    if (groupsPort !== null) for (let batch = groupsPort.pop(); batch !== null; batch = groupsPort.pop()) batch.release()
    const frontier = groupsPort === null ? port.frontier : Math.min(port.frontier, groupsPort.frontier)
    let isAllOut = true
    for (let batch = port.peek(); batch !== null; batch = port.peek()) {
      if (this.touchedCount > 0 && this.time !== batch.time) {
        if (frontier <= this.time) break
        isAllOut = this.emit()
        if (!isAllOut) break
      }
      port.pop()
      this.time = batch.time
      this.take(batch)
      batch.release()
    }
    if (isAllOut && this.touchedCount > 0 && frontier > this.time) isAllOut = this.emit()
    if (!isAllOut) this.yield()
    const done = this.touchedCount > 0 ? Math.min(frontier, this.time) : frontier
    this.hold?.downgrade(Math.max(this.hold.time, done - 1))
    this.errors?.advance(done)
    this.advance(done)
  }

  saveCell(): TraceRows {
    const ids: number[] = []
    for (let key = 0; key < this.capacity; key++) if (this.rows[2 * key] !== 0) ids.push(key)
    const columns = (this.cellTypes?.keys ?? []).map((type) => new Int32Array(type.width * ids.length))
    this.keys.writeKeys(Int32Array.from(ids), ids.length, columns, 0)
    return { rows: ids.length, columns, differences: Int32Array.from(ids, (id) => this.rows[2 * id]), depth: 0, times: new Int32Array(0) }
  }

  loadCell({ columns, rows, differences }: TraceRows): void {
    const ids = this.keys.map(columns, rows)
    if (this.capacity < this.keys.capacity) this.grow(this.keys.capacity)
    for (let i = 0; i < rows; i++) this.rows[2 * ids[i]] += differences[i]
  }

  protected override keptTime(): number {
    return this.touchedCount > 0 ? this.time : Number.POSITIVE_INFINITY
  }

  private take(batch: Batch): void {
    const n = batch.n
    const ids = this.keys.map(this.encoder.encode(pickColumns(batch, this.keyPicks, this.keyScratch), n, this.dataflow.dictionary), n)
    if (this.capacity < this.keys.capacity) this.grow(this.keys.capacity)
    if (this.touched.length < this.touchedCount + n) {
      const length = powerOfTwo(this.touchedCount + n)
      this.touched = grown(this.touched, length)
      this.before = grown(this.before, length)
      this.now = grown(this.now, length)
      if (!this.countOnly) {
        this.failedBefore = grown(this.failedBefore, length)
        this.shownBefore = this.shownBefore.map((shown, i) => grown(shown, length * (this.accumulatorWidths[i] as number)))
      }
    }
    const from = this.touchedCount
    this.touchedCount = touchAndCount(ids, batch.differences, n, this.rows, this.base, this.touched, this.before, this.now, from)
    if (this.countOnly) return
    this.failedBefore.fill(0, from, this.touchedCount)
    for (let i = 0; i < this.accumulators.length; i++) {
      const accumulator = this.accumulators[i] as Accumulator
      accumulator.show(this.touched, from, this.touchedCount, this.shownBefore[i] as Int32Array, from, 1, this.failedBefore)
      accumulator.add(ids, batch, this.accumulatorPicks[i] as number, n)
    }
  }

  private grow(capacity: number): void {
    this.capacity = capacity
    this.rows = grown(this.rows, 2 * capacity)
    for (const accumulator of this.accumulators) accumulator.grow(capacity)
  }

  /**
   * The next touched keys, as many as are downstream while they are still in the cache; the rest comes after everything downstream has
   * run. Returns whether it was all.
   */
  private emit(): boolean {
    const from = this.emitted
    const to = Math.min(this.touchedCount, from + EMITTED_KEYS)
    const out = this.pool.take(this.time, 2 * (to - from))
    if (this.countOnly && this.keyCount === 1 && (this.keys.widths[0] === 1 || (this.keys.dense && this.keys.widths[0] === 2))) {
      const words = this.keys.words
      const keys = out.columns[0] as Int32Array
      const counts = out.columns[1] as Int32Array
      const { touched, before, now } = this
      out.n =
        words === null
          ? emitDenseCounts(from, to, touched, before, now, keys, this.keys.widths[0] as number, counts, out.differences)
          : emitCounts(from, to, touched, before, now, words.arena, words.stride, words.offset, keys, counts, out.differences)
    } else this.emitRows(out, from, to)
    this.emitted = to
    const isAll = to === this.touchedCount
    if (isAll) this.untouch()
    this.send(out)
    return isAll
  }

  /** No key is touched any more. */
  private untouch(): void {
    this.base += this.touchedCount
    this.touchedCount = 0
    this.emitted = 0
    if (this.base < AccumulateOperator.mostMarks) return
    for (let key = 0; key < this.capacity; key++) this.rows[2 * key + 1] = 0
    this.base = 0
  }

  /** Old and new row of each of these touched keys side by side, then without those that do not exist or are equal. */
  private emitRows(out: Batch, from: number, to: number): void {
    const { touched, before, now, accumulators } = this
    const n = to - from
    const pairs = new Int32Array(2 * n)
    const failures = new Int32Array(2 * n)
    const differences = out.differences
    if (from === 0) for (const accumulator of accumulators) accumulator.settle(touched, this.touchedCount, this.time)
    for (let j = 0; j < n; j++) {
      const key = touched[from + j] as number
      pairs[2 * j] = pairs[2 * j + 1] = key
      failures[2 * j] = this.failedBefore[from + j] as number
      differences[2 * j] = before[from + j] === 0 ? 0 : -1
      differences[2 * j + 1] = now[from + j] === 0 ? 0 : 1
    }
    this.keyWriter.write(pairs, 2 * n, out.columns, 0)
    for (let i = 0; i < accumulators.length; i++) {
      const column = out.columns[this.keyCount + i] as Int32Array
      const accumulator = accumulators[i] as Accumulator
      if (accumulator.kind === 'rows') {
        showCounts(before, now, from, to, column)
        continue
      }
      spread(this.shownBefore[i] as Int32Array, this.accumulatorWidths[i] as number, from, to, column)
      accumulator.show(touched, from, to, column, 1, 2, failures)
    }
    if (this.errors !== null) this.report(out, failures, n)
    out.n = compactPairs(out, n, this.keyCount)
  }

  /** Takes groups without a result out of the rows; tells of those that come and go. */
  private report(out: Batch, failures: Int32Array, n: number): void {
    const { differences } = out
    for (let j = 0; j < n; j++) {
      const was = differences[2 * j] === 0 ? 0 : (failures[2 * j] as number)
      const is = differences[2 * j + 1] === 0 ? 0 : (failures[2 * j + 1] as number)
      if (was !== 0) differences[2 * j] = 0
      if (is !== 0) differences[2 * j + 1] = 0
      if (was === is) continue
      const { dictionary } = this.dataflow
      const group = rowText(this.keyCodec.readRow(out, 2 * j, dictionary))
      if (was !== 0) this.errors?.add(group, dictionary.get(was), -1, this.time)
      if (is !== 0) this.errors?.add(group, dictionary.get(is), 1, this.time)
    }
  }

  markKeys(live: Uint8Array): void {
    for (let key = 0; key < this.capacity; key++) {
      if (this.rows[2 * key] !== 0 || (this.rows[2 * key + 1] as number) > this.base || !this.accumulators.every((one) => one.isZero(key)))
        live[key] = 1
    }
  }

  override stateStats(): StateStats {
    let keys = 0
    for (let key = 0; key < this.capacity; key++) if (this.rows[2 * key] !== 0) keys++
    let bytes = this.rows.byteLength + 3 * this.touched.byteLength + this.failedBefore.byteLength
    for (const shown of this.shownBefore) bytes += shown.byteLength
    for (const accumulator of this.accumulators) bytes += accumulator.bytes
    return presentState(bytes, keys, keys)
  }

  override markDictionary(dictionary: Dictionary): void {
    for (let j = 0; j < this.touchedCount; j++) dictionary.mark(this.failedBefore[j] as number)
    for (const accumulator of this.accumulators) accumulator.markDictionary(dictionary)
  }
}

/** The row counts of touched keys: before in row 2j, now in row 2j + 1. */
function showCounts(before: Int32Array, now: Int32Array, from: number, to: number, out: Int32Array): void {
  for (let j = from, p = 0; j < to; j++, p += 4) {
    const was = before[j] as number
    const is = now[j] as number
    out[p] = was
    out[p + 1] = was >> 31
    out[p + 2] = is
    out[p + 3] = is >> 31
  }
}

/** Row `from + j` of `shown` to row 2j of `out`. */
function spread(shown: Int32Array, width: number, from: number, to: number, out: Int32Array): void {
  for (let j = from, row = 0; j < to; j++, row += 2) for (let w = 0; w < width; w++) out[row * width + w] = shown[j * width + w] as number
}

function touchAndCount(
  ids: Int32Array,
  differences: Int32Array,
  n: number,
  rows: Int32Array,
  base: number,
  touched: Int32Array,
  before: Int32Array,
  now: Int32Array,
  from: number,
): number {
  let count = from
  for (let i = 0; i < n; i++) {
    const id = ids[i] as number
    const at = id << 1
    const present = rows[at] as number
    const sum = present + (differences[i] as number)
    if (sum !== (sum | 0)) throw overflow()
    rows[at] = sum
    const place = (rows[at + 1] as number) - base - 1
    if (place >= 0) now[place] = sum
    else {
      touched[count] = id
      before[count] = present
      now[count++] = sum
      rows[at + 1] = base + count
    }
  }
  return count
}

function overflow(): MillraceError {
  return new MillraceError(
    'OVERFLOW',
    'a group has more than 2^31 - 1 rows on one worker',
    'Group by one more column, or sum counts instead of rows.',
  )
}

function emitDenseCounts(
  from: number,
  to: number,
  touched: Int32Array,
  before: Int32Array,
  now: Int32Array,
  keys: Int32Array,
  width: number,
  counts: Int32Array,
  differences: Int32Array,
): number {
  let m = 0
  for (let j = from; j < to; j++) {
    const was = before[j] as number
    const is = now[j] as number
    if (was === is) continue
    const key = touched[j] as number
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
  from: number,
  to: number,
  touched: Int32Array,
  before: Int32Array,
  now: Int32Array,
  arena: Int32Array,
  stride: number,
  offset: number,
  keys: Int32Array,
  counts: Int32Array,
  differences: Int32Array,
): number {
  let m = 0
  for (let j = from; j < to; j++) {
    const was = before[j] as number
    const is = now[j] as number
    if (was === is) continue
    const key = arena[(touched[j] as number) * stride + offset] as number
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
