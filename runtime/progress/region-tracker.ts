/**
 * Exact progress inside a loop region: from the counts of pointstamps (location, time) to the times that can still
 * appear at each query port (Naiad, SOSP 2013, section 2.3; `reachability` of timely dataflow, with the paths
 * precomputed instead of walked).
 */
import { grown } from '../data/batch.ts'
import { invariant } from '../error.ts'
import { MutableAntichain } from '../time/mutable-antichain.ts'
import type { TimeTable } from '../time/time-table.ts'
import { checkRegion, type RegionDescription, summariesTo } from './region-description.ts'
import { TIME_STRIDE, TimeAntichain } from './time-antichain.ts'

/** Numbers a path summary: (kept, first, second, third). */
const PATH_STRIDE = 4
const INITIAL_HELD = 16

/**
 * Counts may be below zero for a while; only times with a count above zero hold a frontier. What is asked for is as of
 * the last `propagate`. Ids may only be released from the time table when no count is left at them and after the next
 * `propagate`.
 *
 * Costs: `update` O(1), or O(times counted at the location) where a minimal one goes away; `propagate` O(minimal times
 * at the locations that reach a changed port), for each such port.
 */
export class RegionTracker {
  readonly description: RegionDescription
  readonly table: TimeTable
  private readonly locations: number
  /** By location; counts at depth 0 do not exist. */
  private readonly stamps: MutableAntichain[]
  /** By location: the least outer time that may still come in there; Infinity where none can. */
  private readonly ingress: Float64Array
  /** Query ports, then egress locations, and the place of each in that order by location (-1 for others). */
  private readonly targets: Int32Array
  private readonly targetAt: Int32Array
  private readonly ports: number
  /** The summaries from location l to target t: `paths` from starts[t * locations + l] to the next start. */
  private readonly starts: Int32Array
  private readonly paths: Int32Array
  /** By location: the targets that it reaches. */
  private readonly reached: Int32Array[]
  /** The locations that hold anything, and the place of each among them (-1 if none). */
  private readonly active: Int32Array
  private readonly activeAt: Int32Array
  private activeCount = 0
  private readonly dirty: Uint8Array
  private anyDirty = false
  /** By target: the times that can still appear, and (made when asked for) their ids. */
  private readonly frontiers: TimeAntichain[]
  private readonly ids: (number[] | null)[]
  private scratch = new TimeAntichain()
  /** What `gather` found: location and time of each. */
  private held = 0
  private heldAt = new Int32Array(INITIAL_HELD)
  private heldTimes = new Float64Array(INITIAL_HELD * TIME_STRIDE)
  private readonly changed: number[] = []

  /**
   * Until told otherwise every time may still come in at every ingress.
   * @throws MillraceError CONFIG: see `checkRegion`
   */
  constructor(description: RegionDescription, table: TimeTable) {
    checkRegion(description)
    this.description = description
    this.table = table
    const { depths } = description
    const locations = depths.length
    this.locations = locations
    this.stamps = depths.map(() => new MutableAntichain(table))
    this.targets = Int32Array.from([...new Set(description.queryPorts), ...description.egress])
    this.ports = this.targets.length - description.egress.length
    this.targetAt = new Int32Array(locations).fill(-1)
    this.targets.forEach((location, target) => {
      this.targetAt[location] = target
    })
    const starts = [0]
    const paths: number[] = []
    for (const target of this.targets) {
      for (const found of summariesTo(description, target)) {
        for (const { kept, first, second, third } of found) paths.push(kept, first, second, third)
        starts.push(paths.length)
      }
    }
    this.starts = Int32Array.from(starts)
    this.paths = Int32Array.from(paths)
    this.reached = depths.map((_, location) =>
      Int32Array.from([...this.targets.keys()].filter((t) => starts[t * locations + location] < starts[t * locations + location + 1])),
    )
    this.active = new Int32Array(locations)
    this.activeAt = new Int32Array(locations).fill(-1)
    this.dirty = new Uint8Array(this.targets.length)
    this.frontiers = Array.from(this.targets, () => new TimeAntichain())
    this.ids = Array.from(this.targets, () => null)
    this.ingress = new Float64Array(locations).fill(Infinity)
    for (const location of description.ingress) this.setIngressFrontier(location, 0)
  }

  /** Changes the count of the pointstamp (location, time). */
  update(location: number, timeId: number, delta: number): void {
    const stamps = this.stamps[location]
    invariant(
      stamps !== undefined && this.table.depth(timeId) === this.description.depths[location],
      'a pointstamp has the depth of its location',
    )
    const moved = stamps.update(timeId, delta)
    if (stamps.size > 0 !== this.activeAt[location] >= 0) this.setActive(location, stamps.size > 0)
    if (moved) this.markReached(location)
  }

  /** From now on only outer times at or beyond `outer` come in at this ingress; Infinity: none. */
  setIngressFrontier(location: number, outer: number): void {
    invariant(this.description.ingress.includes(location), 'only an ingress has an ingress frontier')
    if (this.ingress[location] === outer) return
    this.ingress[location] = outer
    if (outer < Infinity !== this.activeAt[location] >= 0) this.setActive(location, outer < Infinity)
    this.markReached(location)
  }

