/** A frontier under construction: minimal times as plain coordinates, before any of them is worth an id. */
import { grown } from '../data/batch.ts'

/** Numbers a time: (outer, first, second, third); coordinates beyond the depth are 0. */
export const TIME_STRIDE = 4
const INITIAL_TIMES = 4

/** A set of incomparable times of one depth, in one array, since it is read far more often than it is long. */
export class TimeAntichain {
  /** Numbers in use: the times, times the stride. */
  length = 0
  times = new Float64Array(INITIAL_TIMES * TIME_STRIDE)

  /** Adds a time unless a member is at or before it; drops the members beyond it. */
  insert(outer: number, first: number, second: number, third: number): void {
    const { times, length } = this
    for (let at = 0; at < length; at += TIME_STRIDE) {
      if (times[at] <= outer && times[at + 1] <= first && times[at + 2] <= second && times[at + 3] <= third) return
    }
    let kept = 0
    for (let at = 0; at < length; at += TIME_STRIDE) {
      if (outer <= times[at] && first <= times[at + 1] && second <= times[at + 2] && third <= times[at + 3]) continue
      if (kept !== at) times.copyWithin(kept, at, at + TIME_STRIDE)
      kept += TIME_STRIDE
    }
    if (kept === times.length) this.times = grown(times, kept * 2)
    const target = this.times
    target[kept] = outer
    target[kept + 1] = first
    target[kept + 2] = second
    target[kept + 3] = third
    this.length = kept + TIME_STRIDE
  }

  /** Whether a member is at or before the time. */
  lessEqual(outer: number, first: number, second: number, third: number): boolean {
    const { times, length } = this
    for (let at = 0; at < length; at += TIME_STRIDE) {
      if (times[at] <= outer && times[at + 1] <= first && times[at + 2] <= second && times[at + 3] <= third) return true
    }
    return false
  }

  /** Equal as sets: nearly always in the same order; else each member of both is at or beyond one of the other. */
  equals(other: TimeAntichain): boolean {
    if (this.length !== other.length) return false
    const { times, length } = this
    let at = 0
    while (at < length && times[at] === other.times[at]) at++
    return at === length || (length > TIME_STRIDE && this.covers(other) && other.covers(this))
  }

  private covers({ times, length }: TimeAntichain): boolean {
    for (let at = 0; at < length; at += TIME_STRIDE) {
      if (!this.lessEqual(times[at], times[at + 1], times[at + 2], times[at + 3])) return false
    }
    return true
  }
}
