/**
 * A worker: an actor without clock, thread or socket. `step(inbox)` takes what arrived, does a bounded amount of work,
 * and returns what it has to say. Whoever hosts it (a caller's thread, a worker thread, a process, a simulation) carries
 * the messages, in order per pair of workers. A worker lives for one generation.
 */
import type { Frame } from '../runtime/channel/frame.ts'
import { RowOwners } from '../runtime/channel/row-owners.ts'
import type { ShardTable } from '../runtime/channel/shard-table.ts'
import { StringReceiver, StringSender } from '../runtime/channel/string-channel.ts'
import { Dictionary } from '../runtime/data/dictionary.ts'
import { invariant } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { collectGarbage } from '../runtime/graph/garbage.ts'
import type { Addressed, PeerMessage } from '../runtime/protocol/message.ts'
import { PROTOCOL_MOST } from '../runtime/protocol/version.ts'
import { WorkerDataflow, type WorkerPort } from './worker-dataflow.ts'

/** Operator activations that one dataflow gets in one step. */
const TURN_ACTIVATIONS = 256
/** Messages that are kept for dataflows that other workers have and this one has not yet. */
const MAXIMUM_EARLY_MESSAGES = 1 << 14

export class Worker implements WorkerPort {
  readonly index: number
  readonly shards: ShardTable
  readonly dictionary = new Dictionary()
  readonly owners: RowOwners
  /** In the order in which they were added. */
  readonly dataflows: WorkerDataflow[] = []
  /**
   * Hears of a dataflow that threw and was dropped for it; the others go on. Without it `step` throws, and the worker's state can
   * no longer be trusted.
   */
  onFailure: ((dataflow: number, error: unknown) => void) | null = null
  /**
   * Takes each message at the moment when it is made, in place of the result of `step`: a host that turns it into bytes at once finds
   * its rows in the nearest cache, and few frames are in memory at a time. Called within `step`, and when inputs flush.
   */
  outlet: ((to: number, message: PeerMessage) => void) | null = null
  private readonly byId = new Map<number, WorkerDataflow>()
  /** Ids that are over; never reused, so this is one number for each dataflow that was dropped in this generation. */
  private readonly dropped = new Set<number>()
  private readonly outbox: Addressed[] = []
  /** Messages that arrived while a dataflow was still at work: it publishes before it takes more. */
  private readonly backlog: PeerMessage[] = []
  /** Messages for dataflows that are not added yet, by id. */
  private readonly early = new Map<number, PeerMessage[]>()
  private earlyCount = 0
  /** By worker, from the first string on: what it knows of this worker's dictionary, and this one of its. */
  private readonly senders: (StringSender | undefined)[] = []
  private readonly receivers: (StringReceiver | undefined)[] = []
  private readonly protocolOf: (worker: number) => number
  private next = 0
  /** Whether the last step of every dataflow ended at quiescence. */
  private quiet = true

  /** @param protocolOf the protocol version that another worker speaks */
  constructor(index: number, shards: ShardTable, protocolOf: (worker: number) => number = () => PROTOCOL_MOST) {
    this.index = index
    this.shards = shards
    this.owners = new RowOwners(shards, this.dictionary)
    this.protocolOf = protocolOf
  }

  /**
   * Adds a dataflow; `install` makes its operators, the same ones in the same order on all workers. The id is the same on all
   * workers and never used again in the generation; what others said about it before is taken now.
   */
  add(id: number, graph: Dataflow, install: () => void): WorkerDataflow {
    invariant(!this.byId.has(id) && !this.dropped.has(id), `dataflow ${id} is added twice`)
    const dataflow = new WorkerDataflow(id, graph, this)
    install()
    dataflow.start()
    this.dataflows.push(dataflow)
    this.byId.set(id, dataflow)
    this.backlog.unshift(...this.takeEarly(id))
    return dataflow
  }

  /** Forgets a dataflow, added or not. What others still say about it is ignored. Not within a step. */
  drop(id: number): void {
    this.dropped.add(id)
    this.takeEarly(id).forEach(release)
    const dataflow = this.byId.get(id)
    if (dataflow === undefined) return
    this.byId.delete(id)
    this.dataflows.splice(this.dataflows.indexOf(dataflow), 1)
  }

  get(id: number): WorkerDataflow | undefined {
    return this.byId.get(id)
  }