  /** Brings the frontiers up to date. The query ports whose frontier changed; valid until the next call. */
  propagate(): readonly number[] {
    const { changed, dirty } = this
    while (changed.length > 0) changed.pop()
    if (!this.anyDirty) return changed
    this.anyDirty = false
    this.gather()
    for (let target = 0; target < dirty.length; target++) {
      if (dirty[target] === 0) continue
      dirty[target] = 0
      this.computeFrontier(target)
      if (this.scratch.equals(this.frontiers[target])) continue
      const next = this.scratch
      this.scratch = this.frontiers[target]
      this.frontiers[target] = next
      this.ids[target] = null
      if (target < this.ports) changed.push(this.targets[target])
    }
    return changed
  }

  /** The minimal times that can still appear at a query port, as ids; empty if none can. */
  frontier(port: number): readonly number[] {
    const target = this.targetAt[port]
    invariant(target >= 0 && target < this.ports, 'only a query port has a frontier')
    const known = this.ids[target]
    if (known !== null) return known
    const ids: number[] = []
    const { length, times } = this.frontiers[target]
    const depth = this.description.depths[port]
    for (let at = 0; at < length; at += TIME_STRIDE)
      ids.push(this.table.internDepth(depth, times[at], times[at + 1], times[at + 2], times[at + 3]))
    this.ids[target] = ids
    return ids
  }

  /** Whether nothing can arrive at the query port any more at this time or an earlier one. */
  isClosed(port: number, timeId: number): boolean {
    const { table } = this
    const target = this.targetAt[port]
    invariant(target >= 0 && target < this.ports, 'only a query port has a frontier')
    return !this.frontiers[target].lessEqual(
      table.outer(timeId),
      table.coordinate(timeId, 1),
      table.coordinate(timeId, 2),
      table.coordinate(timeId, 3),
    )
  }

  /** The least outer time that can still leave at an egress (by default: at any); Infinity if none can. */
  outputFrontier(egress?: number): number {
    let least = Infinity
    const from = egress === undefined ? this.ports : this.targetAt[egress]
    const end = egress === undefined ? this.targets.length : from + 1
    for (let target = from; target < end; target++)
      if (this.frontiers[target].length > 0) least = Math.min(least, this.frontiers[target].times[0])
    return least
  }

  /** The least outer time of a pointstamp whose count is not zero; Infinity without one. Ids below it are not in use here. */
  leastHeld(): number {
    let least = Infinity
    for (const stamps of this.stamps) least = Math.min(least, stamps.leastOuter())
    return least
  }

  /** The least outer time that may still come in; Infinity if none can. */
  leastIngress(): number {
    let least = Infinity
    for (const location of this.description.ingress) if (this.ingress[location] < least) least = this.ingress[location]
    return least
  }

  /** Pointstamps whose count is not zero. */
  get outstanding(): number {
    let sum = 0
    for (const stamps of this.stamps) sum += stamps.size
    return sum
  }

  private setActive(location: number, active: boolean): void {
    if (active) {
      this.activeAt[location] = this.activeCount
      this.active[this.activeCount++] = location
    } else {
      const at = this.activeAt[location]
      const last = this.active[--this.activeCount]
      this.active[at] = last
      this.activeAt[last] = at
      this.activeAt[location] = -1
    }
  }

  private markReached(location: number): void {
    const reached = this.reached[location]
    for (let i = 0; i < reached.length; i++) this.dirty[reached[i]] = 1
    this.anyDirty = true
  }

  /** The minimal times held at the active locations, as columns, so that each target reads them in one pass. */
  private gather(): void {
    const { active, activeCount, table } = this
    this.held = 0
    for (let i = 0; i < activeCount; i++) {
      const location = active[i]
      if (this.ingress[location] < Infinity) {
        this.hold(location, this.ingress[location], 0, 0, 0)
        continue
      }
      const times = this.stamps[location].frontier.elements
      for (let j = 0; j < times.length; j++) {
        const time = times[j]
        this.hold(location, table.outer(time), table.coordinate(time, 1), table.coordinate(time, 2), table.coordinate(time, 3))
      }
    }
  }

  private hold(location: number, outer: number, first: number, second: number, third: number): void {
    if (this.held === this.heldAt.length) {
      this.heldAt = grown(this.heldAt, this.held * 2)
      this.heldTimes = grown(this.heldTimes, this.held * 2 * TIME_STRIDE)
    }
    this.heldAt[this.held] = location
    const at = this.held++ * TIME_STRIDE
    this.heldTimes[at] = outer
    this.heldTimes[at + 1] = first
    this.heldTimes[at + 2] = second
    this.heldTimes[at + 3] = third
  }

  /** Into `scratch`: the minimal ones of all times that are held, followed along all minimal paths to the target. */
  private computeFrontier(target: number): void {
    const { starts, paths, scratch, held, heldAt, heldTimes } = this
    const row = target * this.locations
    scratch.length = 0
    for (let i = 0; i < held; i++) {
      const cell = row + heldAt[i]
      const end = starts[cell + 1]
      const time = i * TIME_STRIDE
      for (let path = starts[cell]; path < end; path += PATH_STRIDE) {
        const kept = paths[path]
        scratch.insert(
          heldTimes[time],
          kept >= 1 ? paths[path + 1] + heldTimes[time + 1] : paths[path + 1],
          kept >= 2 ? paths[path + 2] + heldTimes[time + 2] : paths[path + 2],
          kept >= 3 ? paths[path + 3] + heldTimes[time + 3] : paths[path + 3],
        )
      }
    }
  }
}
