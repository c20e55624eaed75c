/**
 * Exact progress of a dataflow on several workers: one worker's replica of the global counts of pointstamps, and the
 * frontiers that follow from them (Naiad, SOSP 2013, section 3.3). Each worker applies the same changes in the same
 * order per sender, its own included; changes of different senders may be interleaved in any way.
 */
import { invariant } from '../error.ts'
import { OuterCounts } from '../time/outer-counts.ts'
import type { TimeTable } from '../time/time-table.ts'
import { checkDataflow, type DataflowDescription } from './dataflow-description.ts'
import { RegionTracker } from './region-tracker.ts'

const NO_PORTS: readonly number[] = []

/**
 * Outside of loops times are totally ordered and the graph has no cycles: what can still appear at a location is the
 * least time held there or at a location before it, found by one sweep over the locations that changed. A region is
 * one node of that sweep: it takes the frontiers of its inputs and gives the least outer time that may still leave.
 *
 * What is asked for is as of the last `propagate`.
 */
export class DataflowTracker {
  readonly description: DataflowDescription
  readonly regions: readonly RegionTracker[]
  /** By location: what is held there. */
  private readonly counts: OuterCounts[]
  /** By location: the least time that can still appear there; Infinity if none can. */
  private readonly implied: Float64Array
  private readonly isPort: Uint8Array
  /** Nodes in order: a location as itself, region r as `locations` + r; and the place of each in that order. */
  private readonly order: Int32Array
  private readonly place: Int32Array
  /** By place. */
  private readonly dirty: Uint8Array
  private firstDirty = 0
  private readonly successors: number[][]
  private readonly predecessors: number[][]
  /** By location: the regions that it feeds, and the region outputs that it follows. */
  private readonly feeds: { region: number; ingress: number }[][]
  private readonly follows: { region: number; egress: number }[][]
  private readonly changed: number[] = []
  private readonly changedInside: (readonly number[])[]

  /**
   * @param tables one time table per region
   * @param peers workers; each holds one capability at `initialTime` at every output that declares it
   * @throws MillraceError CONFIG: see `checkDataflow` and `checkRegion`
   */
  constructor(description: DataflowDescription, tables: readonly TimeTable[], peers: number, initialTime = 0) {
    checkDataflow(description)
    invariant(tables.length === description.regions.length, 'every region has one time table')
    const { locations, edges, regions } = description
    const each = Array.from({ length: locations }, (_, location) => location)
    this.description = description
    this.regions = regions.map((region, at) => new RegionTracker(region.description, tables[at]))
    this.counts = each.map(() => new OuterCounts())
    this.implied = new Float64Array(locations).fill(Infinity)
    this.isPort = new Uint8Array(locations)
    for (const port of description.queryPorts) this.isPort[port] = 1
    this.order = topologicalOrder(description)
    this.place = new Int32Array(this.order.length)
    this.order.forEach((node, at) => {
      this.place[node] = at
    })
    this.dirty = new Uint8Array(this.order.length).fill(1)
    this.successors = each.map((location) => edges.filter(({ from }) => from === location).map(({ to }) => to))
    this.predecessors = each.map((location) => edges.filter(({ to }) => to === location).map(({ from }) => from))
    this.feeds = each.map((location) =>
      regions.flatMap(({ inputs }, region) => inputs.filter(({ from }) => from === location).map(({ ingress }) => ({ region, ingress }))),
    )
    this.follows = each.map((location) =>
      regions.flatMap(({ outputs }, region) => outputs.filter(({ to }) => to === location).map(({ egress }) => ({ region, egress }))),
    )
    this.changedInside = regions.map(() => NO_PORTS)
    regions.forEach(({ description: inner }, region) => {
      for (const ingress of inner.ingress) this.regions[region].setIngressFrontier(ingress, Infinity)
    })
    for (const output of description.initialCapabilities) this.counts[output].update(initialTime, peers)
    this.propagate()
  }