  /** Takes messages, gives each dataflow its share of work, in turn, and returns messages to send. */
  step(inbox: readonly PeerMessage[], activations = TURN_ACTIVATIONS): Addressed[] {
    for (let i = 0; i < inbox.length; i++) this.receive(inbox[i])
    if (this.quiet && this.backlog.length > 0) for (const message of this.backlog.splice(0)) this.take(message)
    this.quiet = true
    const { dataflows } = this
    const failures: { readonly dataflow: WorkerDataflow; readonly error: unknown }[] = []
    for (let i = 0; i < dataflows.length; i++) {
      const dataflow = dataflows[(this.next + i) % dataflows.length]
      try {
        if (!dataflow.turn(activations)) this.quiet = false
      } catch (error) {
        failures.push({ dataflow, error })
      }
    }
    this.next = dataflows.length === 0 ? 0 : (this.next + 1) % dataflows.length
    for (const { dataflow, error } of failures) this.fail(dataflow, error)
    return this.outbox.splice(0)
  }

  /** Whether another step without messages and without new input would do nothing. */
  get idle(): boolean {
    return this.quiet && this.backlog.length === 0
  }

  /** Messages that arrived and were not taken yet. */
  get waiting(): readonly PeerMessage[] {
    return this.early.size === 0 ? this.backlog : [...this.backlog, ...[...this.early.values()].flat()]
  }

  /** Frees keys and strings that nothing refers to any more; not within a step, nor while a dataflow is at work. Returns whether it did. */
  collectGarbage(): boolean {
    return (
      this.quiet &&
      collectGarbage(
        this.dictionary,
        this.dataflows.map(({ graph }) => graph),
        [this],
      )
    )
  }

  /** What arrived and waits, and what frames that are still to come may refer to: roots of every collection. */
  markDictionary(dictionary: Dictionary): void {
    for (const receiver of this.receivers) receiver?.markDictionary(dictionary)
    for (const message of this.waiting) if (message.kind === 'frame') markFrame(dictionary, message)
  }

  stringsTo(worker: number): StringSender {
    let sender = this.senders[worker]
    if (sender === undefined) sender = this.senders[worker] = new StringSender(this.dictionary, this.protocolOf(worker) >= 2)
    return sender
  }

  send(to: number, message: PeerMessage): void {
    if (this.outlet === null) this.outbox.push({ to, message })
    else this.outlet(to, message)
  }

  private receive(message: PeerMessage): void {
    const { generation } = this.shards
    if (message.generation < generation) {
      release(message)
      return
    }
    invariant(message.generation === generation, `a message of generation ${message.generation} reached generation ${generation}`)
    if (message.kind === 'frame' && message.interned.length > 0) this.stringsFrom(message.from).translate(message)
    this.backlog.push(message)
  }

  private take(message: PeerMessage): void {
    const dataflow = this.byId.get(message.dataflow)
    if (dataflow === undefined) {
      if (this.dropped.has(message.dataflow)) release(message)
      else this.keepEarly(message)
      return
    }
    try {
      if (message.kind === 'frame') dataflow.deliver(message)
      else dataflow.applyProgress(message.changes)
    } catch (error) {
      this.fail(dataflow, error)
    }
  }

  private stringsFrom(worker: number): StringReceiver {
    let receiver = this.receivers[worker]
    if (receiver === undefined) receiver = this.receivers[worker] = new StringReceiver(this.dictionary)
    return receiver
  }

  private keepEarly(message: PeerMessage): void {
    const id = message.dataflow
    invariant(this.earlyCount < MAXIMUM_EARLY_MESSAGES, `${this.earlyCount} messages wait for dataflows such as ${id}, which are not here`)
    const kept = this.early.get(id)
    if (kept === undefined) this.early.set(id, [message])
    else kept.push(message)
    this.earlyCount++
  }

  private takeEarly(id: number): readonly PeerMessage[] {
    const kept = this.early.get(id) ?? []
    this.early.delete(id)
    this.earlyCount -= kept.length
    return kept
  }

  private fail(dataflow: WorkerDataflow, error: unknown): void {
    if (this.onFailure === null) throw error
    this.drop(dataflow.dataflow)
    this.onFailure(dataflow.dataflow, error)
  }
}

function release(message: PeerMessage): void {
  if (message.kind === 'frame') message.batch.release()
}

function markFrame(dictionary: Dictionary, { batch, interned }: Frame): void {
  for (const c of interned) for (let i = 0; i < batch.n; i++) dictionary.mark(batch.columns[c][i])
}
