/** The minted times of one dataflow that are not complete yet, ascending. */
import type { MintedTimes } from '../../operators/minted-times.ts'
import { invariant } from '../../runtime/error.ts'

export class MintedList implements MintedTimes {
  /** The last one; the dataflow's `since` before the first. */
  last: number
  private readonly times: number[] = []

  constructor(since: number) {
    this.last = since
  }

  add(time: number): void {
    invariant(Number.isSafeInteger(time) && time > this.last, `time ${time} is minted after ${this.last}`)
    this.last = time
    this.times.push(time)
  }

  next(after: number, frontier: number): number {
    const time = this.times[this.countUpTo(after)]
    return time !== undefined && time < frontier ? time : Number.POSITIVE_INFINITY
  }

  /** The greatest time below a frontier that is still known, or -1. */
  completeBelow(frontier: number): number {
    const count = this.countUpTo(frontier - 1)
    return count === 0 ? -1 : this.times[count - 1]
  }

  /** What is complete at every output is behind all operators: nobody asks for it any more. */
  forget(upTo: number): void {
    this.times.splice(0, this.countUpTo(upTo))
  }

  private countUpTo(time: number): number {
    const { times } = this
    let low = 0
    let high = times.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (times[middle] <= time) low = middle + 1
      else high = middle
    }
    return low
  }
}
