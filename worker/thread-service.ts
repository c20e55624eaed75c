/**
 * What a dataflow thread does with the commands of its process' main thread: an actor around a worker.
 *
 * Errors have four ends. A wrong row becomes an error row. A question that cannot be answered is answered with an error. An operator
 * that throws, or a job that cannot be installed, ends its dataflow here (`failed`), and nothing else. A broken invariant ends
 * everything (`broken`): nothing is done or said any more.
 */
import { ShardTable } from '../runtime/channel/shard-table.ts'
import { MillraceError } from '../runtime/error.ts'
import { isGarbageDue } from '../runtime/graph/garbage.ts'
import type { PeerMessage } from '../runtime/protocol/message.ts'
import type { Configure, FollowOutput, InstallDataflow, ReadOutput, ThreadCommand } from '../runtime/protocol/thread.ts'
import type { JobLoader } from './job-loader.ts'
import { PeerCodec } from './thread/peer-codec.ts'
import { ThreadDataflow } from './thread/thread-dataflow.ts'
import { ThreadGraph } from './thread/thread-graph.ts'
import { StatsCounter } from './thread/thread-stats.ts'
import { OUTBOUND_WINDOW_BYTES, type ThreadActor, type ThreadOutlet } from './thread-actor.ts'
import { Worker } from './worker.ts'

/** Steps after which garbage that is due is collected even if some dataflow never comes to rest by itself. */
const GARBAGE_PATIENCE_STEPS = 256

export interface ThreadServiceOptions {
  readonly outlet: ThreadOutlet
  readonly loader: JobLoader
  /** Microseconds; never goes back. */
  readonly monotonic: () => number
}

/** A worker in one generation. */
interface Seat {
  readonly worker: Worker
  readonly codec: PeerCodec
  /** A message of another worker is gone. Nothing is computed any more, since it might be wrong: a new generation comes. */
  isDamaged: boolean
  /** In the order of their installation. */
  readonly dataflows: Map<number, ThreadDataflow>
  /** By request of a follower the dataflow that it follows. */
  readonly follows: Map<number, number>
}

export class ThreadService implements ThreadActor {
  private readonly options: ThreadServiceOptions
  private readonly outlet: ThreadOutlet
  private readonly stats: StatsCounter
  /** Since the thread started. */
  private readonly exchanged = { framesOut: 0, bytesOut: 0, framesIn: 0, bytesIn: 0 }
  private seat: Seat | null = null
  /** What this worker says to itself, and what the others have said. */
  private inbox: PeerMessage[] = []
  /** Whether a command may have made work. */
  private stirred = false
  private isBroken = false
  /** Steps for which garbage has been due. */
  private postponed = 0

  constructor(options: ThreadServiceOptions) {
    this.options = options
    this.outlet = options.outlet
    this.stats = new StatsCounter(options.monotonic)
  }

  get idle(): boolean {
    const { seat } = this
    return this.isBroken || seat === null || seat.isDamaged || (!this.stirred && this.inbox.length === 0 && seat.worker.idle)
  }

  get wantsFeed(): boolean {
    if (this.outlet.outboundBytes > OUTBOUND_WINDOW_BYTES) return false
    const { seat } = this
    if (seat === null) return true
    if (seat.isDamaged) return false
    for (const dataflow of seat.dataflows.values()) if (dataflow.isFull) return false
    return true
  }

  handle(command: ThreadCommand): void {
    if (this.isBroken) return
    this.stirred = true
    this.guarded(() => this.obey(command))
  }

  takePeer(from: number, bytes: Uint8Array): void {
    const { seat } = this
    if (seat === null || seat.isDamaged || this.isBroken) return
    this.exchanged.framesIn++
    this.exchanged.bytesIn += bytes.length
    this.guarded(() => {
      try {
        const message = seat.codec.decode(from, bytes)
        if (message !== null) this.inbox.push(message)
      } catch (error) {
        this.damaged(seat, [from], error)
      }
    })
  }

