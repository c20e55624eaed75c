/**
 * A loop region on one worker: an outermost loop with everything nested in it.
 *
 * Its times are ids of its time table. Batches inside it run until the dataflow is locally quiescent; then the times that its
 * operators still hold are its only pointstamps, the tracker says which of them are complete, and the operators
 * that hold those go on. When none is left the region's state is moved to the least times that stand for the past.
 * Source: Naiad (SOSP 2013) for progress in loops; "Shared Arrangements" (VLDB 2020) for the compaction of times.
 */
import { invariant, MillraceError } from '../error.ts'
import type { EdgeKind } from '../progress/path-summary.ts'
import type { RegionDescription, RegionEdge } from '../progress/region-description.ts'
import { RegionTracker } from '../progress/region-tracker.ts'
import { TimeTable } from '../time/time-table.ts'
import type { Dataflow, Quiescent } from './dataflow.ts'
import type { Operator, Port } from './operator.ts'
import type { Schedulable } from './schedulable.ts'
import type { RegionCount, RegionOutline, TrackedRegion } from './tracked-region.ts'

/** An operator's work that waits for times to be complete. */
export interface RegionHolder {
  readonly operator: Operator
  /** Locations of what comes in, and of what the held times may still send; set by the region. */
  input: number
  output: number
  /** Activates the operator if a held time is complete. Returns whether one is. */
  wake(): boolean
}

/** The door out of the region: called when no earlier outer time can come out any more. */
export interface RegionExit {
  readonly operator: Operator
  /** Location of what goes out; set by the region. */
  location: number
  /** Whether there was something to do for it. */
  reached(frontier: number): boolean
}

/** State that refers to time ids. */
export interface RegionState {
  /** Replaces every time whose outer time is at most `outer` by the one that stands for it (`TimeTable.rebase`). */
  compact(outer: number): void
}

export interface RegionHold {
  readonly time: number
  release(): void
}

interface Entrance {
  readonly operator: Operator
  location: number
  frontier: number
}

export class Region implements Quiescent, TrackedRegion {
  readonly dataflow: Dataflow
  readonly times = new TimeTable()
  private readonly kinds = new Map<Port, EdgeKind>()
  private readonly followers = new Map<Operator, Operator[]>()
  private readonly entrances: Entrance[] = []
  private readonly exits: RegionExit[] = []
  private readonly holders: RegionHolder[] = []
  private readonly states: RegionState[] = []
  private tracker: RegionTracker | null = null
  /** Where holds are counted; null on a single worker, whose tracker is the region's own. */
  private count: RegionCount | null = null
  private described: RegionOutline | null = null
  private locations = new Map<Schedulable, number>()
  private compacted = 0
  /** The least outer time that is not over on this worker, as of the last quiescence. */
  upper = 0
  private readonly held: RegionHold[] = []

  constructor(dataflow: Dataflow) {
    this.dataflow = dataflow
    dataflow.atEveryQuiescence(this)
    dataflow.regions.push(this)
  }

  /** Times that come through this port change in another way than by identity. */
  setKind(port: Port, kind: EdgeKind): void {
    this.kinds.set(port, kind)
  }

  /** What `operator` sends can result in what `follower` sends, though no port joins them. */
  addFollower(operator: Operator, follower: Operator): void {
    const known = this.followers.get(operator)
    if (known === undefined) this.followers.set(operator, [follower])
    else known.push(follower)
  }

  /** Returns the number under which the operator reports its frontier. */
  addEntrance(operator: Operator): number {
    return this.entrances.push({ operator, location: -1, frontier: 0 }) - 1
  }

  addExit(exit: RegionExit): void {
    this.exits.push(exit)
  }

  addHolder(holder: RegionHolder): void {
    this.holders.push(holder)
  }

  addState(state: RegionState): void {
    this.states.push(state)
  }

  /** No batch comes in through this entrance at an outer time below `frontier`. */
  enterFrontier(entrance: number, frontier: number): void {
    const entry = this.entrances[entrance]
    if (entry.frontier === frontier) return
    const tracker = this.tracking()
    entry.frontier = frontier
    if (this.count === null) tracker.setIngressFrontier(entry.location, frontier)
  }

  /** Whether nothing can come into a holder's operator any more at this time or an earlier one. */
  isClosed(holder: RegionHolder, time: number): boolean {
    return this.tracking().isClosed(holder.input, time)
  }

  /** A holder takes up (+1) or gives up (-1) a time at which it may still send. */
  hold(holder: RegionHolder, time: number, delta: number): void {
    const tracker = this.tracking()
    if (this.count === null) tracker.update(holder.output, time, delta)
    else this.count(holder.output, time, delta)
  }

  /**
   * Keeps outer times after `time` apart from it, so that the loop's traces can still be read as of `time`; until its release.
   * @throws MillraceError BAD_TIME if they are not apart any more
   */
  holdAt(time: number): RegionHold {
    if (time < this.compacted - 1) throw new MillraceError('BAD_TIME', `the loop's state before ${this.compacted - 1} is gone`)
    const hold: RegionHold = {
      time,
      release: () => {
        const at = this.held.indexOf(hold)
        if (at >= 0) this.held.splice(at, 1)
      },
    }
    this.held.push(hold)
    return hold
  }

