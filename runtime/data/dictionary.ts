/**
 * Interning: strings to dense int32 ids from 1, one dictionary a worker, reclaimed by mark and sweep.
 *
 * Strings of up to 12 Latin-1 characters are packed into three words of an open-addressing table (exact compare in
 * one cache line, no hash from the JavaScript engine needed); longer or other strings go through a Map. An id is
 * meaningful only inside its worker and only while something marks it: whatever sorts or hashes looks at the content.
 */
import { MillraceError } from '../error.ts'

/** Longest string that is packed into a table entry; the length takes 4 bits, so this can't pass 15. */
const PACKED_LENGTH = 12
const ID_BITS = 28
const ID_MASK = (1 << ID_BITS) - 1
const INITIAL_SLOTS = 1 << 11
/** Below this many live strings, or bytes, a collection is not worth its work. */
const COLLECT_FLOOR_STRINGS = 1 << 16
const COLLECT_FLOOR_BYTES = 1 << 26
/** Rough cost of a string object and its slot beyond its characters. */
const STRING_OVERHEAD_BYTES = 24
/** Rough cost of an entry of the Map. */
const MAP_ENTRY_BYTES = 40

export class Dictionary {
  /** The string of each id; undefined for 0 and for freed ids. Generated readers index it directly. */
  readonly strings: readonly (string | undefined)[]
  /** Strings that have an id now. */
  live = 0
  /** Completed sweeps: whoever caches by id drops the cache when this changes. */
  sweeps = 0
  private readonly content: (string | undefined)[] = [undefined]
  /** Entries of four words: id | length << 28, then the characters, first in the lowest byte. */
  private table = new Int32Array(4 * INITIAL_SLOTS)
  private slotMask = INITIAL_SLOTS - 1
  private packed = 0
  private readonly unpacked = new Map<string, number>()
  private readonly free: number[] = []
  /** Content hashes by id; 0 = not computed yet. */
  private hashes = new Int32Array(16)
  private marks = new Uint8Array(0)
  private marking = false
  private characters = 0
  private liveAfterSweep = 0
  private bytesAfterSweep = 0

  constructor() {
    this.strings = this.content
  }

  /**
   * The id of a string, at least 1; a new one when the string is new.
   * @throws MillraceError COLUMN_TYPE when it has a lone surrogate.
   */
  intern(s: string): number {
    const length = s.length
    if (length > PACKED_LENGTH) return this.internUnpacked(s)
    let a = 0
    let b = 0
    let c = 0
    let all = 0
    let j = 0
    for (; j < length && j < 4; j++) {
      const unit = s.charCodeAt(j)
      all |= unit
      a |= unit << (j << 3)
    }
    for (; j < length && j < 8; j++) {
      const unit = s.charCodeAt(j)
      all |= unit
      b |= unit << (j << 3)
    }
    for (; j < length; j++) {
      const unit = s.charCodeAt(j)
      all |= unit
      c |= unit << (j << 3)
    }
    if (all > 255) return this.internUnpacked(s)
    const table = this.table
    const wordMask = (this.slotMask << 2) | 3
    let slot = (hashPacked(length, a, b, c) & this.slotMask) << 2
    for (;;) {
      const entry = table[slot]
      if (entry === 0) break
      if (table[slot + 1] === a && table[slot + 2] === b && table[slot + 3] === c && entry >>> ID_BITS === length) {
        const id = entry & ID_MASK
        if (this.marking) this.mark(id)
        return id
      }
      slot = (slot + 4) & wordMask
    }
    const id = this.add(s)
    table[slot] = id | (length << ID_BITS)
    table[slot + 1] = a
    table[slot + 2] = b
    table[slot + 3] = c
    if (++this.packed * 2 > this.slotMask) this.rebuild(2 * (this.slotMask + 1), null)
    return id
  }

