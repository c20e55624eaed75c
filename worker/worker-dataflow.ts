/**
 * One dataflow on one of several workers: its operators, its replica of global progress, and what it has to publish.
 *
 * Protocol of a turn: take frames and progress; propagate; run to local quiescence; then publish, as one atomic batch, what was
 * consumed, what was sent, and which capabilities are held now. Nothing is published before quiescence, so rows that
 * wait between operators of one worker need no count: a capability that stands for them has not been given up yet.
 */
import { ExchangeReceiver, ExchangeSender } from '../runtime/channel/exchange.ts'
import type { Exchanger } from '../runtime/channel/exchanger.ts'
import type { Frame } from '../runtime/channel/frame.ts'
import type { ShardTable } from '../runtime/channel/shard-table.ts'
import { invariant } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Schedulable } from '../runtime/graph/schedulable.ts'
import type { DataflowDescription } from '../runtime/progress/dataflow-description.ts'
import { DataflowTracker } from '../runtime/progress/dataflow-tracker.ts'
import { applyProgress, ProgressChanges } from '../runtime/progress/progress-message.ts'
import type { Addressed } from '../runtime/protocol/message.ts'

const NEVER = Number.POSITIVE_INFINITY

export class WorkerDataflow implements Exchanger {
  readonly dataflow: number
  readonly graph: Dataflow
  readonly shards: ShardTable
  private readonly outbox: Addressed[]
  private tracker: DataflowTracker | null = null
  private changes: ProgressChanges | null = null
  /** Operators outside loops that others may hear of, and the capability last published for each. */
  private readonly holders: Schedulable[] = []
  private published = new Float64Array(0)
  private readonly receivers = new Map<number, ExchangeReceiver>()
  /** The graph's activations at the last publication: without new ones nothing held has changed. */
  private publishedAt = -1

  constructor(dataflow: number, graph: Dataflow, shards: ShardTable, outbox: Addressed[]) {
    this.dataflow = dataflow
    this.graph = graph
    this.shards = shards
    this.outbox = outbox
    graph.exchanger = this
  }

  /** Call when all operators exist and before any time passes: sets progress up, the same on every worker. */
  start(): void {
    const description = describe(this.graph)
    this.tracker = new DataflowTracker(description, [], this.shards.workers, this.graph.since)
    this.changes = new ProgressChanges(description, [])
    for (const operator of this.graph.operators) {
      if (operator instanceof ExchangeReceiver) this.receivers.set(operator.id, operator)
      else if (operator.readers.length > 0 || operator instanceof ExchangeSender) this.holders.push(operator)
    }
    this.published = Float64Array.from(this.holders, (operator) => (operator.inputs.length === 0 ? this.graph.since : NEVER))
  }

  deliver(frame: Frame): void {
    const receiver = this.receivers.get(frame.target)
    invariant(receiver !== undefined, `frame for operator ${frame.target}, which receives none`)
    receiver.deliver(frame)
  }

  applyProgress(changes: Float64Array): void {
    applyProgress(changes, this.tracker as DataflowTracker)
  }

  /** What this worker's replica of progress says can still reach an exchange's receiver: the least time. */
  frontierAt(receiver: number): number {
    return (this.tracker as DataflowTracker).frontier(receiver)
  }

  /** Runs a turn of at most `budget` activations; publishes if that reached quiescence. Returns whether it did. */
  turn(budget: number): boolean {
    const tracker = this.tracker as DataflowTracker
    for (const target of tracker.propagate()) this.receivers.get(target)?.setFrontier(tracker.frontier(target))
    if (!this.graph.run(budget)) return false
    this.publish()
    return true
  }

  sendFrame(worker: number, frame: Frame): void {
    this.outbox.push({ to: worker, message: frame })
  }

  count(frame: { readonly target: number; readonly time: number }, delta: number): void {
    ;(this.changes as ProgressChanges).update(frame.target, frame.time, delta)
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
    const message = changes.take()
    if (message === null) return
    for (let to = 0; to < this.shards.workers; to++)
      this.outbox.push({ to, message: { kind: 'progress', generation: this.shards.generation, dataflow: this.dataflow, changes: message } })
  }
}

/** The dataflow's graph for the tracker: a location an operator, by id; an exchange edge leads from sender to receiver. */
function describe(graph: Dataflow): DataflowDescription {
  const edges: { from: number; to: number }[] = []
  for (const operator of graph.operators) {
    for (const port of operator.readers) edges.push({ from: operator.id, to: port.operator.id })
    if (operator instanceof ExchangeSender) edges.push({ from: operator.id, to: operator.target })
  }
  return {
    locations: graph.operators.length,
    edges,
    queryPorts: graph.operators.filter((operator) => operator instanceof ExchangeReceiver).map((operator) => operator.id),
    initialCapabilities: graph.operators
      .filter((operator) => operator.inputs.length === 0 && !(operator instanceof ExchangeReceiver))
      .map((o) => o.id),
    regions: [],
    names: graph.operators.map((operator) => `${operator.name}#${operator.id}`),
  }
}
