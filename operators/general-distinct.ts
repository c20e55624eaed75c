/**
 * distinct inside a loop: each row with a multiplicity that is a function of its multiplicity in the input: 1 for a positive one.
 *
 * Computes: for each row and time, the function of the row's accumulated input minus what was sent out so far.
 * State: per row, by key id, its times with the differences that came in and that went out (`TimeCounts`).
 * Times: partial order. A row's time is worked on when it is complete; then the later times at which the row could change
 * are checked, and those where it would, as things are, wait for their turn. A time that is skipped so stays right: any
 * later change before it checks it again.
 * Cost per change: a key lookup and one cache line, a compare for each time of the row.
 * Source: differential dataflow's `threshold` and `reduce` (CIDR 2013); checking ahead instead of waiting at every
 * join of times is ours.
 *
 * @example
 *   const nodes = generalDistinct(stream)   // every node once
 */
import { type Batch, BatchPool, grown, powerOfTwo } from '../runtime/data/batch.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { PendingTimes, type WaitingList } from '../runtime/graph/pending-times.ts'
import type { Region, RegionState } from '../runtime/graph/region.ts'
import { pickColumns, type Stream } from '../runtime/graph/stream.ts'
import { presentState, type StateStats } from '../runtime/log/state-stats.ts'
import type { KeyTable, KeyUser } from '../runtime/trace/key-table.ts'
import { COUNTS_CLASS_SHIFT, COUNTS_LENGTH_MASK, COUNTS_STRIDE_SHIFT, TimeCounts } from '../runtime/trace/time-counts.ts'
import { InterestingTimes } from './interesting-times.ts'

/** Rows a call: code that is called again and again within the first load is compiled for what comes later, too. */
const RETIRED_ROWS = 1 << 10

/** From the multiplicity of a row in the input to that in the output. */
export type Threshold = (count: number) => number

export function distinctThreshold(count: number): number {
  return count > 0 ? 1 : 0
}

export interface GeneralDistinctOptions {
  /** Without it every row of positive multiplicity once. */
  readonly threshold?: Threshold
  /** Rows count as equal if they are one key (-0 and 0), and come out as the key; else only identical rows do. */
  readonly asKeys?: boolean
  readonly name?: string
}

export class GeneralDistinctOperator extends Operator implements KeyUser, RegionState {
  readonly region: Region
  private readonly port: Port
  private readonly picks: readonly number[]
  private readonly threshold: Threshold
  private readonly encoder: KeyEncoder | null
  private readonly keys: KeyTable
  private readonly counts: TimeCounts
  private readonly pending: PendingTimes
  private readonly pool: BatchPool
  private readonly interesting: InterestingTimes
  private readonly columns: Int32Array[] = []
  /** Rows of the output under construction. */
  private outKeys = new Int32Array(64)
  private outDifferences = new Int32Array(64)
  private outCount = 0
  /** Rows of the time at hand that have later times: the only later one (0 if there are more), and the sums at it. */
  private readonly laterKeys = new Int32Array(RETIRED_ROWS)
  private readonly laterTimes = new Int32Array(RETIRED_ROWS)
  private readonly laterCame = new Int32Array(RETIRED_ROWS)
  private readonly laterWent = new Int32Array(RETIRED_ROWS)
  /** Whether more input never changes the output of a row that is there: so it is for distinct. */
  private readonly monotonic: boolean
  /** What the times that are about to be scheduled will send. */
  private readonly plannedTimes: number[] = []
  private readonly planned: number[] = []
  private plannedCount = 0

  constructor(input: Stream, options: GeneralDistinctOptions = {}) {
    super(input.operator.dataflow, options.name ?? 'distinct')
    const { types } = input.schema
    this.region = input.region as Region
    this.picks = input.picks
    this.threshold = options.threshold ?? distinctThreshold
    this.monotonic = this.threshold === distinctThreshold
    this.encoder = options.asKeys === true ? new KeyEncoder(types, types) : null
    this.keys = this.dataflow.keyTable(types)
    this.keys.users.push(this)
    this.counts = new TimeCounts(this.keys.capacity)
    this.pool = new BatchPool(input.schema.widths)
    this.interesting = new InterestingTimes(this.region.times)
    this.pending = new PendingTimes(this.region, this)
    this.region.addState(this)
    this.port = this.listen(input.operator)
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
  }

  private take(batch: Batch): void {
    const { n, times, differences } = batch
    const { counts, pending } = this
    const columns = pickColumns(batch, this.picks, this.columns)
    const ids = this.keys.map(this.encoder === null ? columns : this.encoder.encode(columns, n, this.dataflow.dictionary), n)
    if (counts.capacity < this.keys.capacity) counts.grow(this.keys.capacity)
    const { records } = counts
    for (let i = 0; i < n; i++) {
      const key = ids[i]
      const time = times === null ? batch.time : times[i]
      counts.add(key, time, differences[i], 0)
      const queued = (key << COUNTS_STRIDE_SHIFT) + 1
      if (records[queued] === time) continue
      records[queued] = time
      pending.at(time).add(key)
    }
  }

  private retire({ time, items, n }: WaitingList): void {
    this.outCount = 0
    for (let from = 0; from < n; from += RETIRED_ROWS) {
      const laterCount = this.retireSome(time, items, from, Math.min(n, from + RETIRED_ROWS))
      if (laterCount > 0) this.lookAheadAll(time, laterCount)
    }
    if (this.outCount > 0) this.flush(time)
  }

