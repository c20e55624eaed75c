/**
 * The changes of one worker's pointstamp counts, published as one atomic batch.
 *
 * A message is a Float64Array of groups, one per location with a net change:
 * scope (0: outside of loops, r + 1: region r), location, depth, n, then n times: delta, outer, and `depth` loop
 * coordinates. It holds coordinates since time ids mean nothing to another worker; doubles carry microseconds exactly.
 */
import { invariant } from '../error.ts'
import { ChangeBatch } from '../time/change-batch.ts'
import type { TimeTable } from '../time/time-table.ts'
import type { DataflowDescription } from './dataflow-description.ts'
import type { DataflowTracker } from './dataflow-tracker.ts'

const GROUP_HEADER = 4

interface Place {
  readonly scope: number
  readonly location: number
  readonly depth: number
  readonly changes: ChangeBatch
  touched: boolean
}

/**
 * Collects the net changes since the last message. A worker adds everything that one turn of its work has changed
 * (what it consumed, the capabilities it kept, what it sent) before it takes a message: others must never see that
 * something was consumed without seeing what it led to. A consumed message may only lead to pointstamps that an edge of
 * the dataflow leads to, so never to one at its own location and time: the two would cancel out and others would lose
 * sight of where a third came from. Until it has taken a message its time ids must not be released.
 */
export class ProgressChanges {
  /** By scope and location. */
  private readonly places: Place[][]
  private readonly touched: Place[] = []
  private readonly tables: readonly TimeTable[]

  constructor(description: DataflowDescription, tables: readonly TimeTable[]) {
    const outside = Array.from({ length: description.locations }, () => 0)
    this.tables = tables
    this.places = [outside, ...description.regions.map((region) => region.description.depths)].map((depths, scope) =>
      depths.map((depth, location) => ({ scope, location, depth, changes: new ChangeBatch(), touched: false })),
    )
  }

  update(location: number, time: number, delta: number): void {
    this.add(this.places[0][location], time, delta)
  }

  updateInRegion(region: number, location: number, timeId: number, delta: number): void {
    this.add(this.places[region + 1][location], timeId, delta)
  }

  /** Whether there is no net change. */
  get isEmpty(): boolean {
    for (const place of this.touched) if (!place.changes.isEmpty) return false
    return true
  }

  /**
   * Whether others wait for these changes: a count goes down that is not covered. Without that no frontier advances anywhere, and the
   * changes may wait for more: whatever they add is still covered by the capability that it came from.
   *
   * @param isCovered outside of loops: whether nobody's frontier can pass there anyway, now, and who calls looks again when that changes
   */
  isDue(isCovered: (location: number, time: number) => boolean): boolean {
    for (const { scope, location, changes } of this.touched)
      for (let i = 0, n = changes.size; i < n; i++)
        if (changes.deltaAt(i) < 0 && (scope !== 0 || !isCovered(location, changes.timeAt(i)))) return true
    return false
  }

  /** All changes as one message, or null if there is none; starts anew. */
  take(): Float64Array | null {
    let length = 0
    for (const { changes, depth } of this.touched) length += changes.isEmpty ? 0 : GROUP_HEADER + changes.size * (2 + depth)
    const message = length === 0 ? null : new Float64Array(length)
    let at = 0
    for (const place of this.touched) {
      if (message !== null) at = this.encode(place, message, at)
      place.changes.clear()
      place.touched = false
    }
    while (this.touched.length > 0) this.touched.pop()
    return message
  }

  private add(place: Place, time: number, delta: number): void {
    place.changes.update(time, delta)
    if (place.touched) return
    place.touched = true
    this.touched.push(place)
  }

  private encode({ scope, location, depth, changes }: Place, message: Float64Array, at: number): number {
    const count = changes.size
    if (count === 0) return at
    message[at++] = scope
    message[at++] = location
    message[at++] = depth
    message[at++] = count
    for (let i = 0; i < count; i++) {
      const time = changes.timeAt(i)
      message[at++] = changes.deltaAt(i)
      message[at++] = depth === 0 ? time : this.tables[scope - 1].outer(time)
      for (let level = 1; level <= depth; level++) message[at++] = this.tables[scope - 1].coordinate(time, level)
    }
    return at
  }
}

/** Applies a whole message to a replica; the caller propagates after it, never within. */
export function applyProgress(message: Float64Array, tracker: DataflowTracker): void {
  const { length } = message
  let at = 0
  while (at < length) {
    invariant(at + GROUP_HEADER <= length, 'a progress message ends after a whole group')
    const scope = message[at]
    const location = message[at + 1]
    const depth = message[at + 2]
    const count = message[at + 3]
    at += GROUP_HEADER
    const end = at + count * (2 + depth)
    const expected = scope === 0 ? 0 : tracker.regions[scope - 1]?.description.depths[location]
    invariant(depth === expected && end <= length, 'a progress message fits the dataflow')
    for (; at < end; at += 2 + depth) {
      if (scope === 0) tracker.update(location, message[at + 1], message[at])
      else {
        const { table } = tracker.regions[scope - 1]
        const first = message[at + 2]
        const second = depth >= 2 ? message[at + 3] : 0
        const third = depth >= 3 ? message[at + 4] : 0
        tracker.updateInRegion(scope - 1, location, table.internDepth(depth, message[at + 1], first, second, third), message[at])
      }
    }
  }
}
