/**
 * Per key id a history of two counts: triples (time id, first, second), one a time, as `distinct` needs them inside a loop (what
 * came in, what was sent out).
 *
 * A key's record is eight ints: length and size class, a word for the owner (0 at first), and up to two triples inline
 * or the offset of a segment in a pool. Always consolidated: an addition looks at all triples of its key, of
 * which there are no more than times at which the key changed.
 */
import { grown, powerOfTwo } from '../data/batch.ts'
import { MillraceError } from '../error.ts'
import type { TimeTable } from '../time/time-table.ts'
import { addDifferences } from './general-segments.ts'

export const COUNTS_LENGTH_MASK = 0x3ffffff
export const COUNTS_CLASS_SHIFT = 27
export const COUNTS_STRIDE_SHIFT = 3
const TOUCHED = 1 << 26
const INLINE = 2
const CLASSES = 26
/** Up to this many triples comparing all with all beats a map. */
const COMPARED = 64
/**
 * Keys a call. A loop that runs once, however long, is compiled without knowing what comes before and after it; one that is
 * called several times within the first load stays compiled from then on.
 */
const SETTLED_KEYS = 1 << 10

export class TimeCounts {
  /** Eight ints a key id: length and class, the owner's word, offset or inline triples. */
  records: Int32Array
  pool = new Int32Array(1 << 10)
  capacity: number
  private top = 0
  private readonly free = new Int32Array(CLASSES).fill(-1)
  private touched = new Int32Array(64)
  private touchedCount = 0
  /** Records whose segments have become too large. */
  private readonly shrunk = new Int32Array(SETTLED_KEYS)
  private shrunkCount = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.records = new Int32Array(capacity << COUNTS_STRIDE_SHIFT)
  }

  get bytes(): number {
    return this.records.byteLength + this.pool.byteLength + this.touched.byteLength
  }

  grow(capacity: number): void {
    if (capacity <= this.capacity) return
    this.capacity = capacity
    this.records = grown(this.records, capacity << COUNTS_STRIDE_SHIFT)
  }

  /** Adds to both counts of a key at a time. */
  add(key: number, time: number, first: number, second: number): void {
    const { records } = this
    const record = key << COUNTS_STRIDE_SHIFT
    let meta = records[record]
    if ((meta & TOUCHED) === 0) {
      if (this.touchedCount === this.touched.length) this.touched = grown(this.touched, 2 * this.touchedCount)
      this.touched[this.touchedCount++] = key
      meta |= TOUCHED
      records[record] = meta
    }
    const length = meta & COUNTS_LENGTH_MASK
    const sizeClass = meta >>> COUNTS_CLASS_SHIFT
    const array = sizeClass === 0 ? records : this.pool
    const begin = sizeClass === 0 ? record + 2 : records[record + 2]
    const end = begin + 3 * length
    for (let p = begin; p < end; p += 3) {
      if (array[p] !== time) continue
      array[p + 1] = addDifferences(array[p + 1], first)
      array[p + 2] = addDifferences(array[p + 2], second)
      if (array[p + 1] === 0 && array[p + 2] === 0) {
        array[p] = array[end - 3]
        array[p + 1] = array[end - 2]
        array[p + 2] = array[end - 1]
        records[record] = meta - 1
        if (sizeClass > 0 && length - 1 <= INLINE) this.bringIn(record)
      }
      return
    }
    if (length === (sizeClass === 0 ? INLINE : 1 << sizeClass)) {
      this.resize(record, sizeClass + 1)
      this.add(key, time, first, second)
      return
    }
    array[end] = time
    array[end + 1] = first
    array[end + 2] = second
    records[record] = meta + 1
  }

  /** Visits a key's triples. */
  forEach(key: number, visit: (time: number, first: number, second: number) => void): void {
    const record = key << COUNTS_STRIDE_SHIFT
    const meta = this.records[record]
    const inline = meta >>> COUNTS_CLASS_SHIFT === 0
    const array = inline ? this.records : this.pool
    const begin = inline ? record + 2 : this.records[record + 2]
    for (let p = begin, end = begin + 3 * (meta & COUNTS_LENGTH_MASK); p < end; p += 3) visit(array[p], array[p + 1], array[p + 2])
  }

  /** Marks the keys that have triples. */
  markKeys(live: Uint8Array): void {
    const { records, capacity } = this
    for (let key = 0; key < capacity; key++) if ((records[key << COUNTS_STRIDE_SHIFT] & COUNTS_LENGTH_MASK) !== 0) live[key] = 1
  }

  /** In every key that was touched, replaces times with an outer time up to `outer` by those that stand for them. */
  compact(outer: number, times: TimeTable): void {
    this.touchedCount = this.settleAll(outer, times)
    if (this.touchedCount === 0 && this.touched.length > 1 << 16) this.touched = new Int32Array(64)
  }

  /** Returns how many keys stay touched. */
  private settleAll(outer: number, times: TimeTable): number {
    const { touchedCount } = this
    let kept = 0
    for (let from = 0; from < touchedCount; from += SETTLED_KEYS) {
      kept = this.settleSome(from, Math.min(touchedCount, from + SETTLED_KEYS), kept, outer, times)
      for (let i = 0; i < this.shrunkCount; i++) this.shrink(this.shrunk[i])
      this.shrunkCount = 0
    }
    return kept
  }

  private settleSome(from: number, to: number, keptBefore: number, outer: number, times: TimeTable): number {
    const { touched } = this
    let kept = keptBefore
    for (let i = from; i < to; i++) {
      const key = touched[i]
      touched[kept] = key
      kept += this.settle(key << COUNTS_STRIDE_SHIFT, outer, times) ? 0 : 1
    }
    return kept
  }

  private settle(record: number, outer: number, times: TimeTable): boolean {
    const { records } = this
    const meta = records[record]
    const length = meta & COUNTS_LENGTH_MASK
    const sizeClass = meta >>> COUNTS_CLASS_SHIFT
    const array = sizeClass === 0 ? records : this.pool
    const begin = sizeClass === 0 ? record + 2 : records[record + 2]
    const end = begin + 3 * length
    let later = 0
    for (let p = begin; p < end; p += 3) {
      const time = array[p]
      const over = times.outer(time) <= outer
      array[p] = over ? times.rebase(time) : time
      later |= over ? 0 : TOUCHED
    }
    const left = length <= COMPARED ? sumEqualTimes(array, begin, end) : sumManyTimes(array, begin, end)
    records[record] = (sizeClass << COUNTS_CLASS_SHIFT) | left | later
    // A load makes nothing shorter: a call here would not be part of the code compiled for it.
    this.shrunk[this.shrunkCount] = record
    this.shrunkCount += (sizeClass > 0 && left <= INLINE) || (sizeClass > 2 && 4 * left <= 1 << sizeClass) ? 1 : 0
    return later === 0
  }

  private shrink(record: number): void {
    const meta = this.records[record]
    if ((meta & COUNTS_LENGTH_MASK) <= INLINE) this.bringIn(record)
    else this.resize(record, (meta >>> COUNTS_CLASS_SHIFT) - 1)
  }

  /** Moves a short segment back into its record. */
  private bringIn(record: number): void {
    const { records, pool } = this
    const meta = records[record]
    const offset = records[record + 2]
    const length = meta & COUNTS_LENGTH_MASK
    for (let j = 0; j < 3 * length; j++) records[record + 2 + j] = pool[offset + j]
    this.giveBack(offset, meta >>> COUNTS_CLASS_SHIFT)
    records[record] = length | (meta & TOUCHED)
  }

  private resize(record: number, to: number): void {
    const { records } = this
    const from = records[record] >>> COUNTS_CLASS_SHIFT
    const target = Math.max(2, to)
    if (target >= CLASSES) throw new MillraceError('OVERFLOW', 'a row has changed at more than 2^25 times in a loop')
    const offset = this.allocate(target)
    const length = records[record] & COUNTS_LENGTH_MASK
    const source = from === 0 ? records : this.pool
    const begin = from === 0 ? record + 2 : records[record + 2]
    for (let j = 0; j < 3 * length; j++) this.pool[offset + j] = source[begin + j]
    if (from > 0) this.giveBack(begin, from)
    records[record] = length | (records[record] & TOUCHED) | (target << COUNTS_CLASS_SHIFT)
    records[record + 2] = offset
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

/**
 * Sums triples of equal times in place and drops those of zero and zero; returns how many are left. Equal or not, all triples take
 * one way through the code: what a load never does is not left out when it is compiled.
 */
function sumEqualTimes(array: Int32Array, begin: number, end: number): number {
  let to = begin
  for (let p = begin; p < end; p += 3) {
    const time = array[p]
    const first = array[p + 1]
    const second = array[p + 2]
    array[to] = time
    let q = begin
    while (array[q] !== time) q += 3
    const mask = q === to ? 0 : -1
    array[q + 1] = addDifferences(array[q + 1] & mask, first)
    array[q + 2] = addDifferences(array[q + 2] & mask, second)
    to += 3 + (mask & -3)
  }
  return dropZeros(array, begin, to)
}

function sumManyTimes(array: Int32Array, begin: number, end: number): number {
  const places = new Map<number, number>() // not state: one key's triples
  let to = begin
  for (let p = begin; p < end; p += 3) {
    const time = array[p]
    const q = places.get(time) ?? to
    array[q] = time
    array[q + 1] = addDifferences(q < to ? array[q + 1] : 0, array[p + 1])
    array[q + 2] = addDifferences(q < to ? array[q + 2] : 0, array[p + 2])
    if (q < to) continue
    places.set(time, to)
    to += 3
  }
  return dropZeros(array, begin, to)
}

function dropZeros(array: Int32Array, begin: number, end: number): number {
  let kept = begin
  for (let p = begin; p < end; p += 3) {
    const first = array[p + 1]
    const second = array[p + 2]
    array[kept] = array[p]
    array[kept + 1] = first
    array[kept + 2] = second
    kept += (first | second) === 0 ? 0 : 3
  }
  return ((kept - begin) / 3) | 0
}
