/**
 * The operator behind distinct and threshold: multiplicities of whole rows, and a function of them.
 *
 * Rows get ids by exact content; a state cell holds a multiplicity for each. A row whose function fails is an error
 * while its multiplicity stays.
 */
import { type Batch, BatchPool, grown, powerOfTwo } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import { presentState, type StateStats } from '../runtime/log/state-stats.ts'
import { internedWords } from '../runtime/trace/key-table.ts'
import type { StateCell } from '../runtime/trace/state-cell.ts'
import type { TraceRows } from '../runtime/trace/trace-store.ts'
import { checksDeterminism } from './determinism.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'
import { callThreshold, type ThresholdFunction } from './threshold-function.ts'

export interface ThresholdOptions {
  /** Rows count as equal if they are one key (-0 and 0), and come out as the key; else only identical rows do. */
  readonly asKeys?: boolean
  /** The multiplicity to show for one that is not 0; without it 1 for each positive one. */
  readonly fn?: ThresholdFunction
}

export class ThresholdOperator extends Operator implements StateCell {
  readonly errors: ErrorOutlet | null
  readonly cellTypes: NonNullable<StateCell['cellTypes']>
  private readonly port: Port
  private readonly picks: readonly number[]
  private readonly encoder: KeyEncoder | null
  private readonly table: WordTable
  private readonly interned: readonly number[]
  private readonly codec: RowCodec
  private readonly pool: BatchPool
  private readonly fn: ThresholdFunction | null
  private readonly twice: boolean
  private readonly columns: Int32Array[] = []
  /** Two ints a row id: multiplicity, and 1 while the row is among the touched. */
  private state: Int32Array
  private ids = new Int32Array(0)
  /** Row ids touched at `time`, and their multiplicities before it. */
  private touched = new Int32Array(64)
  private before = new Int32Array(64)
  private touchedCount = 0
  private time = -1

