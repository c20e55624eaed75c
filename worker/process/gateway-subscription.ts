/**
 * All followers of one output at this process: one stream of changes from every worker of the group, put together per time, and
 * released in the order of times when the coordinator says that they are visible.
 *
 * Across generations it goes on after the last time that it released: a replay gives the same changes at the same times.
 * Where the replay begins later, the changes in between are lost, and followers start anew with a snapshot.
 */
import type { Timer } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import { bytesOf, type ChangesEvent } from './follow-event.ts'
import { Follower, type FollowerHost, type FollowerWish, type SharedSnapshot } from './follower.ts'
import type { AskChanges, GatewayReply } from './gateway-message.ts'
import type { GatewayReader } from './gateway-read.ts'
import { mergeRows } from './gateway-shape.ts'
import type { Call } from './peer-service.ts'
import type { DataflowView, GenerationView, ProcessView } from './process-view.ts'

/** Bytes of changes that may wait for their time to become visible; beyond, all followers are ended. */
export const PENDING_BYTES = 64 << 20
/** Bytes of released changes that are kept for followers that come back. */
export const HISTORY_BYTES = 1 << 20
/** How long a subscription outlives its last follower, so that one that comes back finds it. */
export const LINGER_MILLISECONDS = 10_000
/** Between attempts to reach a process again within a generation, and how many there are. */
const RETRY_MILLISECONDS = 500
const RETRY_ATTEMPTS = 60
/** How far in the future a time may be that a follower says it has: clocks differ. Microseconds. */
const FUTURE_MICROSECONDS = 60_000_000

const NEVER = Number.NEGATIVE_INFINITY

export interface SubscriptionHost {
  readonly view: ProcessView
  readonly reader: GatewayReader
  readonly queueBytes: number
  onReset(): void
  onOverflow(): void
  /** It has ended: nobody follows any more. */
  onClosed(subscription: GatewaySubscription): void
}

/** A snapshot that somebody needs. */
interface Taken {
  users: number
  readonly rows: Promise<readonly CountedRow[]>
  /** Nobody needs it any more. */
  readonly gone: AbortController
}

interface Stream {
  readonly call: Call
  /** All changes of the process's workers up to here have come. */
  upTo: number
}

export class GatewaySubscription implements FollowerHost {
  readonly job: string
  readonly dataflow: number
  readonly output: string
  readonly followers = new Set<Follower>()
  private readonly host: SubscriptionHost
  private readonly keepsRows: boolean
  /** Followers have all changes up to here; null while it is not known where to start. */
  private releasedTo: number | null = null
  /** A later visible time than this is needed to start anew. */
  private lostAt = NEVER
  private streams: Stream[] = []
  private attached: GenerationView['generation'] | null = null
  private startedIn = -1
  private pending = new Map<number, CountedRow[][]>()
  private pendingBytes = 0
  private history: ChangesEvent[] = []
  private historyBytes = 0
  private historyFrom = NEVER
  private readonly snapshots = new Map<number, Taken>()
  private attempts = 0
  private retry: Timer | null = null
  private linger: Timer | null = null
  private isClosed = false

  constructor(host: SubscriptionHost, dataflow: DataflowView, output: string, keepsRows: boolean) {
    this.host = host
    this.job = dataflow.name
    this.dataflow = dataflow.dataflow
    this.output = output
    this.keepsRows = keepsRows
  }

  get released(): number | null {
    return this.releasedTo
  }

  get queueBytes(): number {
    return this.host.queueBytes
  }

  join(wish: FollowerWish): Follower {
    this.linger?.clear()
    this.linger = null
    const follower = new Follower(this, wish, this.keepsRows)
    this.followers.add(follower)
    if (this.releasedTo === null) this.attach()
    else this.place(follower, this.releasedTo)
    return follower
  }

  onGone(follower: Follower): void {
    this.followers.delete(follower)
    if (this.followers.size > 0 || this.isClosed) return
    this.linger ??= this.host.view.environment.timers.setTimeout(() => this.close(), LINGER_MILLISECONDS, { background: true })
  }