  step(activations?: number): void {
    const { seat } = this
    if (seat === null || seat.isDamaged || this.isBroken) return
    this.guarded(() => {
      this.stirred = false
      const inbox = this.inbox
      this.inbox = []
      try {
        this.work(seat, inbox, this.postponed > GARBAGE_PATIENCE_STEPS ? Number.POSITIVE_INFINITY : activations)
      } catch (error) {
        this.damaged(
          seat,
          inbox.map(({ from }) => from),
          error,
        )
        return
      }
      this.tell(seat)
      this.collect(seat)
    })
  }

  /**
   * A message that is none, or that refers to one that never came, says nothing about this thread's state if it came from another
   * process. Any other error is thrown.
   */
  private damaged(seat: Seat, from: readonly number[], error: unknown): void {
    const suspects = new Set(from.filter((worker) => seat.codec.isRemote(worker)))
    if (!(error instanceof MillraceError) || error.code !== 'PROTOCOL' || suspects.size === 0) throw error
    seat.isDamaged = true
    this.inbox = []
    for (const suspect of suspects) this.outlet.event({ kind: 'damaged', from: suspect, message: error.message })
  }

  private work({ worker, codec }: Seat, inbox: readonly PeerMessage[], activations: number | undefined): void {
    for (const { to, message } of worker.step(inbox, activations)) {
      if (to === worker.index) this.inbox.push(message)
      else {
        const bytes = codec.encode(to, message)
        this.exchanged.framesOut++
        this.exchanged.bytesOut += bytes.length
        this.outlet.peer(to, bytes)
      }
    }
  }

  /** Changes come before the `complete` that covers them. */
  private tell({ dataflows }: Seat): void {
    for (const [id, dataflow] of dataflows) {
      try {
        if (dataflow.tell((changes) => this.outlet.event(changes)))
          this.outlet.event({ kind: 'complete', dataflow: id, time: dataflow.complete })
      } catch (error) {
        this.fail(id, error)
      }
    }
  }

  /** Dead keys and texts, when tables have doubled; only while no operator is in the middle of something. */
  private collect({ worker, dataflows }: Seat): void {
    const graphs = [...dataflows.values()].map(({ graph }) => graph)
    const isDone = !isGarbageDue(worker.dictionary, graphs) || worker.collectGarbage()
    this.postponed = isDone ? 0 : this.postponed + 1
  }

  private obey(command: ThreadCommand): void {
    switch (command.kind) {
      case 'configure':
        this.configure(command)
        break
      case 'install':
        this.install(command)
        break
      case 'start':
        this.within(command.dataflow, (dataflow) => dataflow.start(command.times))
        break
      case 'drop':
        this.drop(command.dataflow)
        break
      case 'feed':
        this.within(command.dataflow, (dataflow) => dataflow.feed(command))
        break
      case 'advance':
        this.within(command.dataflow, (dataflow) => dataflow.advance(command.time))
        break
      case 'visible':
        this.within(command.dataflow, (dataflow) => dataflow.show(command.time, command.compactTo))
        break
      case 'read':
        this.read(command)
        break
      case 'follow':
        this.follow(command)
        break
      case 'unfollow':
        this.unfollow(command.request)
        break
      case 'ask-stats':
        this.tellStats()
        break
      case 'stop':
        this.stop()
        break
      case 'peer':
        this.takePeer(command.from, command.bytes)
        break
    }
  }

  /** Nothing is known any more, until the next generation. */
  private stop(): void {
    this.seat = null
    this.inbox = []
  }

  private configure(command: Configure): void {
    const { generation, index, workers, owners, protocol } = command
    const shards = new ShardTable(generation, workers, Int32Array.from(owners))
    const worker = new Worker(index, shards, () => protocol)
    worker.onFailure = (dataflow, error) => this.fail(dataflow, error)
    this.seat = { worker, codec: new PeerCodec(command), isDamaged: false, dataflows: new Map(), follows: new Map() }
    this.inbox = []
    this.postponed = 0
    this.outlet.event({ kind: 'configured', generation })
  }

