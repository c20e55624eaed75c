/**
 * The head of a total trace: per key id a multiset of value ids with differences, always consolidated.
 *
 * A key's record is four ints: length and class, then up to three value ids of difference 1 inline. Anything
 * else moves to a segment of (value id, difference) pairs in a pool: power-of-two size classes with free lists. Up
 * to class 7 a segment is scanned; from class 8 (128 pairs) it is an open-addressing hash table.
 * Cost per change: one cache miss for the record, one more for the segment; O(1) for any number of values.
 */
import { grown, powerOfTwo } from '../data/batch.ts'
import { MillraceError } from '../error.ts'

export const LENGTH_MASK = 0x7ffffff
export const CLASS_SHIFT = 27
/** Segments of this class and above are hash tables. */
export const HASHED_CLASS = 8
const INLINE = 3
/** A record with one of these bits has its values in a segment. Its sign says nothing: classes from 16 on set the highest bit. */
const NOT_INLINE = ~INLINE
const FIRST_CLASS = 3
const CLASSES = 32
/** Most words of the pool: an offset is an int32. */
const POOL_WORDS = 2 ** 31 - 1

export class Segments {
  /** Four ints a key id. */
  records: Int32Array
  /** Pairs of (value id, difference). */
  pool = new Int32Array(1 << 12)
  capacity: number
  /** (key, value) pairs with a negative difference. */
  negatives = 0
  private top = 2
  private readonly free = new Int32Array(CLASSES).fill(-1)

  constructor(capacity: number) {
    this.capacity = capacity
    this.records = new Int32Array(4 * capacity)
  }

  get bytes(): number {
    return this.records.byteLength + this.pool.byteLength
  }

  grow(capacity: number): void {
    if (capacity <= this.capacity) return
    this.capacity = capacity
    this.records = grown(this.records, 4 * capacity)
  }

  /** Adds the difference of each row to (key id, value id). */
  apply(keys: Int32Array, values: Int32Array, differences: Int32Array, n: number): void {
    const records = this.records
    for (let i = 0; i < n; i++) {
      const record = (keys[i] as number) << 2
      const value = values[i] as number
      const difference = differences[i] as number
      const length = records[record] as number
      if ((length & NOT_INLINE) !== 0) {
        this.applyFar(record, value, difference)
        continue
      }
      let p = record + 1
      const end = p + length
      while (p < end && records[p] !== value) p++
      if (p === end) {
        if (difference === 1 && length < INLINE) {
          records[p] = value
          records[record] = length + 1
        } else if (difference !== 0) {
          this.spill(record)
          this.applyFar(record, value, difference)
        }
      } else if (difference === -1) {
        records[p] = records[end - 1] as number
        records[record] = length - 1
      } else if (difference !== 0) {
        this.spill(record)
        this.applyFar(record, value, difference)
      }
    }
  }

  private applyFar(record: number, value: number, difference: number): void {
    const meta = this.records[record] as number
    const sizeClass = meta >>> CLASS_SHIFT
    if (sizeClass >= HASHED_CLASS) {
      this.applyHashed(record, value, difference, sizeClass)
      return
    }
    const pool = this.pool
    const length = meta & LENGTH_MASK
    const offset = this.records[record + 1] as number
    let p = offset
    const end = offset + 2 * length
    while (p < end && pool[p] !== value) p += 2
    if (p === end) {
      if (difference === 0) return
      if (length === 1 << (sizeClass - 1)) {
        this.resize(record, sizeClass, sizeClass + 1)
        this.applyFar(record, value, difference)
        return
      }
      pool[p] = value
      pool[p + 1] = difference
      if (difference < 0) this.negatives++
      this.records[record] = meta + 1
      return
    }
    const was = pool[p + 1]
    const sum = addDifference(was, difference)
    if (was < 0) this.negatives--
    if (sum < 0) this.negatives++
    if (sum !== 0) {
      pool[p + 1] = sum
      if (sum === 1 && length <= INLINE) this.unspill(record)
      return
    }
    pool[p] = pool[end - 2] as number
    pool[p + 1] = pool[end - 1] as number
    this.records[record] = meta - 1
    const rest = length - 1
    if (rest <= INLINE) this.unspill(record)
    else if (sizeClass > FIRST_CLASS && rest <= 1 << (sizeClass - 3)) this.resize(record, sizeClass, sizeClass - 1)
  }