  /** The id of a string that has one, else -1, which equals no row's id; never adds anything. */
  find(s: string): number {
    const words = packedWords(s)
    if (words === null) return this.found(this.unpacked.get(s))
    const [a, b, c] = words as unknown as [number, number, number]
    const table = this.table
    const wordMask = (this.slotMask << 2) | 3
    let slot = (hashPacked(s.length, a, b, c) & this.slotMask) << 2
    for (;;) {
      const entry = table[slot] as number
      if (entry === 0) return -1
      if (table[slot + 1] === a && table[slot + 2] === b && table[slot + 3] === c && entry >>> ID_BITS === s.length) {
        return this.found(entry & ID_MASK)
      }
      slot = (slot + 4) & wordMask
    }
  }

  /** The string of an id. */
  get(id: number): string {
    const s = this.content[id]
    if (s === undefined) throw new MillraceError('INVARIANT', `invariant broken: no string has id ${id}`)
    return s
  }

  /** Hash of an id's content: uint32, the same on every worker and in every version with the same HASH_VERSION. */
  contentHash(id: number): number {
    const cached = id < this.hashes.length ? (this.hashes[id] as number) : 0
    if (cached !== 0) return cached >>> 0
    if (id <= 0) return 0
    if (id >= this.hashes.length) {
      const hashes = new Int32Array(Math.max(2 * this.hashes.length, this.content.length + 16))
      hashes.set(this.hashes)
      this.hashes = hashes
    }
    const hash = hashString(this.get(id))
    this.hashes[id] = hash
    return hash >>> 0
  }

  /** Starts a collection: nothing is marked. Strings interned from here on count as marked. */
  beginMark(): void {
    if (this.marks.length < this.content.length) this.marks = new Uint8Array(2 * this.content.length)
    else this.marks.fill(0)
    this.marking = true
  }

  /** Keeps an id through the next sweep; 0 and negative numbers are ignored. */
  mark(id: number): void {
    if (id >= this.marks.length) {
      const marks = new Uint8Array(2 * id + 16)
      marks.set(this.marks)
      this.marks = marks
    }
    this.marks[id] = 1
  }

  /** Ends a collection: frees all ids not marked since `beginMark`, and returns how many. `freed` hears of each. */
  sweep(freed?: (id: number) => void): number {
    if (!this.marking) throw new MillraceError('INVARIANT', 'invariant broken: sweep without beginMark')
    this.marking = false
    const { content, marks, free, hashes } = this
    for (const [s, id] of this.unpacked) if (marks[id] !== 1) this.unpacked.delete(s)
    const keptUnpacked = this.unpacked.size
    let count = 0
    for (let id = content.length - 1; id > 0; id--) {
      const s = content[id]
      if (s === undefined || marks[id] === 1) continue
      content[id] = undefined
      if (id < hashes.length) hashes[id] = 0
      this.characters -= s.length
      free.push(id)
      count++
      freed?.(id)
    }
    this.live -= count
    const keptPacked = this.live - keptUnpacked
    let slots = INITIAL_SLOTS
    while (keptPacked * 2 > slots - 1) slots *= 2
    if (count > 0) this.rebuild(slots, marks)
    this.sweeps++
    this.liveAfterSweep = this.live
    this.bytesAfterSweep = this.bytes
    this.marks = new Uint8Array(0)
    return count
  }

  /** Whether the strings, or their bytes, have doubled since the last sweep. */
  shouldCollect(): boolean {
    return (
      this.live >= Math.max(COLLECT_FLOOR_STRINGS, 2 * this.liveAfterSweep) ||
      this.bytes >= Math.max(COLLECT_FLOOR_BYTES, 2 * this.bytesAfterSweep)
    )
  }

  /** Estimate of the memory held, in bytes. */
  get bytes(): number {
    return (
      4 * this.table.length +
      4 * this.hashes.length +
      8 * (this.content.length + this.free.length) +
      MAP_ENTRY_BYTES * this.unpacked.size +
      STRING_OVERHEAD_BYTES * this.live +
      this.characters
    )
  }

