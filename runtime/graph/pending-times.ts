/**
 * The work that an operator inside a loop has put off until times are complete: per time a list of ints, such as key ids.
 * Each time with work is held as a capability of the operator.
 */
import { grown } from '../data/batch.ts'
import type { Operator } from './operator.ts'
import type { Region, RegionHolder } from './region.ts'

/** The ints that wait for one time. */
export class WaitingList {
  time = 0
  n = 0
  items = new Int32Array(16)

  add(item: number): void {
    if (this.n === this.items.length) this.items = grown(this.items, 2 * this.n)
    this.items[this.n++] = item
  }
}

/** Empty lists kept for reuse, and the longest of them. */
const KEPT_LISTS = 64
const KEPT_ITEMS = 1 << 16

export class PendingTimes implements RegionHolder {
  readonly operator: Operator
  input = -1
  output = -1
  private readonly region: Region
  private readonly lists = new Map<number, WaitingList>()
  private last: WaitingList | null = null
  private readonly spare: WaitingList[] = []

  constructor(region: Region, operator: Operator) {
    this.region = region
    this.operator = operator
    region.addHolder(this)
  }

  /** Times that wait. */
  get size(): number {
    return this.lists.size
  }

  /** The list of a time, held from now on. */
  at(time: number): WaitingList {
    const last = this.last
    if (last !== null && last.time === time) return last
    let list = this.lists.get(time)
    if (list === undefined) {
      list = this.spare.pop() ?? new WaitingList()
      list.time = time
      this.lists.set(time, list)
      this.region.hold(this, time, 1)
    }
    this.last = list
    return list
  }

  /**
   * Takes out the least complete time (in an order that extends that of times); null if none is complete. The hold stays until
   * `done`, so that what is sent meanwhile is covered.
   */
  takeClosed(): WaitingList | null {
    const { region } = this
    let least: WaitingList | null = null
    for (const list of this.lists.values()) {
      if (least !== null && region.times.compare(least.time, list.time) < 0) continue
      if (region.isClosed(this, list.time)) least = list
    }
    if (least === null) return null
    this.lists.delete(least.time)
    if (this.last === least) this.last = null
    return least
  }

  /** Gives up the hold of a list that was taken. */
  done(list: WaitingList): void {
    this.region.hold(this, list.time, -1)
    list.n = 0
    if (this.spare.length < KEPT_LISTS && list.items.length <= KEPT_ITEMS) this.spare.push(list)
  }

  /** Visits what waits. */
  forEach(visit: (item: number, time: number) => void): void {
    for (const { items, n, time } of this.lists.values()) for (let i = 0; i < n; i++) visit(items[i], time)
  }

  wake(): boolean {
    for (const list of this.lists.values()) {
      if (this.region.isClosed(this, list.time)) {
        this.operator.activate()
        return true
      }
    }
    return false
  }
}
