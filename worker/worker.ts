/**
 * A worker: an actor without clock, thread or socket. `step(inbox)` takes what arrived, does a bounded amount of work,
 * and returns what it has to say. Whoever hosts it (a caller's thread, a worker thread, a process, a simulation) carries
 * the messages, in order per pair of workers.
 */
import type { ShardTable } from '../runtime/channel/shard-table.ts'
import { Dictionary } from '../runtime/data/dictionary.ts'
import { invariant, MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Addressed, PeerMessage } from '../runtime/protocol/message.ts'
import { WorkerDataflow } from './worker-dataflow.ts'

/** Operator activations that one dataflow gets in one step. */
const TURN_ACTIVATIONS = 256

export class Worker {
  readonly index: number
  readonly shards: ShardTable
  readonly dictionary = new Dictionary()
  readonly dataflows: WorkerDataflow[] = []
  private readonly outbox: Addressed[] = []
  /** Messages that arrived while a dataflow was still at work: it publishes before it takes more. */
  private readonly backlog: PeerMessage[] = []
  private next = 0
  /** Whether the last step of every dataflow ended at quiescence. */
  private quiet = true

  constructor(index: number, shards: ShardTable) {
    this.index = index
    this.shards = shards
  }

  /** Adds a dataflow; `install` makes its operators. All workers add the same dataflows in the same order. */
  add(graph: Dataflow, install: () => void): WorkerDataflow {
    const dataflow = new WorkerDataflow(this.dataflows.length, graph, this.shards, this.outbox)
    install()
    dataflow.start()
    this.dataflows.push(dataflow)
    return dataflow
  }

  /** Takes messages, gives each dataflow its share of work, in turn, and returns messages to send. */
  step(inbox: readonly PeerMessage[], activations = TURN_ACTIVATIONS): Addressed[] {
    for (const message of inbox) this.backlog.push(message)
    if (this.quiet) for (const message of this.backlog.splice(0)) this.take(message)
    this.quiet = true
    for (let i = 0; i < this.dataflows.length; i++) {
      const dataflow = this.dataflows[(this.next + i) % this.dataflows.length]
      if (!dataflow.turn(activations)) this.quiet = false
    }
    this.next = this.dataflows.length === 0 ? 0 : (this.next + 1) % this.dataflows.length
    return this.outbox.splice(0)
  }

  /** Whether another step without messages and without new input would do nothing. */
  get idle(): boolean {
    return this.quiet && this.backlog.length === 0
  }

  /** Messages that arrived and were not taken yet. */
  get waiting(): readonly PeerMessage[] {
    return this.backlog
  }

  private take(message: PeerMessage): void {
    if (message.generation !== this.shards.generation)
      throw new MillraceError('INVARIANT', `a message of generation ${message.generation} reached generation ${this.shards.generation}`)
    const dataflow = this.dataflows[message.dataflow]
    invariant(dataflow !== undefined, `a message for dataflow ${message.dataflow}, which does not exist`)
    if (message.kind === 'frame') dataflow.deliver(message)
    else dataflow.applyProgress(message.changes)
  }
}
