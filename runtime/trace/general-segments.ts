/**
 * The content of a general trace: per key id a segment of (value id, time id, difference) triples.
 *
 * A key's record is four ints. Up to one triple is inline: length, value, time, difference. Else: length and
 * size class, offset into a pool, and two borders: triples before `settled` have times that stand for the past, those
 * before `clean` are consolidated. Appending is O(1); a segment is consolidated when it is full, and, after its new
 * times have been replaced by the ones that stand for them, when a third of it is not consolidated.
 * Cost per change: one cache miss for the record, one for the segment.
 * Source: an LSM-like log per key in place of the batch spine of differential dataflow, since iteration reads single keys.
 */
import { grown, powerOfTwo } from '../data/batch.ts'
import { MillraceError } from '../error.ts'
import type { TimeTable } from '../time/time-table.ts'
import { consolidateTriples } from './consolidate-triples.ts'

export const GENERAL_LENGTH_MASK = 0x3ffffff
export const GENERAL_CLASS_SHIFT = 27
const TOUCHED = 1 << 26
const CLASSES = 26
/** Segments up to this length are always consolidated. */
const SHORT = 8
/** Keys a call, as in `TimeCounts`. */
const SETTLED_KEYS = 1 << 10

export class GeneralSegments {
  /** Four ints a key id. */
  records: Int32Array
  /** Triples of (value id, time id, difference). */
  pool = new Int32Array(1 << 12)
  capacity: number
  private top = 0
  private readonly free = new Int32Array(CLASSES).fill(-1)
  /** Keys with times that do not stand for the past yet. */
  private touched = new Int32Array(64)
  private touchedCount = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.records = new Int32Array(4 * capacity)
  }

  get bytes(): number {
    return this.records.byteLength + this.pool.byteLength + this.touched.byteLength
  }

  grow(capacity: number): void {
    if (capacity <= this.capacity) return
    this.capacity = capacity
    this.records = grown(this.records, 4 * capacity)
  }

  /** Adds each row's difference to (key id, value id) at its time: `times[i]`, or `time` where that is null. */
  append(keys: Int32Array, values: Int32Array, times: Int32Array | null, time: number, differences: Int32Array, n: number): void {
    for (let i = 0; i < n; i++) this.add(keys[i], values[i], times === null ? time : times[i], differences[i])
  }

  add(key: number, value: number, time: number, difference: number): void {
    if (difference === 0) return
    const { records } = this
    const record = key << 2
    const meta = records[record]
    if ((meta & TOUCHED) === 0) {
      this.touch(key)
      records[record] = meta | TOUCHED
    }
    const length = meta & GENERAL_LENGTH_MASK
    const sizeClass = meta >>> GENERAL_CLASS_SHIFT
    if (sizeClass === 0) {
      if (length === 0) {
        records[record + 1] = value
        records[record + 2] = time
        records[record + 3] = difference
        records[record] = 1 | TOUCHED
        return
      }
      if (records[record + 1] === value && records[record + 2] === time) {
        const sum = addDifferences(records[record + 3], difference)
        records[record + 3] = sum
        records[record] = (sum === 0 ? 0 : 1) | TOUCHED
        return
      }
      this.spill(record)
      this.add(key, value, time, difference)
      return
    }
    if (length === 1 << sizeClass) {
      this.makeRoom(record)
      this.add(key, value, time, difference)
      return
    }
    const at = records[record + 1] + 3 * length
    const { pool } = this
    pool[at] = value
    pool[at + 1] = time
    pool[at + 2] = difference
    records[record] = (meta | TOUCHED) + 1
  }

  /** In every key that was touched, replaces times with an outer time up to `outer`, and consolidates where it pays. */
  compact(outer: number, times: TimeTable): void {
    this.touchedCount = this.settleAll(outer, times)
    if (this.touchedCount === 0 && this.touched.length > 1 << 16) this.touched = new Int32Array(64)
  }

  /** Triples under a key. */
  lengthOf(key: number): number {
    return key < this.capacity ? this.records[key << 2] & GENERAL_LENGTH_MASK : 0
  }

  /** Whether all times of a key stand for the past. */
  isSettled(key: number): boolean {
    return key >= this.capacity || (this.records[key << 2] & TOUCHED) === 0
  }

  /** Forgets a key that is settled. */
  drop(key: number): void {
    const { records } = this
    const record = key << 2
    const sizeClass = records[record] >>> GENERAL_CLASS_SHIFT
    if (sizeClass > 0) this.giveBack(records[record + 1], sizeClass)
    records[record] = 0
  }

  forEach(key: number, visit: (value: number, time: number, difference: number) => void): void {
    const length = this.lengthOf(key)
    const record = key << 2
    const inline = this.records[record] >>> GENERAL_CLASS_SHIFT === 0
    const array = inline ? this.records : this.pool
    let p = inline ? record + 1 : this.records[record + 1]
    for (const end = p + 3 * length; p < end; p += 3) visit(array[p], array[p + 1], array[p + 2])
  }

  private touch(key: number): void {
    if (this.touchedCount === this.touched.length) this.touched = grown(this.touched, 2 * this.touchedCount)
    this.touched[this.touchedCount++] = key
  }

  /** Returns how many keys stay touched. */
  private settleAll(outer: number, times: TimeTable): number {
    const { touchedCount } = this
    let kept = 0
    for (let from = 0; from < touchedCount; from += SETTLED_KEYS)
      kept = this.settleSome(from, Math.min(touchedCount, from + SETTLED_KEYS), kept, outer, times)
    return kept
  }

  private settleSome(from: number, to: number, keptBefore: number, outer: number, times: TimeTable): number {
    const { touched } = this
    let kept = keptBefore
    for (let i = from; i < to; i++) {
      const key = touched[i]
      touched[kept] = key
      kept += this.settle(key << 2, outer, times) ? 0 : 1
    }
    return kept
  }

  /** Whether all times of the key stand for the past now. */
  private settle(record: number, outer: number, times: TimeTable): boolean {
    const { records } = this
    const meta = records[record]
    const length = meta & GENERAL_LENGTH_MASK
    const sizeClass = meta >>> GENERAL_CLASS_SHIFT
    const inline = sizeClass === 0
    const array = inline ? records : this.pool
    const begin = inline ? record + 1 : records[record + 1]
    let later = 0
    for (let p = begin + (inline ? 1 : 3 * records[record + 2] + 1), end = begin + 3 * length; p < end; p += 3) {
      const time = array[p]
      const over = times.outer(time) <= outer
      array[p] = over ? times.rebase(time) : time
      later |= over ? 0 : TOUCHED
    }
    records[record] = (meta & ~TOUCHED) | later
    if (inline) return later === 0
    const loose = length - records[record + 3]
    records[record + 2] = later === 0 ? length : records[record + 2]
    if (length <= SHORT || 3 * loose >= length) this.consolidate(record)
    return later === 0
  }

  private consolidate(record: number): void {
    const { records, pool } = this
    const meta = records[record]
    const offset = records[record + 1]
    const { length, settled } = consolidateTriples(pool, offset, meta & GENERAL_LENGTH_MASK, records[record + 2])
    const sizeClass = meta >>> GENERAL_CLASS_SHIFT
    const touched = meta & TOUCHED
    if (length <= 1) {
      for (let j = 0; j < 3 * length; j++) records[record + 1 + j] = pool[offset + j]
      records[record] = length | touched
      this.giveBack(offset, sizeClass)
      return
    }
    records[record] = length | touched | (sizeClass << GENERAL_CLASS_SHIFT)
    records[record + 2] = settled
    records[record + 3] = length
    let smaller = sizeClass
    while (smaller > 1 && 4 * length <= 1 << smaller) smaller--
    if (smaller !== sizeClass) this.resize(record, smaller)
  }

  /** A full segment: consolidated if it has doubled since, and moved to a larger one if that freed too little. */
  private makeRoom(record: number): void {
    const { records } = this
    const length = records[record] & GENERAL_LENGTH_MASK
    if (2 * records[record + 3] <= length) this.consolidate(record)
    const meta = records[record]
    const sizeClass = meta >>> GENERAL_CLASS_SHIFT
    if (sizeClass === 0 || 4 * (meta & GENERAL_LENGTH_MASK) <= 3 * (1 << sizeClass)) return
    if (sizeClass + 1 >= CLASSES) throw new MillraceError('OVERFLOW', 'a key has more than 2^25 rows in a loop on one worker')
    this.resize(record, sizeClass + 1)
  }

  private spill(record: number): void {
    const offset = this.allocate(1)
    const { records, pool } = this
    pool[offset] = records[record + 1]
    pool[offset + 1] = records[record + 2]
    pool[offset + 2] = records[record + 3]
    records[record] = 1 | TOUCHED | (1 << GENERAL_CLASS_SHIFT)
    records[record + 1] = offset
    // The one triple may have been settled; to take it for unsettled only costs another look.
    records[record + 2] = 0
    records[record + 3] = 1
  }

  private resize(record: number, to: number): void {
    const { records } = this
    const meta = records[record]
    const offset = records[record + 1]
    const length = meta & GENERAL_LENGTH_MASK
    const target = this.allocate(to)
    const { pool } = this
    for (let j = 0; j < 3 * length; j++) pool[target + j] = pool[offset + j]
    this.giveBack(offset, meta >>> GENERAL_CLASS_SHIFT)
    records[record] = length | (meta & TOUCHED) | (to << GENERAL_CLASS_SHIFT)
    records[record + 1] = target
  }

  private allocate(sizeClass: number): number {
    const reused = this.free[sizeClass]
    if (reused >= 0) {
      this.free[sizeClass] = this.pool[reused]
      return reused
    }
    const offset = this.top
    this.top = offset + 3 * (1 << sizeClass)
    if (this.top > this.pool.length) this.pool = grown(this.pool, powerOfTwo(this.top))
    return offset
  }

  private giveBack(offset: number, sizeClass: number): void {
    this.pool[offset] = this.free[sizeClass]
    this.free[sizeClass] = offset
  }
}

export function addDifferences(a: number, b: number): number {
  const sum = a + b
  if (sum !== (sum | 0))
    throw new MillraceError('OVERFLOW', 'the multiplicity of a row left the range of int32', 'Sum such rows with a column instead.')
  return sum
}
