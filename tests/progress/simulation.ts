/**
 * Several workers that hold capabilities, send messages and exchange progress with arbitrary delays, and the truth
 * beside them: every pointstamp that really is outstanding, wherever it is.
 */
import type { DataflowDescription } from '../../runtime/progress/dataflow-description.ts'
import { DataflowTracker } from '../../runtime/progress/dataflow-tracker.ts'
import { applyProgress, ProgressChanges } from '../../runtime/progress/progress-message.ts'
import type { RegionDescription, RegionEdge } from '../../runtime/progress/region-description.ts'
import { TimeTable } from '../../runtime/time/time-table.ts'
import { byCoordinates, follow, lessEqual, minimal, type Time, walk } from './region-graphs.ts'

/** Which locations hold capabilities and which are targets of messages, outside (scope 0) and in region r (scope r + 1). */
export interface SimulatedDataflow {
  readonly description: DataflowDescription
  readonly capabilities: readonly (readonly number[])[]
  readonly messages: readonly (readonly number[])[]
}

interface Stamp {
  /** A node of the flat graph. */
  readonly node: number
  readonly time: Time
  /** Who holds it; of a message: who will receive it. */
  readonly worker: number
}

interface Worker {
  readonly tables: readonly TimeTable[]
  readonly tracker: DataflowTracker
  readonly changes: ProgressChanges
  /** By sender: messages published and not yet applied. */
  readonly inbox: Float64Array[][]
}

/** Picks below n; all chance comes from it. */
export type Choose = (n: number) => number

export class Simulation {
  readonly workers: Worker[]
  /** All that is really outstanding, published or not. */
  stamps: Stamp[] = []
  /** The whole dataflow as one graph without regions: locations outside, then those of each region. */
  private readonly flat: RegionDescription
  private readonly nodes: { scope: number; location: number }[] = []
  private readonly ports: number[] = []
  private readonly kind: ('capability' | 'message' | 'none')[] = []
  private readonly walked = new Map<string, Time[][]>()
  private readonly choose: Choose

  constructor(dataflow: SimulatedDataflow, peers: number, choose: Choose, initialTime = 0) {
    this.choose = choose
    const { description } = dataflow
    const edges: RegionEdge[] = description.edges.map(({ from, to }) => ({ from, to, kind: 'identity' }))
    const depths = Array.from({ length: description.locations }, () => 0)
    const add = (scope: number, count: number, ports: readonly number[]): number => {
      const base = this.nodes.length
      for (let location = 0; location < count; location++) {
        this.nodes.push({ scope, location })
        this.kind.push(
          dataflow.capabilities[scope].includes(location) ? 'capability' : dataflow.messages[scope].includes(location) ? 'message' : 'none',
        )
      }
      this.ports.push(...ports.map((port) => base + port))
      return base
    }
    add(0, description.locations, description.queryPorts)
    description.regions.forEach(({ description: inner, inputs, outputs }, region) => {
      const base = add(region + 1, inner.depths.length, inner.queryPorts)
      depths.push(...inner.depths)
      for (const { from, to, kind } of inner.edges) edges.push({ from: base + from, to: base + to, kind })
      for (const { from, ingress } of inputs) edges.push({ from, to: base + ingress, kind: 'identity' })
      for (const { egress, to } of outputs) edges.push({ from: base + egress, to, kind: 'identity' })
    })
    this.flat = { depths, edges, queryPorts: [], ingress: [], egress: [] }
    this.workers = Array.from({ length: peers }, (_, worker) => {
      const tables = description.regions.map(() => new TimeTable())
      // Ids must not agree between workers by luck.
      for (const table of tables) for (let i = 0; i < worker * 3; i++) table.intern1(0, 1_000 + i)
      const tracker = new DataflowTracker(description, tables, peers, initialTime)
      return { tables, tracker, changes: new ProgressChanges(description, tables), inbox: Array.from({ length: peers }, () => []) }
    })
    for (const location of description.initialCapabilities)
      for (let worker = 0; worker < peers; worker++) this.stamps.push({ node: location, time: [initialTime], worker })
  }

  /** One random action; at the end of it every replica that changed is checked. */
  step(): void {
    const action = this.choose(10)
    if (action < 4 && this.stamps.length > 0) this.act(this.choose(this.stamps.length), 2)
    else if (action < 6) this.publish(this.choose(this.workers.length), this.choose(2) === 0)
    else if (action === 6) this.release(this.choose(this.workers.length))
    else this.deliver(this.choose(this.workers.length), this.choose(this.workers.length))
  }

  /** All capabilities go, all messages are consumed, everything is published and delivered. */
  finish(): void {
    while (this.stamps.length > 0) this.act(this.choose(this.stamps.length), 0)
    this.settle()
  }

  /** Publishes and delivers everything there is, in random order. */
  settle(): void {
    this.workers.forEach((_, worker) => {
      this.publish(worker, false)
    })
    while (this.workers.some(({ inbox }) => inbox.some((queue) => queue.length > 0)))
      this.deliver(this.choose(this.workers.length), this.choose(this.workers.length))
  }

