/** The metrics of a coordinator: what its status says, and what is counted as it happens. */
import { type Fill, MetricSet } from '../runtime/log/metric-set.ts'
import type { HistoryEvent } from './history.ts'
import { COORDINATOR_METRICS as METRICS } from './metrics-definitions.ts'
import type { StoreObserver } from './metrics-store.ts'
import type { ClusterStatus, GroupStatus, JobStatus } from './status.ts'

export type GenerationReason = 'join' | 'leave' | 'lost' | 'unreachable' | 'slow' | 'other'

export interface CoordinatorMetricsOptions {
  /** Null while it does not lead. */
  readonly status: () => ClusterStatus | null
  /** Of the release. */
  readonly version: string
  /** Whether to add those of the Node process: once a process. */
  readonly ofNode: boolean
}

export class CoordinatorMetrics {
  readonly contentType: string
  /** For a `TimedStore`. */
  readonly onStore: StoreObserver
  private readonly set = new MetricSet(METRICS)
  private readonly status: () => ClusterStatus | null
  private readonly countGeneration: (labels: { group: string; reason: GenerationReason }) => void
  private terms = 0

  constructor({ status, version, ofNode }: CoordinatorMetricsOptions) {
    const { set } = this
    this.status = status
    this.contentType = set.contentType
    const seconds = set.histogram(METRICS.storeSeconds)
    const failures = set.counter(METRICS.storeErrors)
    this.onStore = (operation, took, failed) => {
      seconds({ operation }, took)
      if (failed) failures({ operation })
    }
    this.countGeneration = set.counter(METRICS.generations)
    set.gauge(METRICS.build, (fill) => fill({ version }, 1))
    set.gauge(METRICS.leader, (fill) => fill({}, Number(status() !== null)))
    set.gauge(METRICS.epoch, (fill) => fill({}, status()?.epoch ?? 0))
    set.total(METRICS.terms, (fill) => fill({}, this.terms))
    this.ofGroups()
    this.ofJobs()
    if (ofNode) set.addProcess()
  }

  /** To be told of each entry of the coordinator's history (`CoordinatorOptions.onEvent`). */
  onEvent({ group, text }: HistoryEvent): void {
    if (group === null) {
      if (/^the coordinator at .* leads, epoch \d+$/.test(text)) this.terms++
      return
    }
    const reason = /^generation \d+ (?:of [^:]*|has no members): (.*)$/.exec(text)?.[1]
    if (reason !== undefined) this.countGeneration({ group, reason: reasonOf(reason) })
  }

  text(): Promise<string> {
    return this.set.text()
  }

  private ofGroups(): void {
    const { set } = this
    const each = (ask: (group: GroupStatus, fill: Fill) => void) => (fill: Fill) => {
      for (const group of this.status()?.groups ?? []) ask(group, fill)
    }
    set.gauge(
      METRICS.processes,
      each(({ name, processes }, fill) => {
        fill({ group: name, state: 'member' }, 0)
        for (const { state } of processes) fill({ group: name, state: state.replace(' ', '_') }, 1)
      }),
    )
    set.gauge(
      METRICS.generation,
      each(({ name, generation }, fill) => fill({ group: name }, generation)),
    )
    set.gauge(
      METRICS.running,
      each(({ name, state }, fill) => fill({ group: name }, Number(state === 'running'))),
    )
    set.gauge(
      METRICS.heartbeatAge,
      each(({ name, processes }, fill) =>
        fill({ group: name }, Math.max(0, ...processes.map(({ heartbeatAgeMilliseconds }) => heartbeatAgeMilliseconds)) / 1000),
      ),
    )
  }

  private ofJobs(): void {
    const { set } = this
    const each = (ask: (job: JobStatus, fill: Fill) => void) => (fill: Fill) => {
      for (const job of this.status()?.jobs ?? []) ask(job, fill)
    }
    set.gauge(
      METRICS.jobState,
      each(({ name, state }, fill) => fill({ job_name: name, state }, 1)),
    )
    set.gauge(
      METRICS.minted,
      each(({ name, minted }, fill) => fill({ job_name: name }, (minted ?? 0) / 1_000_000)),
    )
    set.gauge(
      METRICS.visible,
      each(({ name, visible }, fill) => fill({ job_name: name }, (visible ?? 0) / 1_000_000)),
    )
    set.gauge(
      METRICS.open,
      each(({ name, open }, fill) => fill({ job_name: name }, open)),
    )
    set.gauge(
      METRICS.lag,
      each(({ name, lagMilliseconds }, fill) => fill({ job_name: name }, lagMilliseconds / 1000)),
    )
    set.gauge(
      METRICS.jobRows,
      each(({ name, rows }, fill) => fill({ job_name: name }, rows)),
    )
    set.gauge(
      METRICS.jobErrors,
      each(({ name, errors }, fill) => fill({ job_name: name }, errors)),
    )
    set.gauge(
      METRICS.jobBusiestShard,
      each(({ name, busiestShards }, fill) => fill({ job_name: name }, busiestShards[0]?.share ?? 0)),
    )
  }
}

/** What the history's reason amounts to: of several the worst. */
function reasonOf(text: string): GenerationReason {
  if (/\blost\b|came back without|lost its connection/.test(text)) return 'lost'
  if (/does not reach/.test(text)) return 'unreachable'
  if (/did not prepare|was not installed/.test(text)) return 'slow'
  if (/is leaving/.test(text)) return 'leave'
  if (/\bjoined$/.test(text)) return 'join'
  return 'other'
}
