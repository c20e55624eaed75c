/**
 * One dataflow on one of several workers: its operators, its replica of global progress, and what it has to publish.
 *
 * Protocol of a turn: take frames and progress; propagate; run to local quiescence; then publish, as one atomic batch, what was
 * consumed, what was sent, and which capabilities are held now. Nothing is published before quiescence, so rows that
 * wait between operators of one worker need no count: a capability that stands for them has not been given up yet.
 *
 * A receiver's frontier is that of the sending halves, on all workers: frames and progress of one worker to another keep their order, so when
 * this worker has heard that nobody can send at a time any more, all frames of that time for it are there. What others have not taken
 * yet does not matter to it, only to what is behind the next exchange. So a time takes one round of messages an exchange, not two.
 *
 * What nobody waits for is not published at once: that a frame was taken at a time at which some worker may still send others by the
 * same exchange. Nobody's frontier can pass there before all of them are done with the time, which does not depend on what is behind
 * the exchange, since outside of loops nothing leads back. So of all frames of an exchange at a time a worker says in one message that it
 * has taken them. (Naiad has fewer messages by adding them up for each process: SOSP 2013, section 3.3.)
 */
import { ExchangeReceiver } from '../runtime/channel/exchange-receiver.ts'
import { ExchangeSender } from '../runtime/channel/exchange-sender.ts'
import type { Exchanger } from '../runtime/channel/exchanger.ts'
import type { Frame } from '../runtime/channel/frame.ts'
import type { RowOwners } from '../runtime/channel/row-owners.ts'
import { ShardSample } from '../runtime/channel/shard-sample.ts'
import type { ShardTable } from '../runtime/channel/shard-table.ts'
import type { StringSender } from '../runtime/channel/string-channel.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Schedulable } from '../runtime/graph/schedulable.ts'
import type { TrackedRegion } from '../runtime/graph/tracked-region.ts'
import type { DataflowDescription, RegionNode } from '../runtime/progress/dataflow-description.ts'
import { DataflowTracker } from '../runtime/progress/dataflow-tracker.ts'
import { applyProgress, ProgressChanges } from '../runtime/progress/progress-message.ts'
import type { PeerMessage, ProgressUpdate } from '../runtime/protocol/message.ts'

/** What a dataflow needs of the worker that it is on. */
export interface WorkerPort {
  readonly index: number
  readonly shards: ShardTable
  readonly owners: RowOwners
  stringsTo(worker: number): StringSender
  send(to: number, message: PeerMessage): void
}

const NEVER = Number.POSITIVE_INFINITY

export class WorkerDataflow implements Exchanger {
  readonly dataflow: number
  readonly graph: Dataflow
  readonly shards: ShardTable
  readonly worker: number
  readonly owners: RowOwners
  readonly shardSample: ShardSample
  private readonly port: WorkerPort
  private tracker: DataflowTracker | null = null
  private changes: ProgressChanges | null = null
  /** Operators outside loops that others may hear of, and the capability last published for each. */
  private readonly holders: Schedulable[] = []
  private published = new Float64Array(0)
  /** By location: for the receiving half of an exchange the location of its sending half; else -1. */
  private senders = new Int32Array(0)
  private readonly receivers = new Map<number, ExchangeReceiver>()
  /** By location of the sending half: outside loops the receiving half of its exchange. */
  private readonly receiverOf = new Map<number, ExchangeReceiver>()
  /** Receivers inside loops: the region, and their location in it. */
  private readonly inside = new Map<number, { readonly region: number; readonly location: number }>()
  /** Senders with rows that have not gone yet. */
  private readonly gathering: { flush(): void }[] = []
  /** The graph's activations at the last publication: without new ones nothing held has changed. */
  private publishedAt = -1

  constructor(dataflow: number, graph: Dataflow, port: WorkerPort) {
    this.dataflow = dataflow
    this.graph = graph
    this.shards = port.shards
    this.worker = port.index
    this.owners = port.owners
    this.shardSample = new ShardSample(graph.dictionary)
    this.port = port
    graph.exchanger = this
  }

  /** Call when all operators exist and before any time passes: sets progress up, the same on every worker. */
  start(): void {
    const { regions } = this.graph
    const members = membersOf(this.graph)
    const description = describe(this.graph, members)
    const tables = regions.map(({ times }) => times)
    const tracker = new DataflowTracker(description, tables, this.shards.workers, this.graph.since)
    const changes = new ProgressChanges(description, tables)
    this.tracker = tracker
    this.changes = changes
    regions.forEach((region, r) => {
      region.share(tracker.regions[r], (location, time, delta) => changes.updateInRegion(r, location, time, delta))
    })
    for (const operator of this.graph.operators) {
      const region = members.get(operator)
      if (operator instanceof ExchangeReceiver) {
        this.receivers.set(operator.id, operator)
        if (region !== undefined) this.inside.set(operator.id, { region, location: regions[region].locationOf(operator) })
      } else if (region !== undefined) continue
      else if (operator.readers.length > 0 || operator instanceof ExchangeSender) this.holders.push(operator)
    }
    this.senders = new Int32Array(this.graph.operators.length).fill(-1)
    for (const holder of this.holders) {
      if (!(holder instanceof ExchangeSender)) continue
      this.senders[holder.target] = holder.id
      this.receiverOf.set(holder.id, this.receivers.get(holder.target) as ExchangeReceiver)
    }
    this.published = Float64Array.from(this.holders, (operator) => (operator.inputs.length === 0 ? this.graph.since : NEVER))
  }

