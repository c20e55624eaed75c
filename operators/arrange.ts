/**
 * arrange: indexes a collection by key, for joins and reductions that share the index.
 *
 * Computes: for each time one sealed batch of (key id, value id, difference), consolidated in the trace's head.
 * State: a total trace, the key table (shared with the arrangements it is joined with) and a row store for values of more than a word.
 * Times: total order; rows of a time are sealed when the input frontier passes it.
 * Cost: per row one key lookup, one row lookup for wide values, one segment update.
 * Source: arrangements as in "Shared Arrangements" (VLDB 2020).
 *
 * @example
 *   const byOwner = arrange(accounts, ['ownerId'])   // two joins on ownerId share it
 */
import { type Batch, BatchPool, powerOfTwo } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder, keyTextOf } from '../runtime/data/key-encoding.ts'
import { radixSortByKey, type SortScratch, sortScratch } from '../runtime/data/radix-sort.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import type { StateStats } from '../runtime/log/state-stats.ts'
import { internedWords, type KeyTable } from '../runtime/trace/key-table.ts'
import { type Hold, TotalTrace } from '../runtime/trace/total-trace.ts'
import type { Arrangement } from './arrangement.ts'

/** Batches above this many rows are sorted by key before they touch the trace. */
const SORT_ROWS = 10_000

export class ArrangeOperator extends Operator implements Arrangement {
  readonly trace: TotalTrace
  readonly keys: KeyTable
  /** Positions, in the input's schema, of the key and of the columns kept as value. */
  readonly keyColumns: readonly number[]
  readonly valueColumns: readonly number[]
  readonly keyTypes: readonly ColumnType[]
  readonly input: Stream
  readonly values: readonly number[] | null
  /** Words, within a value, that are dictionary ids. */
  readonly internedWords: readonly number[]
  private readonly port: Port
  private readonly keyPicks: readonly number[]
  private readonly valuePicks: readonly number[]
  private readonly encoder: KeyEncoder
  private readonly keyScratch: Int32Array[] = []
  private readonly valueScratch: Int32Array[] = []
  private readonly pool = new BatchPool([1, 1])
  private sortScratch: SortScratch = sortScratch(0)
  private waiting = false

  /** @param values the columns to keep as value, beyond what the key gives back; all if null */
  constructor(
    input: Stream,
    keyColumns: readonly number[],
    keyTypes: readonly ColumnType[],
    keys: KeyTable,
    values: readonly number[] | null = null,
  ) {
    super(input.operator.dataflow, 'arrange')
    this.input = input
    this.values = values
    this.keys = keys
    this.keyTypes = keyTypes
    this.keyColumns = keyColumns
    this.encoder = new KeyEncoder(
      keyColumns.map((column) => input.schema.types[column] as ColumnType),
      keyTypes as ColumnType[],
    )
    this.valueColumns = input.schema.types
      .map((_, column) => column)
      .filter((column) => !keyColumns.includes(column) || losesIdentity(input.schema.types[column] as ColumnType))
      .filter((column) => values === null || values.includes(column))
    this.keyPicks = keyColumns.map((column) => input.picks[column] as number)
    this.valuePicks = this.valueColumns.map((column) => input.picks[column] as number)
    const valueTypes = this.valueColumns.map((column) => input.schema.types[column] as ColumnType)
    const direct = valueTypes.length === 0 || (valueTypes.length === 1 && valueTypes[0]?.width === 1)
    this.trace = new TotalTrace(keys, direct ? null : new WordTable(valueTypes.map((type) => type.width)), this.frontier)
    this.internedWords = internedWords(valueTypes)
    this.port = this.listen(input.operator)
  }

  /** The columns of the trace, as a checkpoint stores them. */
  get traceTypes(): { readonly keys: readonly ColumnType[]; readonly values: readonly ColumnType[] } {
    return { keys: this.keyTypes, values: this.valueColumns.map((column) => this.input.schema.types[column] as ColumnType) }
  }

  hold(time: number, name: string): Hold {
    return this.trace.hold(time, name)
  }

  step(): void {
    const port = this.port
    for (let batch = port.peek(); batch !== null; batch = port.peek()) {
      const open = this.trace.open
      if (open !== null && open.time !== batch.time) this.seal(open)
      port.pop()
      this.take(batch)
      batch.release()
    }
    const open = this.trace.open
    if (open !== null && port.frontier > open.time) this.seal(open)
    this.trace.upper = port.frontier
    this.advance(port.frontier)
  }

  protected override keptTime(): number {
    return this.trace.open?.time ?? Number.POSITIVE_INFINITY
  }

  private take(batch: Batch): void {
    let open = this.trace.open
    if (open === null) {
      this.trace.compact()
      open = this.trace.open = this.pool.take(batch.time, batch.n)
    }
    const n = batch.n
    const at = open.n
    open.reserve(at + n)
    const ids = open.columns[0] as Int32Array
    const values = open.columns[1] as Int32Array
    const keys = this.keys.map(this.encoder.encode(pickColumns(batch, this.keyPicks, this.keyScratch), n, this.dataflow.dictionary), n)
    copy(keys, ids, at, n)
    copy(batch.differences, open.differences, at, n)
    const rows = this.trace.rows
    if (rows !== null) {
      rows.put(pickColumns(batch, this.valuePicks, this.valueScratch), n, batch.differences, values, at)
    } else if (this.valuePicks.length === 1) copy(batch.columns[this.valuePicks[0] as number] as Int32Array, values, at, n)
    else values.fill(0, at, at + n)
    open.n = at + n
  }

  private seal(batch: Batch): void {
    this.trace.open = null
    if (batch.n > SORT_ROWS) {
      if (this.sortScratch.keys.length < batch.n) this.sortScratch = sortScratch(powerOfTwo(batch.n))
      radixSortByKey(batch.columns[0] as Int32Array, batch.columns[1] as Int32Array, batch.differences, batch.n, this.sortScratch)
    }
    batch.readers++
    this.send(batch)
    this.trace.seal(batch)
    if (!this.waiting) {
      this.waiting = true
      this.dataflow.whenQuiescent(this)
    }
  }

  override stateStats(): StateStats {
    return this.trace.stats()
  }

  override markDictionary(dictionary: Dictionary): void {
    this.trace.markDictionary(dictionary, this.internedWords)
  }

  /** Nobody downstream is in the middle of a batch now: what waits can be applied. */
  quiescent(): boolean {
    this.waiting = false
    this.trace.ensure(Number.POSITIVE_INFINITY)
    return false
  }
}

/** Types whose key encoding merges different values, so that the key alone does not give the value back. */
export function losesIdentity(type: ColumnType): boolean {
  return type.kind === 'float64' || keyTextOf(type) !== null
}

function copy(from: Int32Array, to: Int32Array, at: number, n: number): void {
  if (at === 0 && n > 64 && from.length === n) to.set(from)
  else for (let i = 0; i < n; i++) to[at + i] = from[i] as number
}
