/** Which ids belong to which outer time, so that an outer time that is over can give back its ids at once. */
import { grown } from '../data/batch.ts'

const INITIAL_OUTERS = 16

/**
 * Chains of ids, one per outer time, in ascending order of outer times. New outer times are nearly always the latest
 * and the ones released are always the earliest, so both ends are cheap: O(1) to add to the latest outer time, O(ids
 * released) to release; an outer time in the middle costs a binary search, and a move when it is new.
 */
export class OuterChains {
  private outers = new Float64Array(INITIAL_OUTERS)
  private heads = new Int32Array(INITIAL_OUTERS)
  private first = 0
  private end = 0
  /** The id after an id in its chain; 0 ends the chain. */
  private next = new Int32Array(INITIAL_OUTERS)

  /** Adds `id` (above 0) to the chain of `outer`. */
  add(outer: number, id: number): void {
    if (id >= this.next.length) this.next = grown(this.next, this.next.length * 2 > id ? this.next.length * 2 : id + 1)
    let at = this.end - 1
    if (at < this.first || this.outers[at] !== outer) {
      at = this.position(outer)
      if (at === this.end || this.outers[at] !== outer) at = this.open(at, outer)
    }
    this.next[id] = this.heads[at]
    this.heads[at] = id
  }

  /** Takes the earliest outer time if it is at most `bound`: the first id of its chain, or 0. */
  takeFirst(bound: number): number {
    if (this.first === this.end || this.outers[this.first] > bound) return 0
    const head = this.heads[this.first++]
    if (this.first === this.end) this.first = this.end = 0
    return head
  }

  after(id: number): number {
    return this.next[id]
  }

  /** The first position whose outer time is at least `outer`. */
  private position(outer: number): number {
    let low = this.first
    let high = this.end
    if (low === high || this.outers[high - 1] < outer) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.outers[middle] < outer) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Opens an empty chain before position `at`; returns its position. */
  private open(at: number, outer: number): number {
    if (this.end === this.outers.length) at = this.makeRoom(at)
    this.outers.copyWithin(at + 1, at, this.end)
    this.heads.copyWithin(at + 1, at, this.end)
    this.end++
    this.outers[at] = outer
    this.heads[at] = 0
    return at
  }

  /** Moves everything to the front, or doubles the space where that would gain little; returns the moved position. */
  private makeRoom(at: number): number {
    const { first, end } = this
    if (first * 2 < this.outers.length) {
      this.outers = grown(this.outers, this.outers.length * 2)
      this.heads = grown(this.heads, this.heads.length * 2)
      return at
    }
    this.outers.copyWithin(0, first, end)
    this.heads.copyWithin(0, first, end)
    this.first = 0
    this.end = end - first
    return at - first
  }
}
