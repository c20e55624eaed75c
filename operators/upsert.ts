/**
 * upsert: a table of one row a key, from commands: a row to put in the place of what its key has, or a key to delete.
 *
 * Computes: for each time and key, the last command decides; the collection changes from the key's old row to its new one. A
 * command that changes nothing gives no output; deleting a key that is not there is none. Commands have an order within the source
 * that they come from, and none between sources (partitions). If several have commands for a key at one time the last ones of each
 * are compared by content, so that it never depends on what arrived first: a row goes before a delete, a greater row before a lesser.
 * State: a total trace of the current row by key.
 * Times: total order; a time's commands are taken together when the input frontier passes it.
 * Cost: a key lookup and a row lookup a command; one more look for each further source of a key at a time.
 * Source: upsert envelopes of change-data capture; commands meet by key before anything is consolidated, since equal
 * rows of two commands must not cancel.
 *
 * @example
 *   accounts.upsert({ accountId: 1, ownerId: 7 })
 */
import { type Batch, BatchPool, grown, powerOfTwo } from '../runtime/data/batch.ts'
import { type ColumnType, int32 } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { type Comparator, comparatorOf } from '../runtime/data/order.ts'
import { Schema } from '../runtime/data/schema.ts'
import type { Interner } from '../runtime/data/value-codec.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { invariant } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { markBatch } from '../runtime/graph/garbage.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import type { StateStats } from '../runtime/log/state-stats.ts'
import { internedWords, type KeyTable } from '../runtime/trace/key-table.ts'
import { TotalTrace } from '../runtime/trace/total-trace.ts'
import { losesIdentity } from './arrange.ts'
import { InputOperator } from './input.ts'

/** The lowest bit of the operation's column; the others are the source. */
const PUT = 0
const DELETE = 1
const MOST_SOURCES = 1 << 30

/** Column names that no user's column has: names of users' columns are not checked, so these are odd. */
const OPERATION = '\u0000operation'
const SEQUENCE = '\u0000sequence'

/** Where commands enter: rows with an operation, the source that they are of, and their sequence within the time. */
export class KeyedInputOperator extends InputOperator {
  readonly commandSchema: Schema
  private sequence = 0
  /** Of what comes next: a number that no source of another worker has. */
  private source = 0

  constructor(dataflow: Dataflow, name: string, schema: Schema) {
    const commandSchema = new Schema({ ...schema.columns(), [OPERATION]: int32, [SEQUENCE]: int32 })
    super(dataflow, name, schema, null, commandSchema.widths)
    this.commandSchema = commandSchema
  }

  /** What comes next is of the partition with this number among those that are fed on this worker. */
  from(partition: number): void {
    const { exchanger } = this.dataflow
    const source = exchanger === null ? partition : partition * exchanger.shards.workers + exchanger.worker
    invariant(source < MOST_SOURCES, `partition ${partition} has no number`)
    this.source = source
  }

  /** Puts all rows, or none when it throws BAD_ROW. */
  upsertRows(rows: readonly object[]): void {
    const batch = this.chunk()
    const at = batch.n
    batch.reserve(at + rows.length)
    this.codec.writeRows(rows, 0, rows.length, batch, 1, this.dataflow.dictionary)
    this.number(batch, at, PUT)
  }

  upsertColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>, n: number): void {
    const batch = this.chunk()
    const at = batch.n
    batch.reserve(at + n)
    this.codec.writeColumns(columns, 0, n, batch, 1, this.dataflow.dictionary)
    this.number(batch, at, PUT)
  }

  /** Deletes the row of a key. Throws BAD_ROW if a key column has a value of another type. */
  deleteKey(key: Readonly<Record<string, unknown>>, names: readonly string[], ids: Interner): void {
    this.deleteKeys([key], names, ids)
  }

  /** Deletes the rows of all keys, or of none when it throws BAD_ROW. */
  deleteKeys(keys: readonly Readonly<Record<string, unknown>>[], names: readonly string[], ids: Interner): void {
    const batch = this.chunk()
    const at = batch.n
    const end = at + keys.length
    batch.reserve(end)
    const { schema } = this
    for (let c = 0; c < schema.names.length; c++) batch.columns[c].fill(0, at * schema.widths[c], end * schema.widths[c])
    const columns = names.map((name) => batch.columns[schema.indexOf(name)])
    for (let i = 0; i < keys.length; i++) this.codec.writeKey(keys[i], names, columns, at + i, ids)
    batch.differences.fill(1, at, end)
    batch.n = end
    this.number(batch, at, DELETE)
  }

  override seal(time: number): void {
    this.sequence = 0
    super.seal(time)
  }

  private number(batch: Batch, from: number, operation: number): void {
    const count = this.schema.names.length
    const operations = batch.columns[count]
    const sequences = batch.columns[count + 1]
    for (let i = from; i < batch.n; i++) {
      operations[i] = (this.source << 1) | operation
      sequences[i] = this.sequence++
    }
    if (batch.n >= FLUSH_COMMANDS) this.flush()
  }
}

/** Commands are sent on in batches of about this many. */
const FLUSH_COMMANDS = 2048

