/**
 * The work that an operator inside a loop has put off until times are complete: per time a list of ints, such as key ids.
 * Each time with work is held as a capability of the operator.
 */
import { grown, powerOfTwo } from '../data/batch.ts'
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
  private readonly lists: WaitingList[] = []
  /** By time id: the place of its list, + 1. */
  private places = new Int32Array(64)
  private last: WaitingList | null = null
  private readonly spare: WaitingList[] = []

  constructor(region: Region, operator: Operator) {
    this.region = region
    this.operator = operator
    region.addHolder(this)
  }

  /** Times that wait. */
  get size(): number {
    return this.lists.length
  }

  /** The list of a time, held from now on. */
  at(time: number): WaitingList {
    const last = this.last
    if (last !== null && last.time === time) return last
    if (time >= this.places.length) this.places = grown(this.places, powerOfTwo(time + 1))
    if (this.places[time] === 0) this.open(time)
    const list = this.lists[this.places[time] - 1]
    this.last = list
    return list
  }

  private open(time: number): void {
    const list = this.spare.pop() ?? new WaitingList()
    list.time = time
    this.places[time] = this.lists.push(list)
    this.region.hold(this, time, 1)
  }

  /**
   * Takes out the least complete time (in an order that extends that of times); null if none is complete. The hold stays until
   * `done`, so that what is sent meanwhile is covered.
   */
  takeClosed(): WaitingList | null {
    const { region, lists } = this
    if (lists.length === 0) return null
    let least = 0
    for (let i = 1; i < lists.length; i++) if (region.times.compare(lists[i].time, lists[least].time) < 0) least = i
    if (region.isClosed(this, lists[least].time)) return this.takeAt(least)
    least = -1
    for (let i = 0; i < lists.length; i++) {
      if (least >= 0 && region.times.compare(lists[least].time, lists[i].time) < 0) continue
      if (region.isClosed(this, lists[i].time)) least = i
    }
    return least < 0 ? null : this.takeAt(least)
  }

  private takeAt(place: number): WaitingList {
    const { lists } = this
    const list = lists[place]
    const moved = lists[lists.length - 1]
    lists[place] = moved
    this.places[moved.time] = place + 1
    this.places[list.time] = 0
    lists.pop()
    if (this.last === list) this.last = null
    return list
  }

  /** Gives up the hold of a list that was taken. */
  done(list: WaitingList): void {
    this.region.hold(this, list.time, -1)
    list.n = 0
    if (this.spare.length < KEPT_LISTS && list.items.length <= KEPT_ITEMS) this.spare.push(list)
  }

  /** Visits what waits. */
  forEach(visit: (item: number, time: number) => void): void {
    for (const { items, n, time } of this.lists) for (let i = 0; i < n; i++) visit(items[i], time)
  }

  wake(): boolean {
    const { lists, region } = this
    for (let i = 0; i < lists.length; i++) {
      if (region.isClosed(this, lists[i].time)) {
        this.operator.activate()
        return true
      }
    }
    return false
  }
}
