/** The metrics of a worker process, asked of what the process knows of itself. */
import { type Fill, MetricSet } from '../../runtime/log/metric-set.ts'
import type { ThreadStats } from '../../runtime/protocol/control.ts'
import type { Gateway, GatewayObserver } from './gateway.ts'
import { PROCESS_METRICS as METRICS } from './metrics-definitions.ts'
import type { LagMeter } from './metrics-lag.ts'
import type { DataflowView, ProcessView, SourceView } from './process-view.ts'
import type { QueryRoute } from './query-http.ts'

type DataflowStats = ThreadStats['dataflows'][number]

export interface ProcessMetricsOptions {
  readonly view: ProcessView
  readonly lag: LagMeter
  /** Of the release. */
  readonly version: string
  readonly isReady: () => boolean
  /** Whether to add those of the Node process: once a process. */
  readonly ofNode: boolean
}

export class ProcessMetrics {
  /** What the gateway tells. */
  readonly observer: GatewayObserver
  /** A time of a job became visible, so many seconds after it was minted. */
  readonly onLatency: (job: string, seconds: number) => void
  /** To be told of each answer of the HTTP API. */
  readonly onAnswer: (route: QueryRoute, status: number) => void
  private readonly set = new MetricSet(METRICS)
  private readonly view: ProcessView
  private readonly lag: LagMeter
  private gateway: Gateway | null = null
  private generations = 0

  constructor(options: ProcessMetricsOptions) {
    const { set } = this
    this.view = options.view
    this.lag = options.lag
    const reads = set.counter(METRICS.reads)
    const readSeconds = set.histogram(METRICS.readSeconds)
    const latency = set.histogram(METRICS.jobLatency)
    const resets = set.counter(METRICS.followerResets)
    const overflows = set.counter(METRICS.followerOverflows)
    const answers = set.counter(METRICS.httpAnswers)
    this.observer = {
      onRead: (seconds, code) => {
        reads({ result: code ?? 'ok' })
        readSeconds({}, seconds)
      },
      onReset: () => resets({}),
      onOverflow: () => overflows({}),
    }
    this.onLatency = (job, seconds) => latency({ job_name: job }, seconds)
    this.onAnswer = (route, status) => answers({ route, status })
    set.gauge(METRICS.build, (fill) => fill({ version: options.version, group: this.view.group }, 1))
    set.gauge(METRICS.ready, (fill) => fill({}, Number(options.isReady())))
    this.ofProcess()
    this.ofThreads()
    this.ofJobs()
    this.ofSources()
    this.ofGateway()
    if (options.ofNode) set.addProcess()
  }

  get contentType(): string {
    return this.set.contentType
  }

  attach(gateway: Gateway): void {
    this.gateway = gateway
  }

  /** A generation begins. */
  onGeneration(): void {
    this.generations++
  }

  text(): Promise<string> {
    this.lag.sample()
    return this.set.text()
  }

  private ofProcess(): void {
    const { set, view } = this
    set.gauge(METRICS.leased, (fill) => fill({}, Number(view.isLeased())))
    set.gauge(METRICS.generation, (fill) => fill({}, view.generation?.generation ?? 0))
    set.gauge(METRICS.members, (fill) => fill({}, view.generation?.members.length ?? 0))
    set.total(METRICS.generations, (fill) => fill({}, this.generations))
    set.gauge(METRICS.coordinatorConnected, (fill) => fill({}, Number(view.links.coordinator.connected)))
    set.gauge(METRICS.coordinatorEpoch, (fill) => fill({}, view.links.coordinator.epoch))
    set.gauge(METRICS.peersConnected, (fill) => fill({}, view.links.peers.filter(({ connected }) => connected).length))
    set.gauge(METRICS.peersMissing, (fill) => fill({}, view.links.peers.filter(({ connected }) => !connected).length))
    set.gauge(METRICS.peerBytes, (fill) =>
      fill(
        {},
        view.links.peers.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      ),
    )
  }

  private ofThreads(): void {
    const { set } = this
    /** Threads by their place in the process: numbers of workers change with each generation. */
    const each = (ask: (stats: ThreadStats, thread: number, fill: Fill) => void) => (fill: Fill) => {
      this.view.stats.threads.forEach((stats, thread) => {
        ask(stats, thread, fill)
      })
    }
    set.gauge(
      METRICS.threadBusy,
      each(({ busy }, thread, fill) => fill({ thread }, busy)),
    )
    set.gauge(
      METRICS.threadOutbound,
      each(({ outboundBytes }, thread, fill) => fill({ thread }, outboundBytes)),
    )
    set.gauge(
      METRICS.threadInbound,
      each(({ inboundMessages }, thread, fill) => fill({ thread }, inboundMessages)),
    )
    set.gauge(
      METRICS.threadHeap,
      each(({ heapBytes }, thread, fill) => fill({ thread }, heapBytes)),
    )
    const frames = each(({ exchanged }, thread, fill) => {
      if (exchanged === undefined) return
      fill({ thread, direction: 'in' }, exchanged.framesIn)
      fill({ thread, direction: 'out' }, exchanged.framesOut)
    })
    const bytes = each(({ exchanged }, thread, fill) => {
      if (exchanged === undefined) return
      fill({ thread, direction: 'in' }, exchanged.bytesIn)
      fill({ thread, direction: 'out' }, exchanged.bytesOut)
    })
    set.total(METRICS.frames, frames)
    set.total(METRICS.frameBytes, bytes)
  }