  /** A new generation, or none. */
  onGeneration(): void {
    this.detach()
    this.attempts = 0
    this.attach()
  }

  onDataflow(): void {
    const { generation } = this.host.view
    if (generation === null) return
    const dataflow = generation.dataflows.get(this.dataflow)
    if (dataflow === undefined) this.end(new MillraceError('UNKNOWN_NAME', `${this.job} was dropped`))
    else if (dataflow.failure !== null) this.end(new MillraceError('JOB', `${this.job} has stopped: ${dataflow.failure.message}`))
    else this.attach()
  }

  onVisible(): void {
    this.attach()
    this.release()
  }

  /** Ends all followers. */
  end(error: MillraceError): void {
    for (const follower of [...this.followers]) follower.end(error)
    this.close()
  }

  /** All rows as of a time. Those who begin at the same time share them for as long as one of them needs them. */
  snapshot(time: number): SharedSnapshot {
    let shared = this.snapshots.get(time)
    if (shared === undefined) {
      const gone = new AbortController()
      shared = { users: 0, gone, rows: this.host.reader.snapshot(this.job, this.output, time, gone.signal) }
      // Whoever waits for it hears of it; all may have gone meanwhile.
      shared.rows.catch(() => undefined)
      this.snapshots.set(time, shared)
    }
    const { rows } = shared
    const taken = shared
    taken.users++
    return {
      rows,
      release: () => {
        if (--taken.users > 0) return
        taken.gone.abort()
        if (this.snapshots.get(time) === taken) this.snapshots.delete(time)
      },
    }
  }

  pause(): Promise<void> {
    return new Promise((resolve) => {
      this.host.view.environment.timers.setTimeout(resolve, RETRY_MILLISECONDS, { background: true })
    })
  }

