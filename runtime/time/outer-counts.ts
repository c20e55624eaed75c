/** Counts of outer times (plain numbers, totally ordered) and the least of those above zero. */

/** A count may be below zero for a while; only times whose count is above zero count for `least`. */
export class OuterCounts {
  /** In ascending order, without zero counts. */
  private readonly times: number[] = []
  private readonly counts: number[] = []
  /** The least time with a count above zero; Infinity if there is none. */
  least = Infinity

  /** Times with a count other than zero. */
  get size(): number {
    return this.times.length
  }

  /** Changes a count; whether `least` moved. O(log n), and a move of what is later where a time is new or gone. */
  update(time: number, delta: number): boolean {
    if (delta === 0) return false
    const { times, counts } = this
    const at = this.position(time)
    if (at < times.length && times[at] === time) {
      counts[at] += delta
      if (counts[at] === 0) {
        times.splice(at, 1)
        counts.splice(at, 1)
      }
    } else if (at === times.length) {
      times.push(time)
      counts.push(delta)
    } else {
      times.splice(at, 0, time)
      counts.splice(at, 0, delta)
    }
    if (time > this.least) return false
    const before = this.least
    let first = 0
    while (first < counts.length && counts[first] <= 0) first++
    this.least = first < times.length ? times[first] : Infinity
    return this.least !== before
  }

  /** The first position whose time is at least `time`. */
  private position(time: number): number {
    const { times } = this
    let low = 0
    let high = times.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (times[middle] < time) low = middle + 1
      else high = middle
    }
    return low
  }
}