  private applyHashed(record: number, value: number, difference: number, sizeClass: number): void {
    const { pool, records } = this
    const offset = records[record + 1] as number
    const mask = (1 << (sizeClass - 1)) - 1
    const length = (records[record] as number) & LENGTH_MASK
    let q = hashWord(value) & mask
    while (pool[offset + 2 * q + 1] !== 0 && pool[offset + 2 * q] !== value) q = (q + 1) & mask
    const present = pool[offset + 2 * q + 1] as number
    if (present === 0) {
      if (difference === 0) return
      pool[offset + 2 * q] = value
      pool[offset + 2 * q + 1] = difference
      if (difference < 0) this.negatives++
      records[record] = (records[record] as number) + 1
      if (2 * (length + 1) > mask + 1) this.resize(record, sizeClass, sizeClass + 1)
      return
    }
    const sum = addDifference(present, difference)
    if (present < 0) this.negatives--
    if (sum < 0) this.negatives++
    if (sum !== 0) {
      pool[offset + 2 * q + 1] = sum
      return
    }
    let hole = q
    let j = q
    for (;;) {
      j = (j + 1) & mask
      if (pool[offset + 2 * j + 1] === 0) break
      const home = hashWord(pool[offset + 2 * j] as number) & mask
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        pool[offset + 2 * hole] = pool[offset + 2 * j] as number
        pool[offset + 2 * hole + 1] = pool[offset + 2 * j + 1] as number
        hole = j
      }
    }
    pool[offset + 2 * hole + 1] = 0
    records[record] = (records[record] as number) - 1
    if (8 * (length - 1) < mask + 1) this.resize(record, sizeClass, sizeClass - 1)
  }

  /** Moves the inline values of a key to a segment. */
  private spill(record: number): void {
    const offset = this.allocate(FIRST_CLASS)
    const { records, pool } = this
    const length = records[record] as number
    for (let j = 0; j < length; j++) {
      pool[offset + 2 * j] = records[record + 1 + j] as number
      pool[offset + 2 * j + 1] = 1
    }
    records[record + 1] = offset
    records[record] = length | (FIRST_CLASS << CLASS_SHIFT)
  }

  /** Moves a short segment back inline if all its differences are 1. */
  private unspill(record: number): void {
    const { records, pool } = this
    const meta = records[record] as number
    const offset = records[record + 1] as number
    const length = meta & LENGTH_MASK
    for (let j = 0; j < length; j++) if (pool[offset + 2 * j + 1] !== 1) return
    for (let j = 0; j < length; j++) records[record + 1 + j] = pool[offset + 2 * j] as number
    this.giveBack(offset, meta >>> CLASS_SHIFT)
    records[record] = length
  }

  private resize(record: number, from: number, to: number): void {
    const { records } = this
    const offset = records[record + 1] as number
    const length = (records[record] as number) & LENGTH_MASK
    const target = this.allocate(to)
    const pool = this.pool
    if (to >= HASHED_CLASS) {
      const size = 1 << (to - 1)
      pool.fill(0, target, target + 2 * size)
      const end = from >= HASHED_CLASS ? offset + (2 << (from - 1)) : offset + 2 * length
      for (let p = offset; p < end; p += 2) {
        if (pool[p + 1] === 0) continue
        let q = hashWord(pool[p] as number) & (size - 1)
        while (pool[target + 2 * q + 1] !== 0) q = (q + 1) & (size - 1)
        pool[target + 2 * q] = pool[p] as number
        pool[target + 2 * q + 1] = pool[p + 1] as number
      }
    } else if (from >= HASHED_CLASS) {
      let next = target
      for (let p = offset, end = offset + (2 << (from - 1)); p < end; p += 2) {
        if (pool[p + 1] === 0) continue
        pool[next] = pool[p] as number
        pool[next + 1] = pool[p + 1] as number
        next += 2
      }
    } else for (let j = 0; j < 2 * length; j++) pool[target + j] = pool[offset + j] as number
    this.giveBack(offset, from)
    records[record + 1] = target
    records[record] = length | (to << CLASS_SHIFT)
  }

  private allocate(sizeClass: number): number {
    const reused = this.free[sizeClass] as number
    if (reused >= 0) {
      this.free[sizeClass] = this.pool[reused] as number
      return reused
    }
    const size = 2 ** sizeClass
    const offset = this.top
    if (offset + size > POOL_WORDS)
      throw new MillraceError(
        'OVERFLOW',
        'the keys of an arrangement have more values than one worker can hold',
        'Spread the data over more workers.',
      )
    if (offset + size > this.pool.length) this.pool = grown(this.pool, Math.max(this.pool.length * 2, powerOfTwo(offset + size)))
    this.top = offset + size
    return offset
  }

  private giveBack(offset: number, sizeClass: number): void {
    this.pool[offset] = this.free[sizeClass] as number
    this.free[sizeClass] = offset
  }

  /** Values with a non-zero difference under a key. */
  lengthOf(key: number): number {
    return key < this.capacity ? (this.records[key << 2] as number) & LENGTH_MASK : 0
  }

  /** Calls `visit(value id, difference)` for each value of a key. For cold paths. */
  forEach(key: number, visit: (value: number, difference: number) => void): void {
    if (key < 0 || key >= this.capacity) return
    const meta = this.records[key << 2] as number
    const sizeClass = meta >>> CLASS_SHIFT
    if (sizeClass === 0) {
      for (let p = (key << 2) + 1, end = p + meta; p < end; p++) visit(this.records[p] as number, 1)
      return
    }
    const offset = this.records[(key << 2) + 1] as number
    const pairs = sizeClass < HASHED_CLASS ? meta & LENGTH_MASK : 1 << (sizeClass - 1)
    for (let p = offset, end = offset + 2 * pairs; p < end; p += 2) {
      const difference = this.pool[p + 1] as number
      if (difference !== 0) visit(this.pool[p] as number, difference)
    }
  }

  /** Forgets a key's values. */
  drop(key: number): void {
    if (this.negatives > 0)
      this.forEach(key, (_, difference) => {
        if (difference < 0) this.negatives--
      })
    const record = key << 2
    const meta = this.records[record] as number
    if (meta >>> CLASS_SHIFT !== 0) this.giveBack(this.records[record + 1] as number, meta >>> CLASS_SHIFT)
    this.records[record] = 0
  }
}

function addDifference(a: number, b: number): number {
  const sum = a + b
  if (sum !== (sum | 0))
    throw new MillraceError('OVERFLOW', 'the multiplicity of a row left the range of int32', 'Sum such rows with a column instead.')
  return sum
}

export function hashWord(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