  /** With nothing unpublished or under way: every frontier is exactly what the truth says. */
  checkExact(): void {
    this.workers.forEach((worker, index) => {
      for (const port of this.ports) {
        const { scope, location } = this.nodes[port]
        const expected = minimal(this.stamps.flatMap(({ node, time }) => this.reach(node, time)[port]))
        const shown =
          scope === 0
            ? [worker.tracker.frontier(location)].filter((time) => time < Infinity).map((time) => [time])
            : worker.tracker.regions[scope - 1].frontier(location).map((id) => timeOf(worker.tables[scope - 1], id))
        if (JSON.stringify([...shown].sort(byCoordinates)) !== JSON.stringify(expected))
          throw new Error(
            `worker ${index} shows ${JSON.stringify(shown)} at ${scope}/${location}; the truth is ${JSON.stringify(expected)}`,
          )
      }
    })
  }

  /** The holder of a stamp does something with it: at most `most` new stamps come of it. Never more than 40 exist. */
  private act(at: number, most: number): void {
    const { node, time, worker } = this.stamps[at]
    const reached = this.kind[node] === 'capability' ? this.reach(node, time) : this.reachOnward(node, time)
    const targets = reached.flatMap((times, to) => (this.kind[to] === 'none' || times.length === 0 ? [] : [to]))
    const births = this.stamps.length > 40 ? 0 : this.choose(most + 1)
    for (let i = 0; i < births && targets.length > 0; i++) {
      const to = targets[this.choose(targets.length)]
      const from = reached[to][this.choose(reached[to].length)]
      const later = from.map((x, level) => x + (this.choose(3) === 0 ? 1 + this.choose(level === 0 ? 3 : 2) : 0))
      const receiver = this.kind[to] === 'message' ? this.choose(this.workers.length) : worker
      this.stamps.push({ node: to, time: later, worker: receiver })
      this.record(worker, to, later, 1)
    }
    // A message is consumed at once; a capability may stay.
    if (most > 0 && this.kind[node] === 'capability' && this.choose(3) > 0) return
    this.stamps.splice(at, 1)
    this.record(worker, node, time, -1)
  }

  private record(worker: number, node: number, time: Time, delta: number): void {
    const { scope, location } = this.nodes[node]
    const { changes, tables } = this.workers[worker]
    if (scope === 0) changes.update(location, time[0], delta)
    else changes.updateInRegion(scope - 1, location, tables[scope - 1].intern(time[0], time.slice(1)), delta)
  }

  private publish(worker: number, mayHoldBack: boolean): void {
    const { changes } = this.workers[worker]
    if (mayHoldBack && !changes.isDue(() => false)) return
    const message = changes.take()
    if (message !== null) for (const { inbox } of this.workers) inbox[worker].push(message)
  }

  private deliver(receiver: number, sender: number): void {
    const { inbox, tracker } = this.workers[receiver]
    const message = inbox[sender].shift()
    if (message === undefined) return
    applyProgress(message, tracker)
    tracker.propagate()
    this.checkSafe(receiver)
  }

  /** What a worker may forget: outer times before all that it holds or is told of. */
  private release(index: number): void {
    const { tables, tracker, changes } = this.workers[index]
    if (!changes.isEmpty) return
    changes.take()
    tables.forEach((table, region) => {
      const inner = tracker.regions[region]
      const shown = inner.description.queryPorts.flatMap((port) => inner.frontier(port).map((id) => table.outer(id)))
      table.release(Math.min(inner.leastHeld(), 1_000_000, ...shown) - 1)
    })
  }

  /** No frontier of the worker is past a time that something outstanding can still lead to. */
  private checkSafe(index: number): void {
    const { tracker, tables } = this.workers[index]
    for (const { node, time } of this.stamps) {
      const reached = this.reach(node, time)
      for (const port of this.ports) {
        const { scope, location } = this.nodes[port]
        for (const arrival of reached[port]) {
          const closed =
            scope === 0
              ? tracker.isClosed(location, arrival[0])
              : !tracker.regions[scope - 1].frontier(location).some((id) => lessEqual(timeOf(tables[scope - 1], id), arrival))
          if (closed)
            throw new Error(
              `worker ${index} closed ${arrival} at ${scope}/${location}, but ${time} is held at ${JSON.stringify(this.nodes[node])}`,
            )
        }
      }
    }
  }

  /**
   * Without the empty path: a message leads to what is behind its target, never to another one at the same target and
   * time. The protocol depends on that: what such a message came from would be invisible, since the two cancel out.
   */
  private reachOnward(node: number, time: Time): Time[][] {
    const onward = this.flat.edges.filter(({ from }) => from === node).map(({ to, kind }) => this.reach(to, follow(kind, time)))
    return this.kind.map((_, to) => minimal(onward.flatMap((reached) => reached[to])))
  }

  private reach(node: number, time: Time): Time[][] {
    const key = `${node}:${time.join()}`
    let reached = this.walked.get(key)
    if (reached === undefined) {
      reached = walk(this.flat, [[node, time]]).map(minimal)
      this.walked.set(key, reached)
    }
    return reached
  }
}

function timeOf(table: TimeTable, id: number): Time {
  return [table.outer(id), ...Array.from({ length: table.depth(id) }, (_, i) => table.coordinate(id, i + 1))]
}