  /** Returns how many of the rows have later times. */
  private retireSome(time: number, items: Int32Array, from: number, to: number): number {
    const { counts, region, threshold } = this
    const { times } = region
    const { records } = counts
    const { laterKeys, laterTimes, laterCame, laterWent, monotonic } = this
    let laterCount = 0
    for (let i = from; i < to; i++) {
      const key = items[i]
      const record = key << COUNTS_STRIDE_SHIFT
      if (records[record + 1] === time) records[record + 1] = 0
      const meta = records[record]
      const inline = meta >>> COUNTS_CLASS_SHIFT === 0
      const array = inline ? records : counts.pool
      let p = inline ? record + 2 : records[record + 2]
      const end = p + 3 * (meta & COUNTS_LENGTH_MASK)
      let came = 0
      let went = 0
      let later = 0
      let single = p
      let irregular = 0
      for (; p < end; p += 3) {
        // No branches, since a load has no later times and the code that it left out would have to be compiled again.
        const upTo = times.lessEqual(array[p], time)
        const first = array[p + 1]
        const second = array[p + 2]
        const mask = upTo ? -1 : 0
        came += first & mask
        went += second & mask
        later += 1 + mask
        single = upTo ? single : p
        irregular |= (first | (second === 0 ? 0 : -1)) & ~mask
      }
      const wanted = threshold(came)
      const difference = wanted - went
      laterKeys[laterCount] = key
      laterTimes[laterCount] = array[single] & (later === 1 ? -1 : 0)
      laterCame[laterCount] = came + array[single + 1]
      laterWent[laterCount] = wanted + array[single + 2]
      // What only adds to a row that is there already changes nothing, for distinct.
      const unchanged = monotonic && came > 0 && irregular >= 0
      laterCount += later === 0 || unchanged ? 0 : 1
      if (difference !== 0) {
        counts.add(key, time, 0, difference)
        this.emit(key, difference)
      }
    }
    return laterCount
  }

  /** The rows of a time that have later times, too. */
  private lookAheadAll(time: number, count: number): void {
    const { laterKeys, laterTimes, laterCame, laterWent, pending, threshold } = this
    const { times } = this.region
    for (let i = 0; i < count; i++) {
      const key = laterKeys[i]
      if (laterTimes[i] === 0) this.lookAhead(key, time)
      else if (threshold(laterCame[i]) !== laterWent[i]) pending.at(times.join(time, laterTimes[i])).add(key)
    }
  }

  /** Schedules the times beyond `time` at which the row would have to change. */
  private lookAhead(key: number, time: number): void {
    const { counts, interesting, pending, threshold } = this
    const { times } = this.region
    const record = key << COUNTS_STRIDE_SHIFT
    const meta = counts.records[record]
    const inline = meta >>> COUNTS_CLASS_SHIFT === 0
    const array = inline ? counts.records : counts.pool
    const begin = inline ? record + 2 : counts.records[record + 2]
    const end = begin + 3 * (meta & COUNTS_LENGTH_MASK)
    const complete = interesting.collect(time, array, begin, end, 3)
    const { found } = interesting
    for (let i = 0; i < found.length; i++) {
      const then = found[i]
      if (complete) {
        let came = 0
        let went = 0
        for (let p = begin; p < end; p += 3) {
          if (!times.lessEqual(array[p], then)) continue
          came += array[p + 1]
          went += array[p + 2]
        }
        // What is scheduled here will have been set right by then.
        for (let j = 0; j < this.plannedCount; j++) if (times.lessEqual(this.plannedTimes[j], then)) went += this.planned[j]
        const difference = threshold(came) - went
        if (difference === 0) continue
        this.plannedTimes[this.plannedCount] = then
        this.planned[this.plannedCount++] = difference
      }
      pending.at(then).add(key)
    }
    this.plannedCount = 0
  }

  private emit(key: number, difference: number): void {
    const at = this.outCount++
    if (at === this.outKeys.length) {
      this.outKeys = grown(this.outKeys, powerOfTwo(at + 1))
      this.outDifferences = grown(this.outDifferences, powerOfTwo(at + 1))
    }
    this.outKeys[at] = key
    this.outDifferences[at] = difference
  }

  private flush(time: number): void {
    const n = this.outCount
    const out = this.pool.take(time, n)
    this.keys.writeKeys(this.outKeys, n, out.columns, 0)
    const { outDifferences } = this
    for (let i = 0; i < n; i++) out.differences[i] = outDifferences[i]
    out.n = n
    this.send(out)
  }

  compact(outer: number): void {
    this.counts.compact(outer, this.region.times)
  }

  override stateStats(): StateStats {
    const { counts } = this
    let keys = 0
    let rows = 0
    for (let key = 0; key < counts.capacity; key++) {
      const length = counts.records[key << COUNTS_STRIDE_SHIFT] & COUNTS_LENGTH_MASK
      if (length > 0) keys++
      rows += length
    }
    return presentState(counts.bytes, keys, rows)
  }

  markKeys(live: Uint8Array): void {
    this.counts.markKeys(live)
    this.pending.forEach((key) => {
      live[key] = 1
    })
  }
}
