/** A set of times none of which is at or before another: the lower boundary of a set of times. */
import type { TimeTable } from './time-table.ts'

/**
 * An antichain of time ids of one depth. As a frontier it stands for all times that are at or beyond one of its
 * elements; the empty one stands for no time at all (closed).
 */
export class Antichain {
  readonly table: TimeTable
  private readonly ids: number[] = []

  constructor(table: TimeTable, ids: readonly number[] = []) {
    this.table = table
    for (let i = 0; i < ids.length; i++) this.insert(ids[i])
  }

  get elements(): readonly number[] {
    return this.ids
  }

  get isEmpty(): boolean {
    return this.ids.length === 0
  }

  /** Adds a time unless an element is at or before it, and drops the elements beyond it. Whether it was added. */
  insert(id: number): boolean {
    const { ids, table } = this
    for (let i = 0; i < ids.length; i++) if (table.lessEqual(ids[i], id)) return false
    let kept = 0
    for (let i = 0; i < ids.length; i++) if (!table.lessEqual(id, ids[i])) ids[kept++] = ids[i]
    while (ids.length > kept) ids.pop()
    ids.push(id)
    return true
  }

  /** Whether an element is at or before the time. */
  lessEqual(id: number): boolean {
    const { ids, table } = this
    for (let i = 0; i < ids.length; i++) if (table.lessEqual(ids[i], id)) return true
    return false
  }

  /** Whether an element is strictly before the time. */
  lessThan(id: number): boolean {
    const { ids, table } = this
    for (let i = 0; i < ids.length; i++) if (ids[i] !== id && table.lessEqual(ids[i], id)) return true
    return false
  }

  /** Whether every element of the other is at or beyond one of these: all times of `other` are times of this. */
  dominates(other: Antichain): boolean {
    for (let i = 0; i < other.ids.length; i++) if (!this.lessEqual(other.ids[i])) return false
    return true
  }

  has(id: number): boolean {
    return this.ids.includes(id)
  }

  /** Whether the sets are equal; the order of insertion does not matter. */
  equals(other: Antichain): boolean {
    if (this.ids.length !== other.ids.length) return false
    for (let i = 0; i < other.ids.length; i++) if (!this.has(other.ids[i])) return false
    return true
  }

  /** The greatest time at or before all elements; 0 if there is none. */
  meet(): number {
    let meet = 0
    for (let i = 0; i < this.ids.length; i++) meet = meet === 0 ? this.ids[i] : this.table.meet(meet, this.ids[i])
    return meet
  }

  clear(): void {
    while (this.ids.length > 0) this.ids.pop()
  }
}
