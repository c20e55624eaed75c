/** The outputs of a group's jobs at one of its processes: which there are, their rows, and their changes. */
import { MillraceError } from '../../runtime/error.ts'
import { inSpan } from '../../runtime/log/spans.ts'
import { FOLLOWER_QUEUE_BYTES, type Follower, type FollowerWish } from './follower.ts'
import { Unavailable } from './gateway-error.ts'
import { GatewayReader, type ReadRequest, type ReadResult } from './gateway-read.ts'
import { GatewayResponder } from './gateway-responder.ts'
import type { GatewayShape } from './gateway-shape.ts'
import { GatewaySubscription } from './gateway-subscription.ts'
import type { DataflowView, FaceEvents, ProcessView } from './process-view.ts'

/** Followers of one process, of all outputs. */
export const MAXIMUM_FOLLOWERS = 1024

export interface GatewayOptions {
  /** Bytes that may wait for one follower. Default `FOLLOWER_QUEUE_BYTES`. */
  readonly queueBytes?: number
  readonly observer?: GatewayObserver
}

/** For metrics. */
export interface GatewayObserver {
  /** `code` of the error, or null. */
  onRead(seconds: number, code: string | null): void
  onReset(): void
  onOverflow(): void
}

export interface FollowRequest {
  readonly job: string
  readonly output: string
  /** First all rows that are there. */
  readonly snapshot?: boolean
  /** Goes on after this time, which the follower was told before, if that is still possible; else it gets a `reset`. */
  readonly after?: number | null
}

export interface JobStatus {
  readonly name: string
  readonly digest: string
  readonly state: 'running' | 'starting' | 'failed'
  readonly failure: string | null
  /** The last visible time; null while none is. */
  readonly time: number | null
  readonly outputs: readonly GatewayShape[]
}

export class Gateway {
  /** To be called by whoever runs the process. */
  readonly events: FaceEvents
  private readonly view: ProcessView
  private readonly reader: GatewayReader
  private readonly responder: GatewayResponder
  private readonly subscriptions = new Map<string, GatewaySubscription>()
  private readonly queueBytes: number
  private readonly observer: GatewayObserver | undefined
  private isClosed = false

  constructor(view: ProcessView, options: GatewayOptions = {}) {
    this.view = view
    this.queueBytes = options.queueBytes ?? FOLLOWER_QUEUE_BYTES
    this.observer = options.observer
    this.reader = new GatewayReader(view)
    const responder = new GatewayResponder(view)
    this.responder = responder
    view.service.onService((message, answer) => responder.handle(message, answer))
    this.events = {
      onGeneration: () => this.onGeneration(),
      onDataflow: (dataflow) => this.onDataflow(dataflow),
      onVisible: (dataflow, time) => this.onVisible(dataflow, time),
      onRows: (worker, rows) => responder.onRows(worker, rows),
      onChanges: (_, changes) => responder.onChanges(changes),
      onComplete: (worker, complete) => responder.onComplete(worker, complete),
      told: (dataflow) => this.told(dataflow),
    }
  }

  /** Whether it was closed: users should go elsewhere. */
  get isClosing(): boolean {
    return this.isClosed
  }

  /** Jobs of this process's group. */
  get jobs(): readonly JobStatus[] {
    const dataflows = [...(this.view.generation?.dataflows.values() ?? [])]
    return dataflows.map((dataflow) => ({
      name: dataflow.name,
      digest: dataflow.digest,
      state: dataflow.failure !== null ? 'failed' : this.isHydrated(dataflow) ? 'running' : 'starting',
      failure: dataflow.failure?.message ?? null,
      time: this.reader.visible(dataflow),
      outputs: dataflow.outputs.map(({ name }) => this.reader.shape(dataflow, name)),
    }))
  }

  /** Whether all that was visible before is visible again. */
  isHydrated(dataflow: DataflowView): boolean {
    return dataflow.live && this.reader.visible(dataflow) !== null
  }

  /** Changes and rows that wait, and for whom. */
  get load(): { readonly followers: number; readonly subscriptions: number; readonly waitingBytes: number; readonly waitingReads: number } {
    let followers = 0
    let waitingBytes = 0
    for (const subscription of this.subscriptions.values())
      for (const follower of subscription.followers) {
        followers++
        waitingBytes += follower.waitingBytes
      }
    return { followers, subscriptions: this.subscriptions.size, waitingBytes, waitingReads: this.reader.waiters.size }
  }

  /**
   * What reads and followers of an output have to know.
   * @throws MillraceError UNKNOWN_NAME, UNREACHABLE while it starts, JOB if it has stopped
   */
  shape(job: string, output: string): GatewayShape {
    return this.reader.shape(this.reader.dataflow(job), output)
  }