  outline(): RegionOutline {
    if (this.described !== null) return this.described
    const description = this.describe()
    const leaving = new Set<Schedulable>(this.exits.map(({ operator }) => operator))
    const members = new Set([...this.locations.keys()].filter((operator) => !leaving.has(operator)))
    this.described = { description, members, entrances: this.entrances, exits: this.exits }
    return this.described
  }

  share(tracker: RegionTracker, count: RegionCount): void {
    this.tracker = tracker
    this.count = count
  }

  locationOf(operator: Schedulable): number {
    const location = this.locations.get(operator)
    invariant(location !== undefined, 'an operator is part of its loop')
    return location
  }

  compactShared(): void {
    const tracker = this.tracking()
    this.compact(Math.min(tracker.leastHeld(), tracker.leastIngress()))
  }

  quiescent(): boolean {
    const tracker = this.tracking()
    if (this.count === null) tracker.propagate()
    let made = false
    for (let i = 0; i < this.holders.length; i++) if (this.holders[i].wake()) made = true
    for (let i = 0; i < this.exits.length; i++) if (this.exits[i].reached(tracker.outputFrontier(this.exits[i].location))) made = true
    if (!made && this.count === null) {
      let least = tracker.leastHeld()
      for (let i = 0; i < this.entrances.length; i++) if (this.entrances[i].frontier < least) least = this.entrances[i].frontier
      this.compact(least)
    }
    return made
  }

  /** Moves all state past the outer times that are over everywhere, and gives their ids back. */
  private compact(least: number): void {
    if (least > this.upper) this.upper = least
    let end = least
    for (let i = 0; i < this.held.length; i++) if (this.held[i].time + 1 < end) end = this.held[i].time + 1
    if (end <= this.compacted) return
    this.compacted = end
    const bound = Math.min(end - 1, Number.MAX_SAFE_INTEGER)
    for (let i = 0; i < this.states.length; i++) this.states[i].compact(bound)
    this.times.release(bound)
  }

  private tracking(): RegionTracker {
    if (this.tracker !== null) return this.tracker
    this.tracker = new RegionTracker(this.outline().description, this.times)
    // Until then every time would count as complete.
    this.tracker.propagate()
    return this.tracker
  }

  /** The region's graph: found from its entrances along the ports, when all operators exist. */
  describe(): RegionDescription {
    const depths: number[] = []
    const names: string[] = []
    const edges: RegionEdge[] = []
    const queryPorts: number[] = []
    const ingress: number[] = []
    const egress: number[] = []
    const inputs = new Map<Operator, number>()
    const outputs = new Map<Schedulable, number>()
    const holders = new Map(this.holders.map((holder) => [holder.operator, holder]))
    const exits = new Map(this.exits.map((exit) => [exit.operator, exit]))
    const open: Operator[] = []
    const locate = (depth: number, name: string): number => {
      names.push(name)
      return depths.push(depth) - 1
    }
    /** The location of what comes into an operator whose output has this depth. */
    const visit = (operator: Operator, depth: number): number => {
      const known = inputs.get(operator)
      if (known !== undefined) return known
      const name = `${operator.name}#${operator.id}`
      const output = locate(depth, name)
      let input = output
      const holder = holders.get(operator)
      const exit = exits.get(operator)
      if (holder !== undefined) {
        input = locate(depth, `${name} in`)
        edges.push({ from: input, to: output, kind: 'identity' })
        queryPorts.push(input)
        holder.input = input
        holder.output = output
      }
      if (exit !== undefined) {
        exit.location = output
        egress.push(output)
      } else open.push(operator)
      inputs.set(operator, input)
      outputs.set(operator, output)
      return input
    }
    for (const entrance of this.entrances) {
      entrance.location = locate(0, `into ${entrance.operator.name}#${entrance.operator.id}`)
      ingress.push(entrance.location)
      edges.push({ from: entrance.location, to: visit(entrance.operator, 1), kind: 'enter' })
    }
    for (let operator = open.pop(); operator !== undefined; operator = open.pop()) {
      const from = outputs.get(operator) as number
      for (const port of operator.readers) {
        const kind = this.kinds.get(port) ?? 'identity'
        const depth = depths[from] + (kind === 'enter' ? 1 : kind === 'leave' ? -1 : 0)
        edges.push({ from, to: visit(port.operator, depth), kind })
      }
      for (const follower of this.followers.get(operator) ?? []) edges.push({ from, to: visit(follower, depths[from]), kind: 'identity' })
    }
    for (const holder of this.holders) invariant(holder.input >= 0, `${holder.operator.name} is not part of its loop`)
    for (const exit of this.exits) {
      if (exit.location >= 0) continue
      exit.location = locate(0, `${exit.operator.name}#${exit.operator.id}`)
      egress.push(exit.location)
    }
    this.locations = outputs
    return { depths, edges, queryPorts, ingress, egress, names }
  }
}
