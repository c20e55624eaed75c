/**
 * The trace of an arrangement with totally ordered times: a consolidated head, and a log of sealed batches.
 *
 * The head holds the sum of all batches up to `applied`. A sealed batch is applied as late as possible, because a
 * join that still finds the head before its own batch needs no correction. The log keeps a
 * batch while a reader may still refer to it or a hold needs to read before it; row ids are reused only after that.
 * A read at T is the head minus the log after T. Source: shared arrangements (VLDB 2020), with the spine of batches
 * replaced by a mutable head because nearly all reads are at the latest time.
 */
import type { Batch } from '../data/batch.ts'
import type { Dictionary } from '../data/dictionary.ts'
import type { WordTable } from '../data/word-table.ts'
import { invariant, MillraceError } from '../error.ts'
import type { StateStats } from '../log/state-stats.ts'
import type { KeyTable, KeyUser } from './key-table.ts'
import { Segments } from './segments.ts'

/** A reader's claim to read at `time` and later. Release it, or memory grows. */
export interface Hold {
  /** The least time that can be read under this hold. */
  readonly time: number
  readonly name: string
  /** Gives up the times before `time`. */
  downgrade(time: number): void
  release(): void
}

/** Where the content of evicted keys is; see `TraceCheckpoint`. */
export interface Backing {
  /** Key ids whose content is only in the store: 1. */
  readonly evicted: Uint8Array
  readonly evictedCount: number
  /** Brings the evicted among these keys back into the head. */
  load(keys: Int32Array, n: number): void
  loadAll(): void
}

/** A key id, a value id and a difference. */
const BYTES_PER_CHANGE = 12
/** Dying row ids that are worth a look for those that only dropped batches referred to. */
const REAP_ROWS = 1024

/** Sealed batches that may wait unapplied before they are applied whoever reads. */
const PENDING_BATCHES = 64

export class TotalTrace implements KeyUser {
  readonly keys: KeyTable
  /** Row ids of values, unless a value is one word (then the word is its id) or there is no value. */
  readonly rows: WordTable | null
  readonly segments: Segments
  /** All batches with times up to this one are in the head. */
  applied = -1
  /** Batches with times below this are complete. */
  upper: number
  /** Sealed and not yet in the head, in time order. */
  private readonly pending: Batch[] = []
  /** Sealed batches that may be needed for reads before the head, in time order; `pending` is not among them. */
  private log: Batch[] = []
  private readonly holds = new Set<TraceHold>()
  private compacted = -1
  /** Dying row ids that batches still referred to when last looked at. */
  private stillDying = 0
  /** The batch that the arrangement still fills; not sealed yet. */
  open: Batch | null = null
  backing: Backing | null = null

  constructor(keys: KeyTable, rows: WordTable | null, since: number) {
    this.keys = keys
    this.rows = rows
    this.segments = new Segments(keys.capacity)
    this.upper = since
    keys.users.push(this)
  }

  /** The least time that can be read. */
  get since(): number {
    let since = this.applied
    for (const hold of this.holds) if (hold.time < since) since = hold.time
    return Math.max(since, this.compacted)
  }

  get holders(): readonly Hold[] {
    return [...this.holds]
  }

  get batches(): number {
    return this.log.length + this.pending.length
  }

  get bytes(): number {
    let bytes = this.segments.bytes + (this.rows?.bytes ?? 0)
    for (const batches of this.batchLists()) for (const batch of batches) bytes += batch.capacity * BYTES_PER_CHANGE
    return bytes
  }

  stats(): StateStats {
    let keys = 0
    let rows = 0
    for (let key = 0; key < this.segments.capacity; key++) {
      const length = this.segments.lengthOf(key)
      if (length > 0) keys++
      rows += length
    }
    return {
      bytes: this.bytes,
      keys,
      rows,
      batches: this.batches,
      since: this.since,
      upper: this.upper,
      holders: this.holders.map(({ name, time }) => ({ name, time })),
      evicted: this.backing?.evictedCount ?? 0,
      shared: false,
    }
  }

  /** Takes over one claim on a sealed batch of (key id, value id, difference) at one time. */
  seal(batch: Batch): void {
    this.fit()
    this.pending.push(batch)
    if (this.pending.length > PENDING_BATCHES) this.apply(1)
  }

  /** The arrays of the head fit all key ids of the key table. */
  fit(): void {
    if (this.segments.capacity < this.keys.capacity) this.segments.grow(this.keys.capacity)
  }