  /** As `shape`, but waits for a generation that is being put together. */
  shapeSoon(job: string, output: string, signal?: AbortSignal): Promise<GatewayShape> {
    return this.reader.shapeSoon(job, output, signal)
  }

  /** @throws MillraceError FENCED, UNREACHABLE, UNKNOWN_NAME, JOB, BAD_TIME, NOT_KEYED, COLUMN_TYPE, OVERFLOW */
  async read(request: ReadRequest): Promise<ReadResult> {
    const { clock } = this.view.environment
    const begun = clock.monotonic()
    let code: string | null = 'ERROR'
    try {
      this.checkOpen()
      const attributes = { 'millrace.job': request.job, 'millrace.output': request.output, 'millrace.keyed': request.key != null }
      const result = await inSpan('millrace.read', attributes, async (span) => {
        const found = await this.reader.read(request)
        if (span.isRecording()) span.setAttributes({ 'millrace.rows': found.rows.length, 'millrace.time': found.time })
        return found
      })
      code = null
      return result
    } catch (error) {
      if (error instanceof MillraceError) code = error.code
      throw error
    } finally {
      this.observer?.onRead((clock.monotonic() - begun) / 1_000_000, code)
    }
  }

  /**
   * Follows an output from now on, through failures.
   * @throws MillraceError as `shape`; OVERFLOW when too many follow already
   */
  follow(request: FollowRequest): Follower {
    this.checkOpen()
    const dataflow = this.reader.dataflow(request.job)
    const shape = this.reader.shape(dataflow, request.output)
    const wish: FollowerWish = { snapshot: request.snapshot === true, after: request.after ?? null }
    if (wish.snapshot && !shape.kept)
      throw new MillraceError('NOT_KEYED', `${request.output} keeps no rows: there is no snapshot of it`, 'Follow it without one.')
    if (this.load.followers >= MAXIMUM_FOLLOWERS)
      throw new Unavailable('OVERFLOW', `${MAXIMUM_FOLLOWERS} followers are here already`, 'Ask another process of the group.', 10)
    const name = `${dataflow.dataflow} ${request.output}`
    let subscription = this.subscriptions.get(name)
    if (subscription === undefined) {
      const host = {
        view: this.view,
        reader: this.reader,
        queueBytes: this.queueBytes,
        onReset: () => this.observer?.onReset(),
        onOverflow: () => this.observer?.onOverflow(),
        onClosed: (closed: GatewaySubscription) => {
          if (this.subscriptions.get(name) === closed) this.subscriptions.delete(name)
        },
      }
      subscription = new GatewaySubscription(host, dataflow, request.output, shape.kept)
      this.subscriptions.set(name, subscription)
    }
    return subscription.join(wish)
  }

  /** Ends all followers, with this said to them; nothing is read any more. */
  close(reason = `${this.view.name} stops: go on at another process`): void {
    this.isClosed = true
    for (const subscription of [...this.subscriptions.values()]) subscription.end(new MillraceError('CLOSED', reason))
    this.view.service.onService(null)
  }

  private checkOpen(): void {
    if (this.isClosed) throw new Unavailable('CLOSED', `${this.view.name} stops`, 'Ask another process of the group.')
  }

  private told(dataflow: number): number | null {
    let least: number | null = null
    for (const subscription of this.subscriptions.values()) {
      const { released } = subscription
      if (subscription.dataflow === dataflow && released !== null) least = Math.min(least ?? released, released)
    }
    return least
  }

  private onGeneration(): void {
    this.responder.onGeneration()
    this.reader.onGeneration()
    for (const subscription of [...this.subscriptions.values()]) subscription.onGeneration()
  }

  private onDataflow(dataflow: number): void {
    const found = this.view.generation?.dataflows.get(dataflow)
    if (found === undefined) this.responder.onGone(dataflow, new MillraceError('UNKNOWN_NAME', `the job was dropped at ${this.view.name}`))
    else if (found.failure !== null) this.responder.onGone(dataflow, new MillraceError('JOB', found.failure.message))
    this.reader.onDataflow(dataflow)
    for (const subscription of this.of(dataflow)) subscription.onDataflow()
  }

  private onVisible(dataflow: number, time: number): void {
    this.reader.onVisible(dataflow, time)
    for (const subscription of this.of(dataflow)) subscription.onVisible()
  }

  private of(dataflow: number): GatewaySubscription[] {
    return [...this.subscriptions.values()].filter((subscription) => subscription.dataflow === dataflow)
  }
}
