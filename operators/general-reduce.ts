/**
 * reduce inside a loop: the rows of each group that changed, computed anew at each time at which they can be others.
 *
 * Computes: at each interesting time of a key, the rule's rows for the group accumulated at that time, minus what was sent out at
 * times up to it.
 * State: the arrangement (shared); the rows sent out by key and time; where a rule can fail, the reasons likewise.
 * Times: partial order. A key's time is worked on when it is complete; the joins of it with the key's other times wait for
 * their turn, so that all joins of sets of times are seen.
 * Cost: for each such time, all rows of the group with their times, and one call of the rule.
 * Source: differential dataflow's reduce (CIDR 2013).
 *
 * @example
 *   aggregate(labels, ['node'], { label: min(l.label).spec })   // inside iterate
 */
import { type Batch, BatchPool, powerOfTwo } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { consolidate } from '../runtime/data/consolidate.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { Schema } from '../runtime/data/schema.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { PendingTimes, type WaitingList } from '../runtime/graph/pending-times.ts'
import type { Region } from '../runtime/graph/region.ts'
import { presentState, type StateStats } from '../runtime/log/state-stats.ts'
import { GeneralTrace } from '../runtime/trace/general-trace.ts'
import { internedWords, type KeyUser } from '../runtime/trace/key-table.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'
import type { GeneralArrangeOperator } from './general-arrange.ts'
import { GroupReader } from './group-reader.ts'
import type { GroupRule } from './group-rule.ts'
import { KeyWriter } from './key-writer.ts'

export class GeneralReduceOperator extends Operator implements KeyUser {
  readonly errors: ErrorOutlet | null
  private readonly region: Region
  private readonly arrangement: GeneralArrangeOperator
  private readonly port: Port
  private readonly pending: PendingTimes
  private readonly rule: GroupRule
  private readonly reader: GroupReader
  private readonly keyWriter: KeyWriter
  private readonly keyCodec: RowCodec
  private readonly keyCount: number
  private readonly pool: BatchPool
  /** Batches of (key id, the rule's columns). */
  private readonly differencePool: BatchPool
  /** What was sent out: row ids by key and time. */
  private readonly shown: GeneralTrace
  /** Dictionary ids of why there is no result, by key and time. */
  private readonly reasons: GeneralTrace
  private readonly interned: readonly number[]
  private ids = new Int32Array(64)

  /** The schema has the arrangement's key columns first, then the rule's. */
  constructor(arrangement: GeneralArrangeOperator, kind: string, schema: Schema, rule: GroupRule, origin: string) {
    super(arrangement.dataflow, kind)
    const { keys, keyColumns, keyTypes, input, region } = arrangement
    this.arrangement = arrangement
    this.region = region
    this.rule = rule
    this.reader = new GroupReader(arrangement)
    this.keyCount = keyColumns.length
    const types = keyColumns.map((column) => input.schema.types[column] as ColumnType)
    this.keyWriter = new KeyWriter(keys, types, keyTypes)
    this.keyCodec = rowCodec(new Schema(Object.fromEntries(types.map((type, k) => [schema.names[k], type]))))
    this.pool = new BatchPool(schema.widths)
    const widths = schema.widths.slice(this.keyCount)
    this.differencePool = new BatchPool([1, ...widths])
    this.shown = new GeneralTrace(region, keys, widths.length === 0 ? null : new WordTable(widths))
    this.reasons = new GeneralTrace(region, keys, null)
    this.interned = internedWords(schema.types.slice(this.keyCount))
    this.pending = new PendingTimes(region, this)
    keys.users.push(this)
    this.port = this.listen(arrangement)
    this.errors = rule.canFail ? new ErrorOutlet(this.dataflow, kind, origin, { ...input, operator: this }) : null
  }