  /** Afterwards the head holds all sealed batches with times up to `time`. */
  ensure(time: number): void {
    this.fit()
    let due = 0
    while (due < this.pending.length && (this.pending[due] as Batch).time <= time) due++
    if (due > 0) this.apply(due)
  }

  /** The head holds everything that is complete, and says so: a reader that begins now need not know of earlier batches. */
  catchUp(): void {
    this.ensure(Number.POSITIVE_INFINITY)
    if (this.applied < this.upper - 1) this.applied = this.upper - 1
  }

  private apply(count: number): void {
    for (let i = 0; i < count; i++) {
      const batch = this.pending[i] as Batch
      this.touch(batch.columns[0] as Int32Array, batch.n)
      this.segments.apply(batch.columns[0] as Int32Array, batch.columns[1] as Int32Array, batch.differences, batch.n)
      this.applied = batch.time
      this.log.push(batch)
    }
    if (count === this.pending.length) this.pending.length = 0
    else this.pending.splice(0, count)
  }

  /** The head was filled from outside with the state as of `time`. */
  restoredAt(time: number): void {
    invariant(this.log.length === 0 && this.pending.length === 0, 'a trace is restored before anything happens to it')
    this.applied = time
    this.compacted = time
    if (this.upper <= time) this.upper = time + 1
  }

  /** Call before reading the head at these keys: brings back what was evicted. */
  touch(keys: Int32Array, n: number): void {
    if (this.backing !== null && this.backing.evictedCount > 0) this.backing.load(keys, n)
  }

  /** Drops what no reader and no hold needs; reuses row ids that nobody can refer to any more. */
  compact(): void {
    let held = Number.POSITIVE_INFINITY
    for (const hold of this.holds) if (hold.time < held) held = hold.time
    const log = this.log
    let keep = 0
    for (let i = 0; i < log.length; i++) {
      const batch = log[i] as Batch
      if (keep === 0 && batch.readers === 1 && batch.time <= held) {
        this.compacted = batch.time
        batch.release()
      } else log[keep++] = batch
    }
    if (keep < log.length) log.length = keep
    if (this.rows === null || this.rows.dyingCount === 0) return
    // A row's count is the sum over all keys: without negative differences a sum of 0 means that no key has it.
    if (keep === 0 && this.pending.length === 0 && this.open === null && this.segments.negatives === 0) {
      this.rows.reap()
      this.stillDying = 0
    } else if (this.rows.dyingCount > REAP_ROWS + 2 * this.stillDying) {
      this.rows.reap(this.referencedRows(this.rows.capacity))
      this.stillDying = this.rows.dyingCount
    }
  }

  /** Row ids that batches, or negative differences in the head, still refer to. */
  private referencedRows(capacity: number): Uint8Array {
    const referenced = new Uint8Array(capacity)
    for (const batches of this.batchLists())
      for (const batch of batches) for (let i = 0; i < batch.n; i++) referenced[batch.columns[1][i]] = 1
    if (this.segments.negatives > 0)
      for (let key = 0; key < this.segments.capacity; key++)
        if (this.segments.records[key << 2] !== 0)
          this.segments.forEach(key, (value) => {
            referenced[value] = 1
          })
    return referenced
  }

  /** Applied batches with times in (from, to]; a hold at or before `from` keeps them. */
  appliedBetween(from: number, to: number): Batch[] {
    return this.log.filter((batch) => batch.time > from && batch.time <= to)
  }

  /** Marks the keys of all batches that are not older than `time`. */
  markTouchedAfter(time: number, touched: Uint8Array): void {
    for (const batches of this.batchLists())
      for (const batch of batches)
        if (batch === this.open || batch.time > time) for (let i = 0; i < batch.n; i++) touched[batch.columns[0][i]] = 1
  }

  hold(time: number, name: string): Hold {
    if (time < this.since) {
      throw new MillraceError(
        'BAD_TIME',
        `time ${time} is before ${this.since}, the least that can still be read`,
        'Take a hold before the time passes.',
      )
    }
    const hold = new TraceHold(this.holds, time, name)
    this.holds.add(hold)
    return hold
  }