export class UpsertOperator extends Operator {
  readonly trace: TotalTrace
  private readonly port: Port
  private readonly schema: Schema
  private readonly keys: KeyTable
  private readonly picks: readonly number[]
  private readonly keyColumns: readonly number[]
  private readonly encoder: KeyEncoder
  /** Columns kept as value, and for every column of the schema its words: in the value, or -1 - its words in the key. */
  private readonly valueColumns: readonly number[]
  private readonly sources: readonly number[]
  private readonly keyScratch: Int32Array[] = []
  private readonly valueScratch: Int32Array[] = []
  private readonly commandPool: BatchPool
  private readonly pool: BatchPool
  private readonly changes = new BatchPool([1, 1])
  /** The last command of each key and source of the open time; `slots[key]` is the row + 1 of one, `others` of each leads to the next. */
  private winners: Batch | null = null
  private winnerKeys = new Int32Array(64)
  private others = new Int32Array(64)
  private slots: Int32Array
  private readonly comparators: readonly Comparator[]

  constructor(commands: Stream, name: string, schema: Schema, keyColumns: readonly number[]) {
    super(commands.operator.dataflow, name)
    this.schema = schema
    this.picks = commands.picks
    this.keyColumns = keyColumns
    const keyTypes = keyColumns.map((column) => schema.types[column])
    this.encoder = new KeyEncoder(keyTypes, keyTypes)
    this.keys = this.dataflow.keyTable(keyTypes)
    this.valueColumns = schema.types.map((_, c) => c).filter((c) => !keyColumns.includes(c) || losesIdentity(schema.types[c]))
    this.sources = wordSources(schema.types, keyColumns, this.valueColumns)
    const widths = this.valueColumns.map((column) => schema.widths[column])
    const direct = widths.length === 0 || (widths.length === 1 && widths[0] === 1)
    this.trace = new TotalTrace(this.keys, direct ? null : new WordTable(widths), this.frontier)
    this.commandPool = new BatchPool(commands.schema.widths)
    this.pool = new BatchPool(schema.widths)
    this.slots = new Int32Array(this.keys.capacity)
    this.comparators = schema.types.map((type) => comparatorOf(type))
    this.keys.users.push(this)
    this.port = this.listen(commands.operator)
  }

  /** The columns of the trace, as a checkpoint stores them. */
  get traceTypes(): { readonly keys: readonly ColumnType[]; readonly values: readonly ColumnType[] } {
    const { types } = this.schema
    return { keys: this.keyColumns.map((column) => types[column]), values: this.valueColumns.map((column) => types[column]) }
  }

  step(): void {
    const { port } = this
    for (let batch = port.peek(); batch !== null; batch = port.peek()) {
      if (this.winners !== null && this.winners.time !== batch.time) this.emit(this.winners)
      port.pop()
      this.take(batch)
      batch.release()
    }
    if (this.winners !== null && port.frontier > this.winners.time) this.emit(this.winners)
    this.trace.upper = port.frontier
    this.advance(port.frontier)
  }

  protected override keptTime(): number {
    return this.winners?.time ?? Number.POSITIVE_INFINITY
  }

  markKeys(live: Uint8Array): void {
    const { winners, winnerKeys } = this
    if (winners !== null) for (let i = 0; i < winners.n; i++) live[winnerKeys[i]] = 1
  }

  override stateStats(): StateStats {
    const stats = this.trace.stats()
    return { ...stats, bytes: stats.bytes + this.slots.byteLength + 2 * this.winnerKeys.byteLength }
  }

  override markDictionary(dictionary: Dictionary): void {
    this.trace.markDictionary(dictionary, internedWords(this.valueColumns.map((column) => this.schema.types[column])))
    if (this.winners !== null) markBatch(dictionary, this.winners, this.schema.types)
  }

  /** Keeps of each key and source the command with the highest sequence. */
  private take(batch: Batch): void {
    const { picks, keyColumns, keyScratch } = this
    const { n } = batch
    this.winners ??= this.commandPool.take(batch.time, n)
    const winners = this.winners
    winners.reserve(winners.n + n)
    if (this.winnerKeys.length < winners.n + n) {
      this.winnerKeys = grown(this.winnerKeys, powerOfTwo(winners.n + n))
      this.others = grown(this.others, this.winnerKeys.length)
    }
    for (let k = 0; k < keyColumns.length; k++) keyScratch[k] = batch.columns[picks[keyColumns[k]]]
    const ids = this.keys.map(this.encoder.encode(keyScratch, n, this.dataflow.dictionary), n)
    if (this.slots.length < this.keys.capacity) this.slots = grown(this.slots, this.keys.capacity)
    const { slots, winnerKeys, others } = this
    const last = picks.length - 1
    const sequences = batch.columns[picks[last]]
    const operations = batch.columns[picks[last - 1]]
    const winning = winners.columns[last - 1]
    for (let i = 0; i < n; i++) {
      const key = ids[i]
      let at = slots[key] - 1
      while (at >= 0 && winning[at] >> 1 !== operations[i] >> 1) at = others[at] - 1
      if (at < 0) {
        at = winners.n++
        winnerKeys[at] = key
        others[at] = slots[key]
        slots[key] = at + 1
      } else if (sequences[i] < winners.columns[last][at]) continue
      for (let c = 0; c <= last; c++) copyWords(batch.columns[picks[c]], i, winners.columns[c], at, winners.widths[c])
    }
  }

