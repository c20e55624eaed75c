/**
 * The trace of an arrangement inside a loop: per key its values with their times and differences, all in one head.
 *
 * Times are partially ordered, so a reader looks at every triple of its key and compares times. `compact` moves the past
 * to the times that stand for it, key by key as they were touched.
 */
import type { Dictionary } from '../data/dictionary.ts'
import type { WordTable } from '../data/word-table.ts'
import type { Region, RegionState } from '../graph/region.ts'
import { presentState, type StateStats } from '../log/state-stats.ts'
import { GeneralSegments } from './general-segments.ts'
import type { KeyTable, KeyUser } from './key-table.ts'

/** Value rows are swept when there are twice as many as after the last sweep, and at least this many. */
const SWEEP_ROWS = 1 << 12

/** Where the content of keys is that are not in memory, and who is told of changes. */
export interface GeneralBacking {
  readonly evictedCount: number
  /** Brings the evicted among these keys back. */
  load(keys: Int32Array, n: number): void
  record(key: number, value: number, time: number, difference: number): void
  markKeys(live: Uint8Array): void
  /** Values that it refers to by their ids. */
  forEachValue(visit: (value: number) => void): void
}

export class GeneralTrace implements KeyUser, RegionState {
  readonly keys: KeyTable
  /** Row ids of values, unless a value is one word (then the word is its id) or there is no value. */
  readonly rows: WordTable | null
  readonly segments: GeneralSegments
  backing: GeneralBacking | null = null
  private readonly region: Region
  private sweepAt = SWEEP_ROWS

  constructor(region: Region, keys: KeyTable, rows: WordTable | null) {
    this.region = region
    this.keys = keys
    this.rows = rows
    this.segments = new GeneralSegments(keys.capacity)
    keys.users.push(this)
    region.addState(this)
  }

  get bytes(): number {
    return this.segments.bytes + (this.rows?.bytes ?? 0)
  }

  stats(): StateStats {
    let keys = 0
    let rows = 0
    for (let key = 0; key < this.segments.capacity; key++) {
      const length = this.segments.lengthOf(key)
      if (length > 0) keys++
      rows += length
    }
    return presentState(this.bytes, keys, rows)
  }

  /** The arrays fit all key ids of the key table. */
  fit(): void {
    if (this.segments.capacity < this.keys.capacity) this.segments.grow(this.keys.capacity)
  }

  /** Adds rows: differences of (key id, value id) at `times[i]`, or at `time` where that is null. */
  append(keys: Int32Array, values: Int32Array, times: Int32Array | null, time: number, differences: Int32Array, n: number): void {
    this.fit()
    const { backing } = this
    if (backing !== null) {
      // What is added will be stored, and would come back a second time with what was evicted.
      this.load(keys, n)
      for (let i = 0; i < n; i++) backing.record(keys[i], values[i], times === null ? time : times[i], differences[i])
    }
    this.segments.append(keys, values, times, time, differences, n)
  }

  /** Adds one row; the key is in memory. */
  add(key: number, value: number, time: number, difference: number): void {
    this.backing?.record(key, value, time, difference)
    this.segments.add(key, value, time, difference)
  }

  /** Has these keys in memory: before their segments are read or written. */
  load(keys: Int32Array, n: number): void {
    if (this.backing !== null && this.backing.evictedCount > 0) this.backing.load(keys, n)
  }

  /** Calls `visit` with each value of a key and its multiplicity as of a time, the sum over all times up to it. */
  readKey(key: number, time: number, visit: (value: number, difference: number) => void): void {
    const { times } = this.region
    const sums = new Map<number, number>()
    if (this.backing !== null) this.load(Int32Array.of(key), 1)
    this.segments.forEach(key, (value, other, difference) => {
      if (times.lessEqual(other, time)) sums.set(value, (sums.get(value) ?? 0) + difference)
    })
    for (const [value, sum] of sums) if (sum !== 0) visit(value, sum)
  }

  compact(outer: number): void {
    this.segments.compact(outer, this.region.times)
    if (this.rows !== null && this.rows.count >= this.sweepAt) this.sweepRows(this.rows)
  }

  /** Frees the row ids that no triple refers to; nothing is under way when times are compacted. */
  private sweepRows(rows: WordTable): void {
    const live = new Uint8Array(rows.capacity)
    this.forEach((_, value) => {
      live[value] = 1
    })
    this.backing?.forEachValue((value) => {
      live[value] = 1
    })
    rows.releaseUnless(live)
    this.sweepAt = Math.max(SWEEP_ROWS, 2 * rows.count)
  }

  /** Visits what is in memory. */
  forEach(visit: (key: number, value: number, time: number, difference: number) => void): void {
    const { segments } = this
    for (let key = 0; key < segments.capacity; key++) {
      if (segments.records[key << 2] !== 0) segments.forEach(key, (value, time, difference) => visit(key, value, time, difference))
    }
  }

  markKeys(live: Uint8Array): void {
    const { records, capacity } = this.segments
    for (let key = 0; key < capacity; key++) if (records[key << 2] !== 0) live[key] = 1
    this.backing?.markKeys(live)
  }

  /** The content of this trace refers to these dictionary ids. `interned` tells which words of a value are ids. */
  markDictionary(dictionary: Dictionary, interned: readonly number[]): void {
    if (interned.length === 0) return
    const { rows } = this
    const mark = (value: number): void => {
      if (rows === null) dictionary.mark(value)
      else for (const word of interned) dictionary.mark(rows.arena[value * rows.stride + rows.offset + word])
    }
    this.forEach((_, value) => {
      mark(value)
    })
    this.backing?.forEachValue(mark)
  }
}