  private ofJobs(): void {
    const { set, view } = this
    const each = (ask: (dataflow: DataflowView, fill: Fill) => void) => (fill: Fill) => {
      for (const dataflow of view.generation?.dataflows.values() ?? []) ask(dataflow, fill)
    }
    const ofThreads = (ask: (stats: DataflowStats | undefined, job: string, thread: number, fill: Fill) => void) =>
      each((dataflow, fill) => {
        this.statsOf(dataflow).forEach((stats, thread) => {
          ask(stats, dataflow.name, thread, fill)
        })
      })
    set.gauge(
      METRICS.jobHydrated,
      each((one, fill) => fill({ job_name: one.name }, Number(this.gateway?.isHydrated(one) === true))),
    )
    set.gauge(
      METRICS.jobFailed,
      each(({ name, failure }, fill) => fill({ job_name: name }, Number(failure !== null))),
    )
    set.gauge(
      METRICS.jobMinted,
      each(({ name, minted }, fill) => fill({ job_name: name }, minted / 1_000_000)),
    )
    set.gauge(
      METRICS.jobVisible,
      each(({ name, visible }, fill) => fill({ job_name: name }, (visible ?? 0) / 1_000_000)),
    )
    set.gauge(
      METRICS.jobLag,
      each(({ name, dataflow }, fill) => fill({ job_name: name }, this.lag.lagOf(dataflow))),
    )
    set.gauge(
      METRICS.jobRows,
      ofThreads((stats, job, thread, fill) => fill({ job_name: job, thread }, stats?.rows ?? 0)),
    )
    set.gauge(
      METRICS.jobBytes,
      ofThreads((stats, job, thread, fill) => fill({ job_name: job, thread }, stats?.stateBytes ?? 0)),
    )
    set.gauge(
      METRICS.jobSkew,
      each((one, fill) => fill({ job_name: one.name }, skewOf(this.statsOf(one).map((stats) => stats?.rows ?? 0)))),
    )
    set.gauge(
      METRICS.jobErrors,
      ofThreads((stats, job, _, fill) => fill({ job_name: job }, stats?.errors ?? 0)),
    )
    set.gauge(
      METRICS.outputRows,
      ofThreads((stats, job, _, fill) => {
        for (const [output, rows] of Object.entries(stats?.outputRows ?? {})) fill({ job_name: job, output }, rows)
      }),
    )
  }

  private ofSources(): void {
    const { set, view } = this
    // By input, not by partition: there may be any number of those, with any names.
    const each = (value: (source: SourceView) => number) => (fill: Fill) => {
      for (const source of view.sources) {
        const job = view.generation?.dataflows.get(source.dataflow)?.name
        if (job !== undefined) fill({ job_name: job, input: source.input }, value(source))
      }
    }
    set.total(
      METRICS.sourceRows,
      each(({ rows }) => rows),
    )
    set.total(
      METRICS.sourceRejected,
      each(({ rejected }) => rejected),
    )
    set.gauge(
      METRICS.sourcePartitions,
      each(() => 1),
    )
    set.gauge(
      METRICS.sourceFailing,
      each(({ trouble }) => Number(trouble !== null)),
    )
    set.gauge(
      METRICS.sourceBehind,
      each(({ behind }) => Number(behind)),
    )
    set.gauge(
      METRICS.sourcePaused,
      each(({ paused }) => Number(paused)),
    )
  }

  private ofGateway(): void {
    const { set } = this
    set.gauge(METRICS.readsWaiting, (fill) => fill({}, this.gateway?.load.waitingReads ?? 0))
    set.gauge(METRICS.followers, (fill) => fill({}, this.gateway?.load.followers ?? 0))
    set.gauge(METRICS.subscriptions, (fill) => fill({}, this.gateway?.load.subscriptions ?? 0))
    set.gauge(METRICS.followerBytes, (fill) => fill({}, this.gateway?.load.waitingBytes ?? 0))
  }

  /** Of each thread; undefined from one that has not told yet. */
  private statsOf({ dataflow }: DataflowView): (DataflowStats | undefined)[] {
    return this.view.stats.threads.map(({ dataflows }) => dataflows.find((one) => one.dataflow === dataflow))
  }
}

function skewOf(rows: readonly number[]): number {
  const sum = rows.reduce((a, b) => a + b, 0)
  return sum === 0 ? 1 : (Math.max(...rows) * rows.length) / sum
}
