/**
 * The operator behind reduce and topK: computes the rows of each group that changed anew, and sends what is different.
 *
 * State: the rows shown by key (their ids and multiplicities, as segments), and for groups without a result the reason.
 * Times: total order; a time is worked on when the arrangement is complete before it, in slices of bounded work. The head of the
 * arrangement may stand later by then: groups are read as of the time.
 */
import { type Batch, BatchPool, grown, powerOfTwo } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { consolidate } from '../runtime/data/consolidate.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { Schema } from '../runtime/data/schema.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { presentState, type StateStats } from '../runtime/log/state-stats.ts'
import { internedWords, type KeyUser } from '../runtime/trace/key-table.ts'
import { Segments } from '../runtime/trace/segments.ts'
import type { DerivedState } from '../runtime/trace/state-cell.ts'
import type { Hold } from '../runtime/trace/total-trace.ts'
import type { Arrangement } from './arrangement.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'
import { GroupReader } from './group-reader.ts'
import type { GroupRule } from './group-rule.ts'
import { KeyWriter } from './key-writer.ts'

/** Rows read in one step, unless one group alone has more. */
const ROWS_PER_STEP = 1 << 15

export class GroupOperator extends Operator implements KeyUser, DerivedState {
  readonly errors: ErrorOutlet | null
  /** Groups computed so far. */
  computed = 0
  private readonly arrangement: Arrangement
  private readonly port: Port
  private readonly hold: Hold
  private readonly rule: GroupRule
  private readonly reader: GroupReader
  private readonly changed: GroupReader
  private readonly keyWriter: KeyWriter
  private readonly keyCodec: RowCodec
  private readonly keyCount: number
  private readonly pool: BatchPool
  /** Batches of (key id, the rule's columns). */
  private readonly differencePool: BatchPool
  private readonly shown: Segments
  /** Ids of shown rows; null if the rule gives none but the key. */
  private readonly rows: WordTable | null
  private readonly interned: readonly number[]
  /** By key: dictionary id of why there is no result, or 0. */
  private reasons: Int32Array
  /** By key: 1 + id of the last shown row, if rows behind it don't matter; and 1 while the key is among the touched. */
  private last: Int32Array
  private marks: Uint8Array
  private readonly lastRow: Batch
  private ids = new Int32Array(64)
  private touched = new Int32Array(64)
  private touchedCount = 0
  private next = 0
  private current: Batch | null = null
  /** While state is computed that others have been told of before. */
  private rebuilding = false

  /** The schema has the arrangement's key columns first, then the rule's. */
  constructor(arrangement: Arrangement, kind: string, schema: Schema, rule: GroupRule, origin: string) {
    super(arrangement.dataflow, kind)
    const { keys, keyColumns, keyTypes, input } = arrangement
    this.arrangement = arrangement
    this.rule = rule
    this.reader = new GroupReader(arrangement)
    this.changed = new GroupReader(arrangement)
    this.keyCount = keyColumns.length
    const types = keyColumns.map((column) => input.schema.types[column] as ColumnType)
    this.keyWriter = new KeyWriter(keys, types, keyTypes)
    this.keyCodec = rowCodec(new Schema(Object.fromEntries(types.map((type, k) => [schema.names[k], type]))))
    this.pool = new BatchPool(schema.widths)
    const widths = schema.widths.slice(this.keyCount)
    this.differencePool = new BatchPool([1, ...widths])
    this.lastRow = this.differencePool.take(0, 1)
    this.rows = widths.length === 0 ? null : new WordTable(widths)
    this.interned = internedWords(schema.types.slice(this.keyCount))
    this.shown = new Segments(keys.capacity)
    this.reasons = new Int32Array(keys.capacity)
    this.last = new Int32Array(keys.capacity)
    this.marks = new Uint8Array(keys.capacity)
    keys.users.push(this)
    this.errors = rule.canFail ? new ErrorOutlet(this.dataflow, kind, origin, input) : null
    this.hold = arrangement.hold(this.frontier - 1, kind)
    this.port = this.listen(arrangement)
  }

