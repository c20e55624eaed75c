/** The face of a worker process: its gateway, its HTTP API, its admin port and its metrics, put together. */
import type { Timer } from '../../runtime/env/environment.ts'
import type { HttpHandler } from '../../runtime/env/network.ts'
import { adminHandler } from '../../runtime/log/admin-handler.ts'
import { type Log, silentLog } from '../../runtime/log/log.ts'
import { showsToken } from '../../runtime/protocol/request-guard.ts'
import { type Readiness, readiness } from './admin-ready.ts'
import { Gateway } from './gateway.ts'
import { ProcessMetrics } from './metrics.ts'
import { LagMeter } from './metrics-lag.ts'
import type { FaceEvents, ProcessFace, ProcessView } from './process-view.ts'
import { queryHandler } from './query-http.ts'

export interface FaceOptions {
  /** Required of whoever asks; null only for a server that listens on loopback. */
  readonly token: string | null
  /** Of the release. */
  readonly version: string
  readonly log?: Log
  /** A process whose jobs lag more is not ready. Default `READY_LAG_MILLISECONDS`. */
  readonly readyLagMilliseconds?: number
  /** Bytes that may wait for one follower. Default `FOLLOWER_QUEUE_BYTES`. */
  readonly followerQueueBytes?: number
  /** Whether metrics have those of the Node process, too: once a process. Default false. */
  readonly nodeMetrics?: boolean
}

/** Between looks at how far jobs lag. */
const LAG_SAMPLE_MILLISECONDS = 500

export class GatewayFace implements ProcessFace {
  readonly gateway: Gateway
  readonly events: FaceEvents
  /** The HTTP API, for the port at which other processes connect. */
  readonly handler: HttpHandler
  /** For the admin port. */
  readonly admin: HttpHandler
  readonly metrics: ProcessMetrics
  private readonly view: ProcessView
  private readonly lag: LagMeter
  private readonly readyLagMilliseconds: number | undefined
  private readonly sampling: Timer

  constructor(view: ProcessView, options: FaceOptions) {
    const { token, version, nodeMetrics = false, followerQueueBytes } = options
    const log = options.log ?? silentLog
    const { clock, timers } = view.environment
    this.view = view
    this.readyLagMilliseconds = options.readyLagMilliseconds
    const lag = new LagMeter(clock, () => view.generation)
    this.lag = lag
    const metrics = new ProcessMetrics({ view, lag, version, isReady: () => this.readiness.ready, ofNode: nodeMetrics })
    this.metrics = metrics
    this.gateway = new Gateway(view, {
      observer: metrics.observer,
      ...(followerQueueBytes === undefined ? {} : { queueBytes: followerQueueBytes }),
    })
    metrics.attach(this.gateway)
    const { events } = this.gateway
    this.events = {
      ...events,
      onGeneration: () => {
        if (view.generation !== null) metrics.onGeneration()
        events.onGeneration()
      },
      onVisible: (dataflow, time) => {
        const job = view.generation?.dataflows.get(dataflow)?.name
        const seconds = lag.onVisible(dataflow, time)
        if (job !== undefined && seconds !== null) metrics.onLatency(job, seconds)
        events.onVisible(dataflow, time)
      },
    }
    this.handler = queryHandler({ gateway: this.gateway, timers, token, log, onAnswer: metrics.onAnswer })
    this.admin = adminHandler({
      missing: () => this.readiness.missing,
      metrics,
      isAllowed: (request) => token === null || showsToken(request, token),
    })
    this.sampling = timers.setInterval(() => lag.sample(), LAG_SAMPLE_MILLISECONDS, { background: true })
  }

  get readiness(): Readiness {
    return readiness(this.view, this.gateway, this.lag, this.readyLagMilliseconds)
  }

  /** Not ready from now on; all followers hear that they go on elsewhere. */
  close(reason?: string): void {
    this.sampling.clear()
    this.gateway.close(reason)
  }
}