  private install(command: InstallDataflow): void {
    const { seat } = this
    if (seat === null) return
    const { dataflow: id, name, since, digest, code } = command
    try {
      const { job } = this.options.loader.load(digest, code)
      const graph = new ThreadGraph(name, seat.worker.dictionary, since + 1)
      const dataflow = new ThreadDataflow(command, graph, job)
      seat.worker.add(id, graph, () => dataflow.build(job))
      seat.dataflows.set(id, dataflow)
      this.outlet.event({ kind: 'installed', dataflow: id, outputs: dataflow.shapes, temporal: dataflow.temporal })
    } catch (error) {
      this.fail(id, error)
    }
  }

  private drop(id: number): void {
    const { seat } = this
    if (seat === null) return
    seat.worker.drop(id)
    seat.dataflows.delete(id)
    for (const [request, dataflow] of seat.follows) if (dataflow === id) seat.follows.delete(request)
  }

  /** Does something with a dataflow, unless it is gone, and drops it if it throws. */
  private within(id: number, work: (dataflow: ThreadDataflow) => void): void {
    const dataflow = this.seat?.dataflows.get(id)
    if (dataflow === undefined) return
    try {
      work(dataflow)
    } catch (error) {
      this.fail(id, error)
    }
  }

  private read(query: ReadOutput): void {
    const { request } = query
    this.answered(request, () => {
      const rows = this.dataflow(query.dataflow).read(query)
      this.outlet.event({ kind: 'rows', request, rows, error: null })
    })
  }

  private follow(command: FollowOutput): void {
    const { request, dataflow } = command
    this.answered(request, () => {
      this.dataflow(dataflow).follow(command, (changes) => this.outlet.event(changes))
      this.seat?.follows.set(request, dataflow)
      this.outlet.event({ kind: 'rows', request, rows: [], error: null })
    })
  }

  private unfollow(request: number): void {
    const { seat } = this
    const id = seat?.follows.get(request)
    if (seat === null || id === undefined) return
    seat.follows.delete(request)
    seat.dataflows.get(id)?.unfollow(request)
  }

  private tellStats(): void {
    const { busy, inboundMessages, heapBytes } = this.outlet.load()
    const { worker, dataflows } = this.seat ?? { worker: null, dataflows: new Map<number, ThreadDataflow>() }
    const stats = {
      worker: worker?.index ?? -1,
      busy,
      outboundBytes: this.outlet.outboundBytes,
      inboundMessages: inboundMessages + this.inbox.length + (worker?.waiting.length ?? 0),
      heapBytes,
      exchanged: this.exchanged,
      dataflows: [...dataflows.values()].map((dataflow) => this.stats.of(dataflow)),
    }
    this.outlet.event({ kind: 'stats', stats })
  }

  private dataflow(id: number): ThreadDataflow {
    const dataflow = this.seat?.dataflows.get(id)
    if (dataflow === undefined) throw new MillraceError('UNKNOWN_NAME', `there is no dataflow ${id}`, 'It was dropped, or has failed.')
    return dataflow
  }

  /** What cannot be answered is answered with the reason. */
  private answered(request: number, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code === 'INVARIANT') throw error
      this.outlet.event({ kind: 'rows', request, rows: [], error: { code: error.code, message: error.message } })
    }
  }

  /** A dataflow cannot go on here. */
  private fail(id: number, error: unknown): void {
    if (error instanceof MillraceError && error.code === 'INVARIANT') throw error
    this.drop(id)
    const [code, message] = error instanceof MillraceError ? [error.code, error.message] : ['JOB', String(error)]
    this.outlet.event({ kind: 'failed', dataflow: id, code, message })
  }

  /** Whatever comes out here leaves the thread's state unknown. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.isBroken = true
      this.stop()
      this.outlet.event({ kind: 'broken', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
}