  private found(id: number | undefined): number {
    if (id === undefined) return -1
    if (this.marking) this.mark(id)
    return id
  }

  private internUnpacked(s: string): number {
    let id = this.unpacked.get(s)
    if (id === undefined) {
      checkWellFormed(s)
      id = this.add(s)
      this.unpacked.set(s, id)
    } else if (this.marking) this.mark(id)
    return id
  }

  private add(s: string): number {
    let id = this.free.pop()
    if (id === undefined) {
      id = this.content.length
      if (id > ID_MASK) {
        throw new MillraceError(
          'OVERFLOW',
          `more than ${ID_MASK} different strings are live on one worker`,
          'Spread the data over more workers, or drop columns of unique text that nothing reads.',
        )
      }
      this.content.push(s)
    } else this.content[id] = s
    this.live++
    this.characters += s.length
    if (this.marking) this.mark(id)
    return id
  }

  /** Moves the entries into a table of `slots`; with `keep`, only those whose id is kept. */
  private rebuild(slots: number, keep: Uint8Array | null): void {
    const old = this.table
    const mask = slots - 1
    const wordMask = (mask << 2) | 3
    const table = new Int32Array(4 * slots)
    let kept = 0
    for (let from = 0; from < old.length; from += 4) {
      const entry = old[from] as number
      if (entry === 0 || (keep !== null && keep[entry & ID_MASK] !== 1)) continue
      const a = old[from + 1] as number
      const b = old[from + 2] as number
      const c = old[from + 3] as number
      let slot = (hashPacked(entry >>> ID_BITS, a, b, c) & mask) << 2
      while (table[slot] !== 0) slot = (slot + 4) & wordMask
      table[slot] = entry
      table[slot + 1] = a
      table[slot + 2] = b
      table[slot + 3] = c
      kept++
    }
    this.table = table
    this.slotMask = mask
    this.packed = kept
  }
}

function hashPacked(length: number, a: number, b: number, c: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b ^ length, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ c
  h = Math.imul(h ^ (h >>> 16), 0x297a2d39)
  return h ^ (h >>> 15)
}

function packedWords(s: string): Int32Array | null {
  if (s.length > PACKED_LENGTH) return null
  const words = new Int32Array(3)
  for (let j = 0; j < s.length; j++) {
    const unit = s.charCodeAt(j)
    if (unit > 255) return null
    words[j >> 2] = (words[j >> 2] as number) | (unit << (j << 3))
  }
  return words
}

/** Murmur3 (32 bit) over pairs of UTF-16 units, never 0. Part of the content hash: a change needs a new HASH_VERSION. */
export function hashString(s: string): number {
  const length = s.length
  let h = 0x4d696c6c
  for (let j = 0; j < length; j += 2) {
    let k = s.charCodeAt(j)
    if (j + 1 < length) k |= s.charCodeAt(j + 1) << 16
    k = Math.imul(k, 0xcc9e2d51)
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    h ^= k
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
  }
  h ^= length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  h ^= h >>> 16
  return h === 0 ? 1 : h
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** @throws MillraceError COLUMN_TYPE when the string has a lone surrogate. */
export function checkWellFormed(s: string): void {
  const native = (s as { isWellFormed?: () => boolean }).isWellFormed
  if (native === undefined ? !LONE_SURROGATE.test(s) : native.call(s)) return
  throw new MillraceError(
    'COLUMN_TYPE',
    `the string ${JSON.stringify(s.length > 60 ? `${s.slice(0, 60)}...` : s)} has a lone surrogate`,
    'Text must be well-formed Unicode; String.prototype.toWellFormed() replaces lone surrogates.',
  )
}

/**
 * A copy of a string that shares no memory with another. V8 keeps the whole of a text alive for a slice of 13 or more
 * characters, so whoever cuts fields out of large texts detaches them before they are interned (about 400 ns each;
 * what JSON.parse makes needs it not).
 */
export function detached(s: string): string {
  return s.length <= PACKED_LENGTH ? s : ` ${s}`.slice(1)
}
