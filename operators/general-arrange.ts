/**
 * arrange inside a loop: indexes a collection by key, for joins and reductions that share the index.
 *
 * Computes: each batch as (key id, value id, time, difference), applied to the trace and passed on at once.
 * State: a general trace, the key table (shared with the arrangements it is joined with) and a store of wide values.
 * Times: partial order; nothing waits for a time to be complete.
 * Cost: per row one key lookup, one row lookup for wide values, one append.
 * Source: arrangements as in "Shared Arrangements" (VLDB 2020).
 *
 * @example
 *   builder.generalArrange(edges, [0])   // inside iterate, for what joins on src
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Region } from '../runtime/graph/region.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import type { StateStats } from '../runtime/log/state-stats.ts'
import { GeneralTrace } from '../runtime/trace/general-trace.ts'
import { internedWords, type KeyTable } from '../runtime/trace/key-table.ts'
import { losesIdentity } from './arrange.ts'

export class GeneralArrangeOperator extends Operator {
  readonly trace: GeneralTrace
  readonly keys: KeyTable
  readonly region: Region
  /** Positions, in the input's schema, of the key and of the columns kept as value. */
  readonly keyColumns: readonly number[]
  readonly valueColumns: readonly number[]
  readonly keyTypes: readonly ColumnType[]
  readonly input: Stream
  readonly values = null
  /** Words, within a value, that are dictionary ids. */
  readonly internedWords: readonly number[]
  private readonly port: Port
  private readonly keyPicks: readonly number[]
  private readonly valuePicks: readonly number[]
  private readonly encoder: KeyEncoder
  private readonly keyScratch: Int32Array[] = []
  private readonly valueScratch: Int32Array[] = []
  private readonly pool = new BatchPool([1, 1])

  constructor(input: Stream, keyColumns: readonly number[], keyTypes: readonly ColumnType[], keys: KeyTable) {
    super(input.operator.dataflow, 'arrange')
    this.input = input
    this.region = input.region as Region
    this.keys = keys
    this.keyTypes = keyTypes
    this.keyColumns = keyColumns
    const typeOf = (column: number) => input.schema.types[column]
    this.encoder = new KeyEncoder(keyColumns.map(typeOf), keyTypes)
    this.valueColumns = input.schema.types
      .map((_, column) => column)
      .filter((column) => !keyColumns.includes(column) || losesIdentity(typeOf(column)))
    this.keyPicks = keyColumns.map((column) => input.picks[column])
    this.valuePicks = this.valueColumns.map((column) => input.picks[column])
    const valueTypes = this.valueColumns.map(typeOf)
    const direct = valueTypes.length === 0 || (valueTypes.length === 1 && valueTypes[0].width === 1)
    this.trace = new GeneralTrace(this.region, keys, direct ? null : new WordTable(valueTypes.map((type) => type.width)))
    this.internedWords = internedWords(valueTypes)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.take(batch)
      batch.release()
    }
  }

  override stateStats(): StateStats {
    return this.trace.stats()
  }

  override markDictionary(dictionary: Dictionary): void {
    this.trace.markDictionary(dictionary, this.internedWords)
  }

  private take(batch: Batch): void {
    const { n } = batch
    const out = this.pool.take(batch.time, n)
    const [ids, values] = out.columns
    const keys = this.keys.map(this.encoder.encode(pickColumns(batch, this.keyPicks, this.keyScratch), n, this.dataflow.dictionary), n)
    for (let i = 0; i < n; i++) ids[i] = keys[i]
    for (let i = 0; i < n; i++) out.differences[i] = batch.differences[i]
    if (batch.times !== null) {
      const times = out.useTimes()
      for (let i = 0; i < n; i++) times[i] = batch.times[i]
    }
    const { rows } = this.trace
    if (rows !== null) rows.lookupOrInsert(pickColumns(batch, this.valuePicks, this.valueScratch), n, values)
    else if (this.valuePicks.length === 1) {
      const from = batch.columns[this.valuePicks[0]]
      for (let i = 0; i < n; i++) values[i] = from[i]
    } else values.fill(0, 0, n)
    out.n = n
    this.trace.append(ids, values, out.times, out.time, out.differences, n)
    this.send(out)
  }
}