  constructor(input: Stream, kind: string, options: ThresholdOptions, origin: string) {
    super(input.operator.dataflow, kind)
    const { types, widths } = input.schema
    this.picks = input.picks
    this.cellTypes = { keys: types, values: [] }
    this.encoder = options.asKeys === true ? new KeyEncoder(types as ColumnType[], types as ColumnType[]) : null
    this.table = new WordTable(widths)
    this.interned = internedWords(types)
    this.codec = rowCodec(input.schema)
    this.pool = new BatchPool(widths)
    this.fn = options.fn ?? null
    this.twice = checksDeterminism(this.dataflow)
    this.state = new Int32Array(2 * this.table.capacity)
    this.errors = this.fn === null ? null : new ErrorOutlet(this.dataflow, kind, origin, input)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.peek(); batch !== null; batch = port.peek()) {
      if (this.touchedCount > 0 && this.time !== batch.time) this.emit()
      port.pop()
      this.time = batch.time
      this.take(batch)
      batch.release()
    }
    if (this.touchedCount > 0 && port.frontier > this.time) this.emit()
    this.errors?.advance(port.frontier)
    this.advance(port.frontier)
  }

  saveCell(): TraceRows {
    const { table, state, cellTypes } = this
    const ids: number[] = []
    table.forEachLive((id) => ids.push(id))
    const columns = cellTypes.keys.map((type) => new Int32Array(type.width * ids.length))
    copyRows(table, Int32Array.from(ids), ids.length, { columns, widths: cellTypes.keys.map((type) => type.width) })
    return { rows: ids.length, columns, differences: Int32Array.from(ids, (id) => state[2 * id]), depth: 0, times: new Int32Array(0) }
  }

  loadCell({ columns, rows, differences }: TraceRows): void {
    const ids = new Int32Array(rows)
    this.table.lookupOrInsert(columns, rows, ids)
    if (this.state.length < 2 * this.table.capacity) this.state = grown(this.state, 2 * this.table.capacity)
    for (let i = 0; i < rows; i++) this.state[2 * ids[i]] += differences[i]
  }

  protected override keptTime(): number {
    return this.touchedCount > 0 ? this.time : Number.POSITIVE_INFINITY
  }

  private take(batch: Batch): void {
    const { n } = batch
    const { table } = this
    let columns = pickColumns(batch, this.picks, this.columns)
    if (this.encoder !== null) columns = this.encoder.encode(columns, n, this.dataflow.dictionary)
    if (this.ids.length < n) this.ids = new Int32Array(powerOfTwo(n))
    table.lookupOrInsert(columns, n, this.ids)
    if (this.state.length < 2 * table.capacity) this.state = grown(this.state, 2 * table.capacity)
    if (this.touched.length < this.touchedCount + n) {
      const length = powerOfTwo(this.touchedCount + n)
      this.touched = grown(this.touched, length)
      this.before = grown(this.before, length)
    }
    this.touchedCount = touchRows(this.ids, batch.differences, n, this.state, this.touched, this.before, this.touchedCount)
  }

  private emit(): void {
    const { touched, before, state, table, pool } = this
    const n = this.touchedCount
    const out = pool.take(this.time, n)
    this.touchedCount = 0
    let m = 0
    for (let j = 0; j < n; j++) {
      const id = touched[j]
      const was = before[j]
      const is = state[2 * id]
      state[2 * id + 1] = 0
      const difference = this.fn === null ? Number(is > 0) - Number(was > 0) : was === is ? 0 : this.change(id, was, is)
      if (difference === 0) continue
      out.differences[m] = difference
      before[m++] = id
    }
    // The multiplicities before are done with as far as ids have taken their place.
    copyRows(table, before, m, out)
    out.n = m
    for (let j = 0; j < n; j++) if (state[2 * touched[j]] === 0) table.release(touched[j])
    this.send(out)
  }

  private change(id: number, was: number, is: number): number {
    return this.shown(id, is, 1) - this.shown(id, was, -1)
  }

  /** What the function makes of a multiplicity; 0 and an error, `sign` times, if it fails. */
  private shown(id: number, multiplicity: number, sign: number): number {
    if (multiplicity === 0) return 0
    const fn = this.fn as ThresholdFunction
    const answer = callThreshold(fn, multiplicity, this.twice)
    if (typeof answer === 'number') return answer
    const row = this.pool.take(0, 1)
    copyRows(this.table, Int32Array.of(id), 1, row)
    this.errors?.add(rowText(this.codec.readRow(row, 0, this.dataflow.dictionary)), answer, sign, this.time)
    row.release()
    return 0
  }

  override stateStats(): StateStats {
    const { table, state, touched, before } = this
    return presentState(table.bytes + state.byteLength + touched.byteLength + before.byteLength, table.count, table.count)
  }

  override markDictionary(dictionary: Dictionary): void {
    const { arena, stride, offset } = this.table
    if (this.interned.length === 0) return
    this.table.forEachLive((id) => {
      for (const word of this.interned) dictionary.mark(arena[id * stride + offset + word])
    })
  }
}

function touchRows(
  ids: Int32Array,
  differences: Int32Array,
  n: number,
  state: Int32Array,
  touched: Int32Array,
  before: Int32Array,
  from: number,
): number {
  let count = from
  for (let i = 0; i < n; i++) {
    const at = ids[i] << 1
    const present = state[at]
    if (state[at + 1] === 0) {
      state[at + 1] = 1
      touched[count] = ids[i]
      before[count++] = present
    }
    const sum = present + differences[i]
    if (sum !== (sum | 0))
      throw new MillraceError('OVERFLOW', 'a row is present more than 2^31 - 1 times', 'Count such rows with a column instead.')
    state[at] = sum
  }
  return count
}

/** Writes the rows of ids from a word table to the first rows of a batch. */
export function copyRows(table: WordTable, ids: Int32Array, n: number, out: Pick<Batch, 'columns' | 'widths'>): void {
  const { arena, stride } = table
  let word = table.offset
  for (let c = 0; c < out.columns.length; c++) {
    const width = out.widths[c]
    const column = out.columns[c]
    if (width === 1) for (let i = 0; i < n; i++) column[i] = arena[ids[i] * stride + word]
    else for (let i = 0; i < n; i++) for (let j = 0; j < width; j++) column[i * width + j] = arena[ids[i] * stride + word + j]
    word += width
  }
}