  step(): void {
    const { port, pending } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const [keys] = batch.columns
      for (let i = 0; i < batch.n; i++) pending.at(batch.times === null ? batch.time : batch.times[i]).add(keys[i])
      batch.release()
    }
    for (let list = pending.takeClosed(); list !== null; list = pending.takeClosed()) {
      this.retire(list)
      pending.done(list)
    }
    this.errors?.flush()
  }

  private retire({ items, n, time }: WaitingList): void {
    this.shown.fit()
    this.reasons.fit()
    const keys = new Set<number>()
    for (let i = 0; i < n; i++) keys.add(items[i])
    const out = this.differencePool.take(time, 2 * keys.size)
    for (const key of keys) this.compute(key, time, out)
    consolidate(out)
    this.show(out)
    out.release()
  }

  private compute(key: number, time: number, out: Batch): void {
    this.addShown(key, time, out)
    const from = out.n
    const group = this.reader.read(key, time)
    const reason = group.n === 0 ? null : this.rule.compute(group, out)
    if (reason !== null) out.n = from
    for (let i = from; i < out.n; i++) out.columns[0][i] = key
    if (this.errors !== null) this.explain(key, reason, time, this.errors)
    this.follow(key, time, this.arrangement.trace)
    this.follow(key, time, this.shown)
    this.follow(key, time, this.reasons)
  }

  /** Schedules the joins of a time with the key's others. */
  private follow(key: number, time: number, trace: GeneralTrace): void {
    const { pending } = this
    const { times } = this.region
    let last = 0
    trace.segments.forEach(key, (_, other) => {
      if (other === last || times.lessEqual(other, time)) return
      last = other
      pending.at(times.join(time, other)).add(key)
    })
  }

  /** Appends what a key shows at a time, to be taken back. */
  private addShown(key: number, time: number, out: Batch): void {
    const { rows } = this.shown
    this.shown.readKey(key, time, (id, difference) => {
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

  /** Tells of a group that has no result at a time, or has one again. */
  private explain(key: number, reason: string | null, time: number, errors: ErrorOutlet): void {
    const { dictionary } = this.dataflow
    const is = reason === null ? 0 : dictionary.intern(reason)
    const changes: { id: number; difference: number }[] = is === 0 ? [] : [{ id: is, difference: 1 }]
    this.reasons.readKey(key, time, (id, difference) => {
      if (id === is) changes[0].difference -= difference
      else changes.push({ id, difference: -difference })
    })
    for (const { id, difference } of changes) {
      if (difference === 0) continue
      const scratch = this.pool.take(0, 1)
      this.keyWriter.write(Int32Array.of(key), 1, scratch.columns, 0)
      const group = rowText(this.keyCodec.readRow(scratch, 0, dictionary))
      scratch.release()
      errors.add(group, dictionary.get(id), difference, time)
      this.reasons.add(key, id, time, difference)
    }
  }

  /** Sends differences, and remembers them. */
  private show(changes: Batch): void {
    const { n, time } = changes
    if (n === 0) return
    const { rows } = this.shown
    if (this.ids.length < n) this.ids = new Int32Array(powerOfTwo(n))
    if (rows !== null) rows.lookupOrInsert(changes.columns.slice(1), n, this.ids)
    else this.ids.fill(0, 0, n)
    this.shown.append(changes.columns[0], this.ids, null, time, changes.differences, n)
    const out = this.pool.take(time, n)
    this.keyWriter.write(changes.columns[0], n, out.columns, 0)
    for (let c = this.keyCount; c < out.columns.length; c++) {
      const from = changes.columns[c - this.keyCount + 1]
      const to = out.columns[c]
      for (let j = 0, words = n * out.widths[c]; j < words; j++) to[j] = from[j]
    }
    for (let i = 0; i < n; i++) out.differences[i] = changes.differences[i]
    out.n = n
    this.send(out)
  }

  markKeys(live: Uint8Array): void {
    this.pending.forEach((key) => {
      live[key] = 1
    })
  }

  override stateStats(): StateStats {
    const shown = this.shown.stats()
    return presentState(shown.bytes + this.reasons.bytes, shown.keys, shown.rows)
  }

  override markDictionary(dictionary: Dictionary): void {
    this.shown.markDictionary(dictionary, this.interned)
    this.reasons.markDictionary(dictionary, [0])
  }
}
