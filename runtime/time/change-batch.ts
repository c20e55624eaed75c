/** Accumulated changes of counts: (time, delta) pairs, as `ChangeBatch` of timely dataflow. */

const INITIAL_CHANGES = 8
/** Gaps of the Shell sort (Ciura 2001), largest first; beyond the last it is an insertion sort. */
const GAPS = [1750, 701, 301, 132, 57, 23, 10, 4, 1]

/**
 * Times are outer times or time ids: any numbers with ===. Changes are appended; pairs of one time are summed, and
 * zero sums dropped, only when the batch has doubled since the last time or somebody looks.
 */
export class ChangeBatch {
  private times = new Float64Array(INITIAL_CHANGES)
  private deltas = new Float64Array(INITIAL_CHANGES)
  private count = 0
  /** The first `clean` pairs have distinct times in ascending order and no zero. */
  private clean = 0

  update(time: number, delta: number): void {
    if (delta === 0) return
    if (this.count === this.times.length) this.makeRoom()
    this.times[this.count] = time
    this.deltas[this.count] = delta
    this.count++
  }

  /** Different times with a net change. */
  get size(): number {
    this.compact()
    return this.count
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  /** The time of a pair below `size`, in ascending order; only valid until the next update. */
  timeAt(position: number): number {
    return this.times[position]
  }

  deltaAt(position: number): number {
    return this.deltas[position]
  }

  clear(): void {
    this.count = 0
    this.clean = 0
  }

  private compact(): void {
    if (this.clean === this.count) return
    sortByTime(this.times, this.deltas, this.count)
    const { times, deltas, count } = this
    let kept = 0
    for (let from = 0; from < count; ) {
      const time = times[from]
      let delta = 0
      for (; from < count && times[from] === time; from++) delta += deltas[from]
      if (delta === 0) continue
      times[kept] = time
      deltas[kept++] = delta
    }
    this.count = this.clean = kept
  }

  private makeRoom(): void {
    this.compact()
    if (this.count * 2 <= this.times.length) return
    const { times, deltas } = this
    this.times = new Float64Array(times.length * 2)
    this.deltas = new Float64Array(times.length * 2)
    this.times.set(times)
    this.deltas.set(deltas)
  }
}

function sortByTime(times: Float64Array, deltas: Float64Array, count: number): void {
  for (let g = 0; g < GAPS.length; g++) {
    const gap = GAPS[g]
    for (let i = gap; i < count; i++) {
      const time = times[i]
      const delta = deltas[i]
      let to = i
      for (; to >= gap && times[to - gap] > time; to -= gap) {
        times[to] = times[to - gap]
        deltas[to] = deltas[to - gap]
      }
      times[to] = time
      deltas[to] = delta
    }
  }
}
