/**
 * threshold inside a loop: each different row, as often as a function of its multiplicity says.
 *
 * Computes: for each row and time, the function of the row's accumulated input minus what was sent out so far. A row at which the
 * function throws, or gives no int32, is an error while its multiplicity stays.
 * State: per row, by key id, its times with the differences that came in and that went out; why there is no result, by key and time.
 * Times: partial order. A row's time is worked on when it is complete; the joins of it with the row's other times wait for their
 * turn, since the function may give, or fail at, anything.
 * Cost per change: a key lookup, then for each such time all times of the row, and one call of the function (two, where determinism is checked).
 * Source: differential dataflow's `threshold` and `reduce` (CIDR 2013).
 *
 * @example
 *   threshold(paths, (multiplicity) => (multiplicity > 1 ? 1 : 0))   // inside iterate
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { PendingTimes, type WaitingList } from '../runtime/graph/pending-times.ts'
import type { Region, RegionState } from '../runtime/graph/region.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import { GeneralTrace } from '../runtime/trace/general-trace.ts'
import type { KeyTable, KeyUser } from '../runtime/trace/key-table.ts'
import { TimeCounts } from '../runtime/trace/time-counts.ts'
import { checksDeterminism } from './determinism.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'
import { callThreshold, type ThresholdFunction } from './threshold-function.ts'

export class GeneralThresholdOperator extends Operator implements KeyUser, RegionState {
  readonly errors: ErrorOutlet
  private readonly region: Region
  private readonly port: Port
  private readonly picks: readonly number[]
  private readonly fn: ThresholdFunction
  private readonly twice: boolean
  private readonly encoder: KeyEncoder | null
  private readonly codec: RowCodec
  private readonly keys: KeyTable
  private readonly counts: TimeCounts
  /** Dictionary ids of why there is no result, by key and time. */
  private readonly reasons: GeneralTrace
  private readonly pending: PendingTimes
  private readonly pool: BatchPool
  private readonly columns: Int32Array[] = []

  /** `asKeys`: rows count as equal if they are one key (-0 and 0), and come out as the key; else only identical rows do. */
  constructor(input: Stream, kind: string, fn: ThresholdFunction, asKeys: boolean, origin: string) {
    super(input.operator.dataflow, kind)
    const { types, widths } = input.schema
    this.region = input.region as Region
    this.picks = input.picks
    this.fn = fn
    this.twice = checksDeterminism(this.dataflow)
    this.encoder = asKeys ? new KeyEncoder(types, types) : null
    this.codec = rowCodec(input.schema)
    this.keys = this.dataflow.keyTable(types)
    this.keys.users.push(this)
    this.counts = new TimeCounts(this.keys.capacity)
    this.reasons = new GeneralTrace(this.region, this.keys, null)
    this.pool = new BatchPool(widths)
    this.pending = new PendingTimes(this.region, this)
    this.region.addState(this)
    this.port = this.listen(input.operator)
    this.errors = new ErrorOutlet(this.dataflow, kind, origin, { ...input, operator: this })
  }

  step(): void {
    const { port, pending } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.take(batch)
      batch.release()
    }
    for (let list = pending.takeClosed(); list !== null; list = pending.takeClosed()) {
      this.retire(list)
      pending.done(list)
    }
    this.errors.flush()
  }

  private take(batch: Batch): void {
    const { n, times, differences } = batch
    const { counts, pending } = this
    const columns = pickColumns(batch, this.picks, this.columns)
    const ids = this.keys.map(this.encoder === null ? columns : this.encoder.encode(columns, n, this.dataflow.dictionary), n)
    counts.grow(this.keys.capacity)
    for (let i = 0; i < n; i++) {
      const time = times === null ? batch.time : times[i]
      counts.add(ids[i], time, differences[i], 0)
      pending.at(time).add(ids[i])
    }
  }

  private retire({ time, items, n }: WaitingList): void {
    this.reasons.fit()
    const keys = new Set<number>() // not state: the rows of one time
    for (let i = 0; i < n; i++) keys.add(items[i])
    const out = this.pool.take(time, keys.size)
    const changed: number[] = []
    for (const key of keys) {
      const difference = this.compute(key, time)
      if (difference !== 0) out.differences[changed.push(key) - 1] = difference
    }
    this.keys.writeKeys(Int32Array.from(changed), changed.length, out.columns, 0)
    out.n = changed.length
    this.send(out)
  }

  /** By how much a row's multiplicity in the output changes at a time. */
  private compute(key: number, time: number): number {
    const { counts, pending, reasons } = this
    const { times } = this.region
    let came = 0
    let went = 0
    const follow = (other: number) => {
      if (!times.lessEqual(other, time)) pending.at(times.join(time, other)).add(key)
    }
    counts.forEach(key, (other, first, second) => {
      follow(other)
      if (!times.lessEqual(other, time)) return
      came += first
      went += second
    })
    reasons.segments.forEach(key, (_, other) => follow(other))
    const answer = came === 0 ? 0 : callThreshold(this.fn, came, this.twice)
    this.explain(key, typeof answer === 'string' ? answer : null, time)
    const difference = (typeof answer === 'string' ? 0 : answer) - went
    counts.add(key, time, 0, difference)
    return difference
  }

  /** Tells of a row that has no result at a time, or has one again. */
  private explain(key: number, reason: string | null, time: number): void {
    const { dictionary } = this.dataflow
    const changes = new Map<number, number>() // not state: one row's reasons
    if (reason !== null) changes.set(dictionary.intern(reason), 1)
    this.reasons.readKey(key, time, (id, difference) => changes.set(id, (changes.get(id) ?? 0) - difference))
    for (const [id, difference] of changes) {
      if (difference === 0) continue
      const scratch = this.pool.take(0, 1)
      this.keys.writeKeys(Int32Array.of(key), 1, scratch.columns, 0)
      const row = rowText(this.codec.readRow(scratch, 0, dictionary))
      scratch.release()
      this.errors.add(row, dictionary.get(id), difference, time)
      this.reasons.segments.add(key, id, time, difference)
    }
  }

  compact(outer: number): void {
    this.counts.compact(outer, this.region.times)
  }

  markKeys(live: Uint8Array): void {
    this.counts.markKeys(live)
    this.pending.forEach((key) => {
      live[key] = 1
    })
  }

  override markDictionary(dictionary: Dictionary): void {
    this.reasons.markDictionary(dictionary, [0])
  }
}
