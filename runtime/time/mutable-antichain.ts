/** Counts of times and the frontier of those above zero, as `MutableAntichain` of timely dataflow. */
import { Antichain } from './antichain.ts'
import type { TimeTable } from './time-table.ts'

/** Above this many different times positions are found through a map. */
const SCANNED_TIMES = 16

/**
 * A count per time id (all of one depth). A count may be below zero for a while, when a change was seen before the
 * one that it follows; only times whose count is above zero hold the frontier.
 */
export class MutableAntichain {
  private readonly times: number[] = []
  private readonly counts: number[] = []
  private positions: Map<number, number> | null = null
  private readonly table: TimeTable
  private readonly lower: Antichain
  /** The frontier lost an element and is computed again when somebody looks. */
  private stale = false

  constructor(table: TimeTable) {
    this.table = table
    this.lower = new Antichain(table)
  }

  /** Times with a count other than zero. */
  get size(): number {
    return this.times.length
  }

  /** The minimal times with a count above zero. */
  get frontier(): Antichain {
    if (this.stale) this.rebuild()
    return this.lower
  }

  /** The least outer time with a count other than zero; Infinity without one. */
  leastOuter(): number {
    let least = Infinity
    for (let i = 0; i < this.times.length; i++) least = Math.min(least, this.table.outer(this.times[i]))
    return least
  }

  count(time: number): number {
    const at = this.position(time)
    return at < 0 ? 0 : this.counts[at]
  }

  /** Changes a count; whether that may have moved the frontier (if false, it has not). */
  update(time: number, delta: number): boolean {
    if (delta === 0) return false
    const at = this.position(time)
    const before = at < 0 ? 0 : this.counts[at]
    const after = before + delta
    if (at < 0) this.append(time, after)
    else if (after === 0) this.remove(at)
    else this.counts[at] = after
    if (before <= 0 === after <= 0) return false
    if (this.stale) return true
    if (after > 0) return this.lower.insert(time)
    this.stale = this.lower.has(time)
    return this.stale
  }

  private position(time: number): number {
    if (this.positions !== null) return this.positions.get(time) ?? -1
    const { times } = this
    for (let at = times.length - 1; at >= 0; at--) if (times[at] === time) return at
    return -1
  }

  private append(time: number, count: number): void {
    this.positions?.set(time, this.times.length)
    this.times.push(time)
    this.counts.push(count)
    if (this.positions === null && this.times.length > SCANNED_TIMES) this.positions = new Map(this.times.map((each, at) => [each, at]))
  }

  private remove(at: number): void {
    const time = this.times[at]
    const lastTime = this.times.pop() as number
    const lastCount = this.counts.pop() as number
    this.positions?.delete(time)
    if (at < this.times.length) {
      this.times[at] = lastTime
      this.counts[at] = lastCount
      this.positions?.set(lastTime, at)
    }
    if (this.times.length === 0) this.positions = null
  }

  private rebuild(): void {
    this.stale = false
    this.lower.clear()
    for (let i = 0; i < this.times.length; i++) if (this.counts[i] > 0) this.lower.insert(this.times[i])
  }
}