  step(): void {
    const { port } = this
    for (;;) {
      if (this.current === null && !this.begin()) break
      this.slice(this.current as Batch)
      if (this.next < this.touchedCount) {
        this.errors?.flush()
        this.yield()
        return
      }
      this.finish(this.current as Batch)
    }
    this.finished(port.frontier)
  }

  private begin(): boolean {
    const batch = this.port.peek()
    if (batch === null || batch.time >= this.port.frontier) return false
    this.port.pop()
    this.current = batch
    this.finished(batch.time)
    this.grow(this.arrangement.keys.capacity)
    if (this.touched.length < batch.n) this.touched = new Int32Array(powerOfTwo(batch.n))
    this.touch(batch)
    this.next = 0
    return true
  }

  private finish(batch: Batch): void {
    this.current = null
    batch.release()
  }

  private finished(time: number): void {
    if (time > this.hold.time + 1) this.hold.downgrade(time - 1)
    this.errors?.advance(time)
    this.advance(time)
  }

  private grow(capacity: number): void {
    if (capacity <= this.marks.length) return
    this.shown.grow(capacity)
    this.reasons = grown(this.reasons, capacity)
    this.last = grown(this.last, capacity)
    const marks = new Uint8Array(capacity)
    marks.set(this.marks)
    this.marks = marks
  }

  /** Lists the keys that a batch may change. */
  private touch(batch: Batch): void {
    const { marks, touched, last, rule } = this
    const [keys, values] = batch.columns
    let count = 0
    for (let i = 0; i < batch.n; i++) {
      const key = keys[i]
      if (marks[key] !== 0) continue
      if (last[key] !== 0 && rule.skips !== null && rule.skips(this.changed, values[i], this.loadLast(last[key] - 1))) continue
      marks[key] = 1
      touched[count++] = key
    }
    this.touchedCount = count
  }

  private loadLast(id: number): Batch {
    const { lastRow, rows } = this
    if (rows === null) return lastRow
    let word = id * rows.stride + rows.offset
    for (let c = 1; c < lastRow.columns.length; c++) {
      for (let j = 0; j < lastRow.widths[c]; j++) lastRow.columns[c][j] = rows.arena[word++]
    }
    return lastRow
  }

  /** Computes touched keys until enough rows were read, and sends the differences. */
  private slice(batch: Batch): void {
    const { touched, marks, reader, rule } = this
    const out = this.differencePool.take(batch.time, 64)
    let read = 0
    while (this.next < this.touchedCount && read < ROWS_PER_STEP) {
      const key = touched[this.next++]
      marks[key] = 0
      this.computed++
      this.addShown(key, out)
      const group = reader.read(key, batch.time)
      read += group.n
      const from = out.n
      const reason = group.n === 0 ? null : rule.compute(group, out)
      if (reason !== null) out.n = from
      this.explain(key, reason, batch.time)
      for (let i = from; i < out.n; i++) out.columns[0][i] = key
      this.last[key] = reason === null && rule.skips !== null && rule.isFull(out, from) ? 1 + this.idOf(out, out.n - 1) : 0
    }
    consolidate(out)
    this.show(out)
    out.release()
  }

  /** The id of a row of the difference batch, which gets one if it has none. */
  private idOf(out: Batch, i: number): number {
    const { rows } = this
    if (rows === null) return 0
    const one = this.lastRow
    for (let c = 1; c < out.columns.length; c++) {
      const width = out.widths[c]
      for (let j = 0; j < width; j++) one.columns[c][j] = out.columns[c][i * width + j]
    }
    one.differences[0] = 0
    rows.put(one.columns.slice(1), 1, one.differences, this.ids)
    return this.ids[0]
  }