  /** Changes the count of the pointstamp (location, time) outside of loops. */
  update(location: number, time: number, delta: number): void {
    invariant(location >= 0 && location < this.counts.length, 'a pointstamp is at a location of its dataflow')
    if (this.counts[location].update(time, delta)) this.touch(this.place[location])
  }

  /** Changes the count of a pointstamp inside a region; the time is an id of that region's table. */
  updateInRegion(region: number, location: number, timeId: number, delta: number): void {
    invariant(region >= 0 && region < this.regions.length, 'a pointstamp is in a region of its dataflow')
    this.regions[region].update(location, timeId, delta)
    this.touch(this.place[this.counts.length + region])
  }

  /** Brings all frontiers up to date. The query ports outside of loops that changed; valid until the next call. */
  propagate(): readonly number[] {
    const { changed, dirty, order } = this
    const locations = this.counts.length
    while (changed.length > 0) changed.pop()
    for (let region = 0; region < this.changedInside.length; region++) this.changedInside[region] = NO_PORTS
    for (let at = this.firstDirty; at < order.length; at++) {
      if (dirty[at] === 0) continue
      dirty[at] = 0
      if (order[at] < locations) this.propagateLocation(order[at])
      else this.propagateRegion(order[at] - locations)
    }
    this.firstDirty = order.length
    return changed
  }

  /** The query ports of a region that the last `propagate` changed. */
  changedInRegion(region: number): readonly number[] {
    return this.changedInside[region]
  }

  /** The least time that can still appear at a location outside of loops; Infinity if none can. */
  frontier(location: number): number {
    return this.implied[location]
  }

  /** Whether nothing can appear at the location any more at this time or an earlier one. */
  isClosed(location: number, time: number): boolean {
    return this.implied[location] > time
  }

  /** Pointstamps whose count is not zero. */
  get outstanding(): number {
    let sum = 0
    for (const counts of this.counts) sum += counts.size
    for (const region of this.regions) sum += region.outstanding
    return sum
  }

  private propagateLocation(location: number): void {
    const { implied } = this
    const predecessors = this.predecessors[location]
    const follows = this.follows[location]
    let least = this.counts[location].least
    for (let i = 0; i < predecessors.length; i++) least = Math.min(least, implied[predecessors[i]])
    for (let i = 0; i < follows.length; i++) least = Math.min(least, this.regions[follows[i].region].outputFrontier(follows[i].egress))
    if (least === implied[location]) return
    implied[location] = least
    if (this.isPort[location] === 1) this.changed.push(location)
    const successors = this.successors[location]
    for (let i = 0; i < successors.length; i++) this.touch(this.place[successors[i]])
    const feeds = this.feeds[location]
    for (let i = 0; i < feeds.length; i++) this.touch(this.place[this.counts.length + feeds[i].region])
  }

  private propagateRegion(region: number): void {
    const tracker = this.regions[region]
    const { inputs, outputs } = this.description.regions[region]
    for (const ingress of tracker.description.ingress) {
      let least = Infinity
      for (let i = 0; i < inputs.length; i++) if (inputs[i].ingress === ingress) least = Math.min(least, this.implied[inputs[i].from])
      tracker.setIngressFrontier(ingress, least)
    }
    this.changedInside[region] = tracker.propagate()
    for (let i = 0; i < outputs.length; i++) this.touch(this.place[outputs[i].to])
  }

  private touch(at: number): void {
    this.dirty[at] = 1
    if (at < this.firstDirty) this.firstDirty = at
  }
}

/** Locations in their order, each region right after the last of its inputs. */
function topologicalOrder({ locations, regions }: DataflowDescription): Int32Array {
  const nodes = Array.from({ length: locations }, (_, location) => ({ node: location, after: location }))
  regions.forEach(({ inputs }, region) => {
    nodes.push({ node: locations + region, after: Math.max(-1, ...inputs.map(({ from }) => from)) + 0.5 })
  })
  return Int32Array.from(
    nodes.sort((a, b) => a.after - b.after),
    ({ node }) => node,
  )
}