  /** Old and new row of each key that changes. */
  private emit(winners: Batch): void {
    const { trace, winnerKeys, slots } = this
    const { n, time } = winners
    this.winners = null
    trace.compact()
    trace.ensure(Number.POSITIVE_INFINITY)
    trace.touch(winnerKeys, n)
    const out = this.pool.take(time, 2 * n)
    const change = this.changes.take(time, 2 * n)
    const changed = change.columns[0]
    const operations = winners.columns[this.schema.names.length]
    const { records } = trace.segments
    let m = 0
    for (let i = 0; i < n; i++) {
      const key = winnerKeys[i]
      if (slots[key] === 0) continue
      const j = this.greatest(winners, slots[key] - 1)
      slots[key] = 0
      const present = records[key << 2] !== 0
      const value = records[(key << 2) + 1]
      const put = (operations[j] & 1) === PUT
      if (present ? put && this.equals(value, winners, j) : !put) continue
      if (present) {
        this.writeOld(key, value, out, m)
        changed[m] = key
        out.differences[m++] = -1
      }
      if (put) {
        for (let c = 0; c < out.columns.length; c++) copyWords(winners.columns[c], j, out.columns[c], m, out.widths[c])
        changed[m] = key
        out.differences[m++] = 1
      }
    }
    winners.release()
    out.n = m
    change.n = m
    this.writeValueIds(out, change)
    if (m > 0) {
      change.readers = 1
      trace.seal(change)
      trace.ensure(time)
    } else change.release()
    this.send(out)
  }

  /** Which of the commands of a key, one a source, decides. */
  private greatest(winners: Batch, first: number): number {
    const { others } = this
    let best = first
    for (let at = others[first] - 1; at >= 0; at = others[at] - 1) if (this.compare(winners, at, best) > 0) best = at
    return best
  }

  private compare(winners: Batch, a: number, b: number): number {
    const { comparators } = this
    const operations = winners.columns[comparators.length]
    const order = (operations[b] & 1) - (operations[a] & 1)
    if (order !== 0 || (operations[a] & 1) === DELETE) return order
    for (let c = 0; c < comparators.length; c++) {
      const column = winners.columns[c]
      const difference = comparators[c](column, a, column, b, this.dataflow.dictionary)
      if (difference !== 0) return difference
    }
    return 0
  }

  private writeValueIds(out: Batch, change: Batch): void {
    const values = change.columns[1]
    const { n } = out
    for (let i = 0; i < n; i++) change.differences[i] = out.differences[i]
    const { rows } = this.trace
    if (rows !== null) rows.put(pickColumns(out, this.valueColumns, this.valueScratch), n, out.differences, values, 0)
    else if (this.valueColumns.length === 1) {
      const column = out.columns[this.valueColumns[0]]
      for (let i = 0; i < n; i++) values[i] = column[i]
    } else values.fill(0, 0, n)
  }

  private equals(value: number, winners: Batch, row: number): boolean {
    const { valueColumns } = this
    const { rows } = this.trace
    if (rows === null) return valueColumns.length === 0 || winners.columns[valueColumns[0]][row] === value
    const { arena } = rows
    let at = value * rows.stride + rows.offset
    for (let v = 0; v < valueColumns.length; v++) {
      const column = winners.columns[valueColumns[v]]
      const width = winners.widths[valueColumns[v]]
      for (let w = row * width; w < (row + 1) * width; w++) if (column[w] !== arena[at++]) return false
    }
    return true
  }

  /** The row that a key has now, as row `to` of a batch. */
  private writeOld(key: number, value: number, out: Batch, to: number): void {
    const { rows } = this.trace
    const { words } = this.keys
    for (let c = 0; c < out.columns.length; c++) {
      const source = this.sources[c]
      const width = out.widths[c]
      const column = out.columns[c]
      for (let w = 0; w < width; w++) {
        let word: number
        if (source < 0) {
          const position = -1 - source + w
          if (words === null) word = position === 0 ? key : key >> 31
          else word = words.arena[key * words.stride + words.offset + position]
        } else word = rows === null ? value : rows.arena[value * rows.stride + rows.offset + source + w]
        column[to * width + w] = word
      }
    }
  }
}

function wordSources(types: readonly ColumnType[], keyColumns: readonly number[], valueColumns: readonly number[]): number[] {
  const sources: number[] = []
  let word = 0
  for (const column of keyColumns) {
    sources[column] = -1 - word
    word += types[column].width
  }
  word = 0
  for (const column of valueColumns) {
    sources[column] = word
    word += types[column].width
  }
  return sources
}

function copyWords(from: Int32Array, i: number, to: Int32Array, j: number, width: number): void {
  if (width === 1) to[j] = from[i]
  else for (let w = 0; w < width; w++) to[j * width + w] = from[i * width + w]
}
