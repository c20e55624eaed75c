/** A frontier under construction: minimal times as plain coordinates, before any of them is worth an id. */
import { grown } from '../data/batch.ts'

const INITIAL_TIMES = 4

/** A set of incomparable times of one depth; coordinates beyond the depth are 0. */
export class TimeAntichain {
  size = 0
  outers = new Float64Array(INITIAL_TIMES)
  firsts = new Int32Array(INITIAL_TIMES)
  seconds = new Int32Array(INITIAL_TIMES)
  thirds = new Int32Array(INITIAL_TIMES)

  /** Adds a time unless a member is at or before it; drops the members beyond it. */
  insert(outer: number, first: number, second: number, third: number): void {
    if (this.lessEqual(outer, first, second, third)) return
    const { outers, firsts, seconds, thirds } = this
    let kept = 0
    for (let i = 0; i < this.size; i++) {
      if (outer <= outers[i] && first <= firsts[i] && second <= seconds[i] && third <= thirds[i]) continue
      outers[kept] = outers[i]
      firsts[kept] = firsts[i]
      seconds[kept] = seconds[i]
      thirds[kept++] = thirds[i]
    }
    this.size = kept
    if (kept === outers.length) this.grow()
    this.outers[kept] = outer
    this.firsts[kept] = first
    this.seconds[kept] = second
    this.thirds[kept] = third
    this.size = kept + 1
  }

  /** Whether a member is at or before the time. */
  lessEqual(outer: number, first: number, second: number, third: number): boolean {
    const { outers, firsts, seconds, thirds, size } = this
    for (let i = 0; i < size; i++) if (outers[i] <= outer && firsts[i] <= first && seconds[i] <= second && thirds[i] <= third) return true
    return false
  }

  /** Equal as sets. Of two antichains of one size, each of whose members is at or beyond one of the other's in both directions. */
  equals(other: TimeAntichain): boolean {
    return this.size === other.size && this.covers(other) && other.covers(this)
  }

  private covers(other: TimeAntichain): boolean {
    const { outers, firsts, seconds, thirds, size } = other
    for (let i = 0; i < size; i++) if (!this.lessEqual(outers[i], firsts[i], seconds[i], thirds[i])) return false
    return true
  }

  private grow(): void {
    const capacity = this.outers.length * 2
    this.outers = grown(this.outers, capacity)
    this.firsts = grown(this.firsts, capacity)
    this.seconds = grown(this.seconds, capacity)
    this.thirds = grown(this.thirds, capacity)
  }
}
