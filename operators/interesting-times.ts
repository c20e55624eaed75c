/**
 * The times at which a key's result can change because its input changed at one time: the joins of that time with
 * all subsets of the times in the key's history (differential dataflow's `reduce`, CIDR 2013).
 */
import type { TimeTable } from '../runtime/time/time-table.ts'

/** More joins than this are not followed at once. */
const MAX_JOINS = 64

export class InterestingTimes {
  /** Joins beyond the time itself, sorted so that no later one is before an earlier one. */
  readonly found: number[] = []
  private readonly times: TimeTable

  constructor(times: TimeTable) {
    this.times = times
  }

  /**
   * Collects the joins of `time` with times of a history (times at `array[begin]`, `array[begin + stride]`, .. before `end`).
   * Returns whether these are all joins with all subsets; if false they are the joins with one of them, and following those
   * at their own turn finds the rest.
   */
  collect(time: number, array: Int32Array, begin: number, end: number, stride: number): boolean {
    const { found, times } = this
    while (found.length > 0) found.pop()
    for (let p = begin; p < end; p += stride) {
      const joined = times.join(time, array[p])
      if (joined !== time && !found.includes(joined)) found.push(joined)
    }
    const single = found.length
    this.sort()
    if (this.isChain()) return true
    for (let i = 0; i < found.length; i++) {
      for (let j = 0; j < single; j++) {
        const joined = times.join(found[i], found[j])
        if (found.includes(joined)) continue
        if (found.length === MAX_JOINS) {
          this.sort()
          return false
        }
        found.push(joined)
      }
    }
    this.sort()
    return true
  }

  private isChain(): boolean {
    const { found, times } = this
    for (let i = 1; i < found.length; i++) if (!times.lessEqual(found[i - 1], found[i])) return false
    return true
  }

  private sort(): void {
    const { found, times } = this
    for (let i = 1; i < found.length; i++) {
      const time = found[i]
      let to = i
      for (; to > 0 && times.compare(found[to - 1], time) > 0; to--) found[to] = found[to - 1]
      found[to] = time
    }
  }
}
