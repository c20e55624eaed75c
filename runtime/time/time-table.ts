/**
 * The times of one loop region on one worker, interned to int32 ids.
 *
 * A time is a product (outer, i1, .., id) of an outer time (microseconds, or 0 for "at or before `since`") and one to
 * three loop coordinates, ordered componentwise (the product order of differential dataflow, CIDR 2013; the
 * lexicographic `compare` is a linear extension of it). Only times of one depth can be compared. Ids start at 1; two
 * times are equal exactly if their ids are; ids mean nothing to another worker or region.
 */
import { grown } from '../data/batch.ts'
import { invariant } from '../error.ts'
import { OuterChains } from './outer-chains.ts'

/** The deepest nesting of loops. */
export const MAX_DEPTH = 3

const INITIAL_IDS = 64
/** Entries of the memo of `join`: a power of two. */
const MEMO_ENTRIES = 1024
const MEMO_WORDS = 4
const TWO_TO_MINUS_32 = 2 ** -32

export class TimeTable {
  /** Columns by id. Coordinates beyond the depth are 0, so that comparing all three compares those there are. */
  private outers = new Float64Array(INITIAL_IDS)
  private depths = new Int32Array(INITIAL_IDS)
  private firsts = new Int32Array(INITIAL_IDS)
  private seconds = new Int32Array(INITIAL_IDS)
  private thirds = new Int32Array(INITIAL_IDS)
  private hashes = new Int32Array(INITIAL_IDS)
  /** The id of the same coordinates at outer time 0; 0 until somebody asked. Those ids are never released. */
  private bases = new Int32Array(INITIAL_IDS)
  private used = 1
  /** Open addressing with linear probing; 0 is an empty slot. At most half full. */
  private index = new Int32Array(INITIAL_IDS * 2)
  private free = new Int32Array(INITIAL_IDS)
  private freeCount = 0
  private readonly chains = new OuterChains()
  /** Direct mapped: (a, b, join, epoch); a release of ids starts a new epoch. */
  private readonly memo = new Int32Array(MEMO_ENTRIES * MEMO_WORDS)
  private epoch = 1

  /** Ids in use. */
  get size(): number {
    return this.used - 1 - this.freeCount
  }

  /** @param inner one to three coordinates, each a whole number from 0 */
  intern(outer: number, inner: readonly number[]): number {
    const depth = inner.length
    if (depth < 1 || depth > MAX_DEPTH) invariant(false, `a time inside a loop has 1 to ${MAX_DEPTH} coordinates, not ${depth}`)
    return this.internDepth(depth, outer, inner[0], depth > 1 ? inner[1] : 0, depth > 2 ? inner[2] : 0)
  }

  intern1(outer: number, first: number): number {
    return this.internDepth(1, outer, first, 0, 0)
  }

  intern2(outer: number, first: number, second: number): number {
    return this.internDepth(2, outer, first, second, 0)
  }

  intern3(outer: number, first: number, second: number, third: number): number {
    return this.internDepth(3, outer, first, second, third)
  }

  /** As `intern`; coordinates beyond `depth` must be 0. */
  internDepth(depth: number, outer: number, first: number, second: number, third: number): number {
    const hash = hashTime(depth, outer, first, second, third)
    const index = this.index
    const mask = index.length - 1
    let slot = hash & mask
    for (let id = index[slot]; id !== 0; id = index[slot]) {
      if (
        this.firsts[id] === first &&
        this.outers[id] === outer &&
        this.seconds[id] === second &&
        this.thirds[id] === third &&
        this.depths[id] === depth
      )
        return id
      slot = (slot + 1) & mask
    }
    return this.add(slot, hash, depth, outer, first, second, third)
  }

  outer(id: number): number {
    return this.outers[id]
  }

  depth(id: number): number {
    return this.depths[id]
  }

  /** The loop coordinate of nesting level 1, 2 or 3. */
  coordinate(id: number, level: number): number {
    return level === 1 ? this.firsts[id] : level === 2 ? this.seconds[id] : this.thirds[id]
  }

  lessEqual(a: number, b: number): boolean {
    return (
      a === b ||
      (this.outers[a] <= this.outers[b] &&
        this.firsts[a] <= this.firsts[b] &&
        this.seconds[a] <= this.seconds[b] &&
        this.thirds[a] <= this.thirds[b])
    )
  }

  /** Negative, 0 or positive: the lexicographic order, which never contradicts `lessEqual`. */
  compare(a: number, b: number): number {
    if (a === b) return 0
    const outer = this.outers[a] - this.outers[b]
    if (outer !== 0) return outer
    const first = this.firsts[a] - this.firsts[b]
    if (first !== 0) return first
    const second = this.seconds[a] - this.seconds[b]
    return second !== 0 ? second : this.thirds[a] - this.thirds[b]
  }