  deliver(frame: Frame): void {
    const receiver = this.receivers.get(frame.target)
    if (receiver === undefined)
      throw new MillraceError('PROTOCOL', `a frame for operator ${frame.target} of dataflow ${this.dataflow}, which receives none`)
    receiver.deliver(frame)
  }

  applyProgress(changes: Float64Array): void {
    applyProgress(changes, this.tracker as DataflowTracker)
  }

  /** What this worker's replica of progress says can still reach an exchange's receiver outside loops on this worker: the least time. */
  frontierAt(receiver: number): number {
    return (this.tracker as DataflowTracker).frontier(this.senders[receiver])
  }

  /** Runs a turn of at most `budget` activations; publishes if that reached quiescence. Returns whether it did. */
  turn(budget: number): boolean {
    const tracker = this.tracker as DataflowTracker
    for (const sender of tracker.propagate()) this.receiverOf.get(sender)?.setFrontier(tracker.frontier(sender))
    const quiet = this.graph.run(budget)
    for (let i = 0; i < this.gathering.length; i++) this.gathering[i].flush()
    this.gathering.length = 0
    if (!quiet) return false
    this.publish()
    for (const region of this.graph.regions) region.compactShared()
    return true
  }

  stringsTo(worker: number): StringSender {
    return this.port.stringsTo(worker)
  }

  sendFrame(worker: number, frame: Frame): void {
    this.port.send(worker, frame)
  }

  flushLater(sender: { flush(): void }): void {
    this.gathering.push(sender)
  }

  count(target: number, time: number, delta: number): void {
    const changes = this.changes as ProgressChanges
    const inside = this.inside.get(target)
    if (inside === undefined) changes.update(target, time, delta)
    else changes.updateInRegion(inside.region, inside.location, time, delta)
  }

  private readonly isCovered = (location: number, time: number): boolean => {
    const sender = this.senders[location]
    return sender >= 0 && (this.tracker as DataflowTracker).frontier(sender) <= time
  }

  private publish(): void {
    if (this.publishedAt === this.graph.activations) return
    this.publishedAt = this.graph.activations
    const changes = this.changes as ProgressChanges
    for (let i = 0; i < this.holders.length; i++) {
      const operator = this.holders[i]
      const held = operator.heldTime()
      const before = this.published[i]
      if (held === before) continue
      if (before !== NEVER) changes.update(operator.id, before, -1)
      if (held !== NEVER) changes.update(operator.id, held, 1)
      this.published[i] = held
    }
    // What waits is looked at again when the frontier moves, since the receiver runs then. Inside loops ids of times would have to be kept for it.
    if (this.graph.regions.length === 0 && !changes.isDue(this.isCovered)) return
    const message = changes.take()
    if (message === null) return
    const { generation, workers } = this.shards
    const update: ProgressUpdate = { kind: 'progress', generation, dataflow: this.dataflow, from: this.worker, changes: message }
    for (let to = 0; to < workers; to++) this.port.send(to, update)
  }
}

/** Operators whose output is inside a loop, with the number of the region. */
function membersOf(graph: Dataflow): Map<Schedulable, number> {
  const members = new Map<Schedulable, number>()
  graph.regions.forEach((region, r) => {
    for (const operator of region.outline().members) members.set(operator, r)
  })
  return members
}

/** The dataflow's graph for the tracker: a location an operator, by id; an exchange edge leads from sender to receiver. */
function describe(graph: Dataflow, members: ReadonlyMap<Schedulable, number>): DataflowDescription {
  const edges: { from: number; to: number }[] = []
  const outside = graph.operators.filter((operator) => !members.has(operator))
  for (const operator of outside) {
    for (const port of operator.readers) if (!members.has(port.operator)) edges.push({ from: operator.id, to: port.operator.id })
    if (operator instanceof ExchangeSender) edges.push({ from: operator.id, to: operator.target })
  }
  return {
    locations: graph.operators.length,
    edges,
    queryPorts: outside.filter((operator) => operator instanceof ExchangeSender).map((operator) => operator.id),
    initialCapabilities: outside
      .filter((operator) => operator.inputs.length === 0 && !(operator instanceof ExchangeReceiver))
      .map((operator) => operator.id),
    regions: graph.regions.map((region) => regionNode(region, graph)),
    names: graph.operators.map((operator) => `${operator.name}#${operator.id}`),
  }
}

/** A loop as a node between what it is entered from and what leaves it. */
function regionNode(region: TrackedRegion, graph: Dataflow): RegionNode {
  const { description, entrances, exits } = region.outline()
  return {
    description,
    inputs: entrances.flatMap(({ operator, location }) =>
      graph.operators
        .filter((source) => source.readers.some((port) => port.operator === operator))
        .map((source) => ({ from: source.id, ingress: location })),
    ),
    outputs: exits.map(({ operator, location }) => ({ egress: location, to: operator.id })),
  }
}