  private close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.detach()
    this.linger?.clear()
    this.host.onClosed(this)
  }

  /** Asks all processes for changes, once the dataflow is there. */
  private attach(): void {
    const { view, reader } = this.host
    const { generation } = view
    const dataflow = generation?.dataflows.get(this.dataflow)
    if (this.isClosed || this.attached !== null || this.retry !== null) return
    if (generation === null || dataflow === undefined || dataflow.outputs.length === 0 || dataflow.failure !== null) return
    const { releasedTo } = this
    // As of `since` itself there is nothing yet, unless what came before it was forgotten.
    const isBehind =
      releasedTo !== null && (releasedTo < dataflow.since || (releasedTo === dataflow.since && this.startedIn !== generation.generation))
    if (isBehind) this.lose(`the job was started again, and its times up to ${dataflow.since} are not computed again`)
    if (this.releasedTo === null) {
      const visible = reader.visible(dataflow)
      if (visible === null || visible <= this.lostAt) return
      this.startedIn = generation.generation
      this.startAt(this.earliest(visible, dataflow))
    }
    this.attached = generation.generation
    const question: AskChanges = {
      kind: 'gateway-follow',
      generation: generation.generation,
      dataflow: this.dataflow,
      output: this.output,
      after: this.releasedTo as number,
    }
    this.streams = generation.members.map(({ process }) => this.stream(process, question))
  }

  /** Where to start so that followers that come back from elsewhere miss nothing that is still kept. */
  private earliest(visible: number, { since, compactTo }: DataflowView): number {
    let start = visible
    for (const { wish } of this.followers)
      if (wish.after !== null && wish.after > since && wish.after >= compactTo) start = Math.min(start, wish.after)
    return start
  }

  private startAt(time: number): void {
    this.releasedTo = time
    this.history = []
    this.historyBytes = 0
    this.historyFrom = time
    for (const follower of this.followers) this.place(follower, time)
  }

  /** Tells a follower where it starts, and what it missed. */
  private place(follower: Follower, released: number): void {
    const { after, snapshot } = follower.wish
    const { clock } = this.host.view.environment
    if (after === null) follower.start(released, snapshot)
    else if (after < this.historyFrom || after > Math.max(released, clock.now()) + FUTURE_MICROSECONDS) {
      this.host.onReset()
      follower.reset(`the changes after ${after} are not kept any more`)
      follower.start(released, true)
    } else {
      follower.start(after, false)
      for (const event of this.history) follower.add(event)
    }
  }

  private stream(process: string, question: AskChanges): Stream {
    const isCurrent = (): boolean => this.streams.includes(stream)
    const call = this.host.view.service.call(process, question, {
      onReply: (message) => {
        if (isCurrent()) this.take(stream, message as GatewayReply)
      },
      onEnd: (error) => {
        if (isCurrent()) this.broken(error ?? new MillraceError('UNREACHABLE', `${process} told no more changes`))
      },
    })
    const stream: Stream = { call, upTo: NEVER }
    return stream
  }

  private take(stream: Stream, message: GatewayReply): void {
    if (message.kind === 'gateway-complete') {
      stream.upTo = message.time
      this.release()
    } else if (message.kind === 'gateway-changes' && message.time > (this.releasedTo as number)) {
      const parts = this.pending.get(message.time)
      if (parts === undefined) this.pending.set(message.time, [message.changes as CountedRow[]])
      else parts.push(message.changes as CountedRow[])
      this.pendingBytes += bytesOf(message.changes)
      if (this.pendingBytes > PENDING_BYTES)
        this.end(new MillraceError('OVERFLOW', `more than ${PENDING_BYTES} bytes of changes wait for their times to become visible`))
    }
  }

  private release(): void {
    if (this.attached === null || this.releasedTo === null) return
    const dataflow = this.host.view.generation?.dataflows.get(this.dataflow)
    let target = dataflow?.visible ?? NEVER
    for (const { upTo } of this.streams) target = Math.min(target, upTo)
    if (dataflow === undefined || target <= this.releasedTo) return
    this.attempts = 0
    const times = [...this.pending.keys()].filter((time) => time <= target).sort((a, b) => a - b)
    const shape = this.host.reader.shape(dataflow, this.output)
    for (const time of times) {
      const parts = this.pending.get(time) as CountedRow[][]
      this.pending.delete(time)
      const changes = mergeRows(parts, shape)
      if (changes.length > 0) this.tell({ kind: 'changes', time, changes, bytes: bytesOf(changes) })
    }
    this.pendingBytes = 0
    for (const parts of this.pending.values()) for (const part of parts) this.pendingBytes += bytesOf(part)
    this.releasedTo = target
  }

  private tell(event: ChangesEvent): void {
    this.history.push(event)
    this.historyBytes += event.bytes
    while (this.historyBytes > HISTORY_BYTES) {
      const dropped = this.history.shift() as ChangesEvent
      this.historyBytes -= dropped.bytes
      this.historyFrom = dropped.time
    }
    for (const follower of [...this.followers]) {
      follower.add(event)
      if (!this.followers.has(follower)) this.host.onOverflow()
    }
  }

  private broken(error: MillraceError): void {
    this.detach()
    switch (error.code) {
      case 'BAD_TIME':
        this.lose(`changes after ${this.releasedTo} are not kept any more`)
        this.attach()
        return
      case 'UNREACHABLE':
      case 'FENCED':
      case 'OVERFLOW':
        if (++this.attempts > RETRY_ATTEMPTS) this.end(error)
        else
          this.retry = this.host.view.environment.timers.setTimeout(
            () => {
              this.retry = null
              this.attach()
            },
            RETRY_MILLISECONDS,
            { background: true },
          )
        return
      default:
        this.end(error)
    }
  }

  private lose(reason: string): void {
    this.lostAt = this.releasedTo ?? NEVER
    this.releasedTo = null
    this.history = []
    this.historyBytes = 0
    for (const follower of this.followers) {
      this.host.onReset()
      follower.reset(reason)
    }
  }

  private detach(): void {
    const { streams } = this
    this.streams = []
    this.attached = null
    this.pending = new Map()
    this.pendingBytes = 0
    this.retry?.clear()
    this.retry = null
    for (const { call } of streams) call.cancel()
  }
}