  /** The least time that is at or beyond both. */
  join(a: number, b: number): number {
    if (a === b) return a
    const memo = this.memo
    const at = ((Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)) >>> 22) * MEMO_WORDS
    if (memo[at] === a && memo[at + 1] === b && memo[at + 3] === this.epoch) return memo[at + 2]
    const result = this.computeJoin(a, b)
    memo[at] = a
    memo[at + 1] = b
    memo[at + 2] = result
    memo[at + 3] = this.epoch
    return result
  }

  /** The greatest time that is at or before both. */
  meet(a: number, b: number): number {
    if (this.lessEqual(a, b)) return a
    if (this.lessEqual(b, a)) return b
    return this.internDepth(
      this.depths[a],
      Math.min(this.outers[a], this.outers[b]),
      Math.min(this.firsts[a], this.firsts[b]),
      Math.min(this.seconds[a], this.seconds[b]),
      Math.min(this.thirds[a], this.thirds[b]),
    )
  }

  /** Into a nested loop: appends the coordinate 0. */
  enter(id: number): number {
    if (this.depths[id] >= MAX_DEPTH) invariant(false, `loops nest at most ${MAX_DEPTH} deep`)
    return this.internDepth(this.depths[id] + 1, this.outers[id], this.firsts[id], this.seconds[id], 0)
  }

  /** Into an outermost loop: (outer, 0). */
  enterOuter(outer: number): number {
    return this.internDepth(1, outer, 0, 0, 0)
  }

  /** Out of a loop: drops the last coordinate. From depth 1 the result is the outer time, no id. */
  leave(id: number): number {
    const depth = this.depths[id]
    if (depth === 1) return this.outers[id]
    return this.internDepth(depth - 1, this.outers[id], this.firsts[id], depth === 3 ? this.seconds[id] : 0, 0)
  }

  /** The time `by` iterations later: adds to the last coordinate. */
  increment(id: number, by = 1): number {
    const depth = this.depths[id]
    return this.internDepth(
      depth,
      this.outers[id],
      depth === 1 ? this.firsts[id] + by : this.firsts[id],
      depth === 2 ? this.seconds[id] + by : this.seconds[id],
      depth === 3 ? this.thirds[id] + by : this.thirds[id],
    )
  }

  /** The same coordinates at outer time 0: what stands for every outer time at or before `since`. */
  rebase(id: number): number {
    const known = this.bases[id]
    return known !== 0 ? known : this.findBase(id)
  }

  /** Frees every id with 0 < outer <= `outerBound` for other times. Nothing may refer to one of them any more. */
  release(outerBound: number): void {
    let head = this.chains.takeFirst(outerBound)
    if (head === 0) return
    this.epoch = (this.epoch + 1) | 0
    for (; head !== 0; head = this.chains.takeFirst(outerBound)) {
      for (let id = head; id !== 0; id = this.chains.after(id)) {
        this.unindex(id)
        this.depths[id] = 0
        this.free[this.freeCount++] = id
      }
    }
  }

  private findBase(id: number): number {
    const base = this.internDepth(this.depths[id], 0, this.firsts[id], this.seconds[id], this.thirds[id])
    this.bases[id] = base
    return base
  }

  private computeJoin(a: number, b: number): number {
    if (this.lessEqual(a, b)) return b
    if (this.lessEqual(b, a)) return a
    return this.internDepth(
      this.depths[a],
      Math.max(this.outers[a], this.outers[b]),
      Math.max(this.firsts[a], this.firsts[b]),
      Math.max(this.seconds[a], this.seconds[b]),
      Math.max(this.thirds[a], this.thirds[b]),
    )
  }

  private add(slot: number, hash: number, depth: number, outer: number, first: number, second: number, third: number): number {
    invariant((first | 0) === first && (second | 0) === second && (third | 0) === third, 'a loop coordinate is an int32')
    invariant(outer >= 0 && outer < Infinity && Math.min(first, second, third) >= 0, 'no coordinate of a time is below 0 or unbounded')
    if (this.freeCount === 0 && this.used === this.outers.length) {
      this.grow()
      slot = this.emptySlot(hash)
    }
    const id = this.freeCount > 0 ? this.free[--this.freeCount] : this.used++
    this.outers[id] = outer
    this.depths[id] = depth
    this.firsts[id] = first
    this.seconds[id] = second
    this.thirds[id] = third
    this.hashes[id] = hash
    this.bases[id] = 0
    this.index[slot] = id
    if (outer !== 0) this.chains.add(outer, id)
    return id
  }

  private emptySlot(hash: number): number {
    const mask = this.index.length - 1
    let slot = hash & mask
    while (this.index[slot] !== 0) slot = (slot + 1) & mask
    return slot
  }

  /** Takes an id out of the index and closes the gap, so that no probe ends early. */
  private unindex(id: number): void {
    const { index, hashes } = this
    const mask = index.length - 1
    let gap = hashes[id] & mask
    while (index[gap] !== id) gap = (gap + 1) & mask
    for (let slot = (gap + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashes[index[slot]] & mask
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        index[gap] = index[slot]
        gap = slot
      }
    }
    index[gap] = 0
  }

  private grow(): void {
    const capacity = this.outers.length * 2
    this.outers = grown(this.outers, capacity)
    this.depths = grown(this.depths, capacity)
    this.firsts = grown(this.firsts, capacity)
    this.seconds = grown(this.seconds, capacity)
    this.thirds = grown(this.thirds, capacity)
    this.hashes = grown(this.hashes, capacity)
    this.bases = grown(this.bases, capacity)
    this.free = grown(this.free, capacity)
    this.index = new Int32Array(capacity * 2)
    // Only a table without free ids grows, so every id is in use.
    for (let id = 1; id < this.used; id++) this.index[this.emptySlot(this.hashes[id])] = id
  }
}

function hashTime(depth: number, outer: number, first: number, second: number, third: number): number {
  let hash = Math.imul((outer | 0) ^ Math.imul((outer * TWO_TO_MINUS_32) | 0, 0x27d4eb2f), 0x9e3779b1) + depth
  hash = Math.imul(hash ^ (hash >>> 15) ^ first, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13) ^ second, 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 16) ^ third, 0x9e3779b1)
  return hash ^ (hash >>> 15)
}