  /** Appends what a key shows, to be taken back. */
  private addShown(key: number, out: Batch): void {
    const { rows } = this
    this.shown.forEach(key, (id, difference) => {
      out.reserve(out.n + 1)
      const n = out.n++
      out.columns[0][n] = key
      out.differences[n] = -difference
      if (rows === null) return
      let word = id * rows.stride + rows.offset
      for (let c = 1; c < out.columns.length; c++) {
        const width = out.widths[c]
        for (let j = 0; j < width; j++) out.columns[c][n * width + j] = rows.arena[word++]
      }
    })
  }

  /** Tells of a group that has no result any more, or has one again. */
  private explain(key: number, reason: string | null, time: number): void {
    const { dictionary } = this.dataflow
    const was = this.reasons[key]
    const is = reason === null ? 0 : dictionary.intern(reason)
    if (was === is) return
    this.reasons[key] = is
    const scratch = this.pool.take(0, 1)
    this.keyWriter.write(Int32Array.of(key), 1, scratch.columns, 0)
    const group = rowText(this.keyCodec.readRow(scratch, 0, dictionary))
    scratch.release()
    if (this.rebuilding) return
    if (was !== 0) this.errors?.add(group, dictionary.get(was), -1, time)
    if (is !== 0) this.errors?.add(group, dictionary.get(is), 1, time)
  }

  /** Sends differences, and remembers what is shown now. */
  private show(changes: Batch): void {
    const { rows, shown } = this
    const { n } = changes
    if (this.ids.length < n) this.ids = new Int32Array(powerOfTwo(n))
    if (rows !== null) rows.put(changes.columns.slice(1), n, changes.differences, this.ids)
    else this.ids.fill(0, 0, n)
    shown.apply(changes.columns[0], this.ids, changes.differences, n)
    const out = this.pool.take(changes.time, n)
    this.keyWriter.write(changes.columns[0], n, out.columns, 0)
    for (let c = this.keyCount; c < out.columns.length; c++) {
      const from = changes.columns[c - this.keyCount + 1]
      const to = out.columns[c]
      for (let j = 0, words = n * out.widths[c]; j < words; j++) to[j] = from[j]
    }
    for (let i = 0; i < n; i++) out.differences[i] = changes.differences[i]
    out.n = n
    rows?.reap()
    if (this.rebuilding) out.release()
    else this.send(out)
  }

  /** Remembers what every key shows as of `time`. */
  rebuild(time: number): void {
    const { trace, keys } = this.arrangement
    trace.fit()
    this.grow(keys.capacity)
    const all: number[] = []
    for (let key = 0; key < trace.segments.capacity; key++) if (trace.segments.records[key << 2] !== 0) all.push(key)
    this.touched = Int32Array.from(all)
    this.touchedCount = all.length
    this.next = 0
    const batch = this.differencePool.take(time, 0)
    this.rebuilding = true
    while (this.next < this.touchedCount) this.slice(batch)
    this.rebuilding = false
    batch.release()
  }

  markKeys(live: Uint8Array): void {
    const { records } = this.shown
    for (let key = 0; key < this.marks.length; key++) {
      if (records[key << 2] !== 0 || this.reasons[key] !== 0 || this.marks[key] !== 0) live[key] = 1
    }
  }

  override stateStats(): StateStats {
    const { shown, rows, reasons, last, marks, touched } = this
    let keys = 0
    let count = 0
    for (let key = 0; key < shown.capacity; key++) {
      const length = shown.lengthOf(key)
      if (length > 0 || reasons[key] !== 0) keys++
      count += length
    }
    const tables = reasons.byteLength + last.byteLength + marks.byteLength + touched.byteLength
    return presentState(shown.bytes + (rows?.bytes ?? 0) + tables, keys, count)
  }

  override markDictionary(dictionary: Dictionary): void {
    for (let key = 0; key < this.reasons.length; key++) if (this.reasons[key] !== 0) dictionary.mark(this.reasons[key])
    const { rows, interned } = this
    if (rows === null || interned.length === 0) return
    rows.forEachLive((id) => {
      for (const word of interned) dictionary.mark(rows.arena[id * rows.stride + rows.offset + word])
    })
  }
}