  /**
   * Visits (value id, multiplicity) of one key as of `time`.
   * Throws BAD_TIME below `since` or at a time that is not complete yet.
   */
  readKey(key: number, time: number, visit: (value: number, difference: number) => void): void {
    this.checkReadable(time)
    this.ensure(time)
    if (key < 0) return
    if (this.backing !== null && this.backing.evictedCount > 0) this.backing.load(Int32Array.of(key), 1)
    const later = this.logAfter(time)
    if (later.length === 0) {
      this.segments.forEach(key, visit)
      return
    }
    const values = new Map<number, number>() // not state: one read's sum
    this.segments.forEach(key, (value, difference) => values.set(value, difference))
    for (const batch of later) {
      const keys = batch.columns[0] as Int32Array
      for (let i = 0; i < batch.n; i++) {
        if (keys[i] !== key) continue
        const value = (batch.columns[1] as Int32Array)[i] as number
        values.set(value, (values.get(value) ?? 0) - (batch.differences[i] as number))
      }
    }
    for (const [value, difference] of values) if (difference !== 0) visit(value, difference)
  }

  /** Visits (key id, value id, multiplicity) of everything as of `time`. */
  readAll(time: number, visit: (key: number, value: number, difference: number) => void): void {
    this.checkReadable(time)
    this.ensure(time)
    this.backing?.loadAll()
    const changed = new Set<number>() // not state: the keys that the log changes
    for (const batch of this.logAfter(time)) for (let i = 0; i < batch.n; i++) changed.add((batch.columns[0] as Int32Array)[i] as number)
    for (let key = 0; key < this.segments.capacity; key++) {
      if (changed.has(key)) this.readKey(key, time, (value, difference) => visit(key, value, difference))
      else if (this.segments.records[key << 2] !== 0) this.segments.forEach(key, (value, difference) => visit(key, value, difference))
    }
  }

  private checkReadable(time: number): void {
    if (time >= this.upper) throw new MillraceError('BAD_TIME', `time ${time} is not complete yet (complete: below ${this.upper})`)
    if (time < this.since)
      throw new MillraceError(
        'BAD_TIME',
        `time ${time} is before ${this.since}, the least that can still be read`,
        'Keep it readable with hold().',
      )
  }

  private logAfter(time: number): Batch[] {
    return this.log.filter((batch) => batch.time > time)
  }

  markKeys(live: Uint8Array): void {
    const { records, capacity } = this.segments
    for (let key = 0; key < capacity; key++) if (records[key << 2] !== 0) live[key] = 1
    // An evicted key has its content in the store, and is found there by what the key table has for its id.
    const evicted = this.backing?.evicted
    if (evicted !== undefined) for (let key = 0; key < evicted.length; key++) if (evicted[key] !== 0) live[key] = 1
    for (const batches of this.batchLists()) {
      for (const batch of batches) {
        const keys = batch.columns[0] as Int32Array
        for (let i = 0; i < batch.n; i++) live[keys[i] as number] = 1
      }
    }
  }

  /** The content of this trace refers to these dictionary ids. `interned` tells which words of a value are ids. */
  markDictionary(dictionary: Dictionary, interned: readonly number[]): void {
    if (interned.length === 0) return
    if (this.rows !== null) {
      const { arena, stride, offset } = this.rows
      this.rows.forEachLive((id) => {
        for (const word of interned) dictionary.mark(arena[id * stride + offset + word] as number)
      })
      return
    }
    this.markDirect(dictionary)
  }

  private batchLists(): readonly (readonly Batch[])[] {
    return [this.log, this.pending, this.open === null ? [] : [this.open]]
  }

  private markDirect(dictionary: Dictionary): void {
    for (let key = 0; key < this.segments.capacity; key++) {
      if (this.segments.records[key << 2] !== 0) this.segments.forEach(key, (value) => dictionary.mark(value))
    }
    for (const batches of this.batchLists()) {
      for (const batch of batches) for (let i = 0; i < batch.n; i++) dictionary.mark((batch.columns[1] as Int32Array)[i] as number)
    }
  }
}

class TraceHold implements Hold {
  time: number
  readonly name: string
  private readonly holds: Set<TraceHold>

  constructor(holds: Set<TraceHold>, time: number, name: string) {
    this.holds = holds
    this.time = time
    this.name = name
  }

  downgrade(time: number): void {
    if (time < this.time) invariant(false, `hold ${this.name} goes back from ${this.time} to ${time}`)
    this.time = time
  }

  release(): void {
    this.holds.delete(this)
  }
}
