/** One dataflow in one generation, as the main thread of a worker process runs it: on its threads, from its sources. */
import type { Environment, Timer } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import type { Cut, HeldGeneration, Install, Installed, Replay, Report, SourceAssignment } from '../../runtime/protocol/control.ts'
import type { DataflowInstalled, OutputShape, ThreadCommand } from '../../runtime/protocol/thread.ts'
import { Backoff } from './backoff.ts'
import type { JobSources } from './job-sources.ts'
import type { DataflowView, SourceView } from './process-view.ts'
import { type SourceHost, type SourceInput, SourceRunner } from './source-runner.ts'

const FIRST_RETRY_MILLISECONDS = 100
const LONGEST_RETRY_MILLISECONDS = 5000

/** What a dataflow needs of its generation. */
export interface DataflowHost extends Pick<SourceHost, 'environment' | 'log' | 'turns' | 'mayRead' | 'onFatal'> {
  readonly environment: Environment
  readonly log: Log
  /** Numbers of this process's workers: from `first`, `threads` of them. */
  readonly first: number
  readonly threads: number
  sendTo(worker: number, command: ThreadCommand): void
  sendToAll(command: ThreadCommand): void
  onInstalled(installed: Omit<Installed, 'kind' | 'generation'>): void
  onFailed(failure: { readonly dataflow: number; readonly code: string; readonly message: string }): void
  /** Something is new to report. */
  onNews(): void
  /** Something about the dataflow changed that people want to see. */
  onChanged(): void
}

type Stage = 'loading' | 'installing' | 'installed' | 'started' | 'failed' | 'dropped'

export class DataflowRun implements DataflowView {
  readonly dataflow: number
  readonly name: string
  readonly digest: string
  readonly since: number
  outputs: readonly OutputShape[] = []
  minted: number
  visible: number | null = null
  compactTo: number
  failure: { readonly code: string; readonly message: string } | null = null
  private readonly host: DataflowHost
  private stage: Stage = 'loading'
  private inputs: Readonly<Record<string, SourceInput>> = {}
  private readonly installedBy = new Set<number>()
  private partitions: Record<string, readonly string[]> | null = null
  private partitionTrouble: string | null = null
  private temporal = false
  private sources: SourceRunner | null = null
  private assignments: readonly SourceAssignment[] = []
  /** By local thread. */
  private readonly completes: number[]
  private leastComplete: number
  /** Minted and not visible. */
  private open: number[] = []
  private unreported: Cut[] = []
  private timer: Timer | null = null

  constructor(host: DataflowHost, install: Install) {
    this.host = host
    this.dataflow = install.dataflow
    this.name = install.job.name
    this.digest = install.job.digest
    this.since = install.since
    this.minted = install.since
    this.compactTo = install.since
    this.leastComplete = install.since
    this.completes = new Array(host.threads).fill(install.since)
  }

  get live(): boolean {
    return this.sources?.live === true
  }

  get complete(): number {
    return this.leastComplete
  }

  get isOver(): boolean {
    return this.stage === 'failed' || this.stage === 'dropped'
  }

  get isStarted(): boolean {
    return this.stage === 'started'
  }

  get sourceViews(): readonly SourceView[] {
    return this.sources?.views ?? []
  }

  /** Why the partitions of a source cannot be listed at the moment. */
  get trouble(): string | null {
    return this.partitionTrouble
  }

  /** The job is loaded: installs it on all threads, and lists what its sources have. */
  install(code: string, { job, sources }: JobSources): void {
    const inputs: Record<string, SourceInput> = {}
    for (const [name, source] of Object.entries(sources)) {
      const shape = job.inputs[name]
      if (shape === undefined) {
        const known = Object.keys(job.inputs).join(', ')
        this.fail('UNKNOWN_NAME', `job ${this.name} has a source for an input ${JSON.stringify(name)} that it does not have (${known})`)
        return
      }
      inputs[name] = { source, shape }
    }
    this.inputs = inputs
    this.stage = 'installing'
    const { dataflow, name, since, digest } = this
    this.host.sendToAll({ kind: 'install', dataflow, name, since, digest, code })
    void this.listPartitions()
  }

  /** A thread has installed it. */
  threadInstalled(local: number, installed: DataflowInstalled): void {
    if (this.stage !== 'installing') return
    this.installedBy.add(local)
    this.outputs = installed.outputs
    this.temporal ||= installed.temporal
    this.checkInstalled()
  }

  /** Says again what the coordinator may not have heard. */
  repeat(): void {
    if (this.failure !== null) this.host.onFailed({ dataflow: this.dataflow, ...this.failure })
    else if (this.stage === 'installed') this.tellInstalled()
    else if (this.stage === 'started') this.host.onNews()
  }

  /** All workers have installed it. */
  start(assignments: readonly SourceAssignment[], replay: Replay): void {
    if (this.stage !== 'installed') {
      if (this.stage !== 'started' && !this.isOver)
        this.host.log.warn('a dataflow was to start that is not installed', { dataflow: this.dataflow, stage: this.stage })
      return
    }
    const { host, dataflow } = this
    const { first, threads } = host
    this.stage = 'started'
    this.assignments = assignments.filter(({ worker }) => worker >= first && worker < first + threads)
    this.minted = replay.times.at(-1) ?? this.since
    host.sendToAll({ kind: 'start', dataflow, times: replay.times })
    const sourceHost: SourceHost = {
      environment: host.environment,
      turns: host.turns,
      log: host.log.with({ dataflow, job: this.name }),
      mayRead: (worker) => host.mayRead(worker),
      feed: (worker, input, partition, runs) => host.sendTo(worker, { kind: 'feed', dataflow, input, partition, runs }),
      advance: (time) => host.sendToAll({ kind: 'advance', dataflow, time }),
      onLive: () => this.becameLive(),
      onWaiting: () => host.onNews(),
      onFatal: (error) => host.onFatal(error),
    }
    this.sources = new SourceRunner(sourceHost, dataflow, this.inputs, this.assignments, replay)
    this.sources.start()
    host.onNews()
    host.onChanged()
  }

  mint(time: number): void {
    if (this.stage !== 'started' || time <= this.minted) return
    this.minted = time
    this.open.push(time)
    if (this.live) this.seal(time)
  }

  makeVisible(time: number | null, compactTo: number | null): void {
    if (this.stage !== 'started') return
    if (time !== null && time > (this.visible ?? this.since - 1)) {
      this.visible = time
      let settled = 0
      while (settled < this.open.length && this.open[settled] <= time) settled++
      this.open.splice(0, settled)
      this.sources?.settle(time)
    }
    if (compactTo !== null) this.compactTo = Math.max(this.compactTo, compactTo)
    if (this.visible === null) return
    this.host.sendToAll({ kind: 'visible', dataflow: this.dataflow, time: this.visible, compactTo: this.compactTo })
  }

  threadComplete(local: number, time: number): void {
    if (time <= this.completes[local]) return
    this.completes[local] = time
    const least = Math.min(...this.completes)
    if (least === this.leastComplete) return
    this.leastComplete = least
    this.host.onNews()
  }

  fail(code: string, message: string): void {
    if (this.isOver) return
    this.stage = 'failed'
    this.failure = { code, message }
    this.end()
    this.host.onFailed({ dataflow: this.dataflow, code, message })
    this.host.onChanged()
  }

  drop(): void {
    if (this.stage === 'dropped') return
    // While it loads the threads have not heard of it.
    if (this.stage !== 'loading') this.host.sendToAll({ kind: 'drop', dataflow: this.dataflow })
    this.stage = 'dropped'
    this.end()
    this.host.onChanged()
  }

  /** The generation is over, or the dataflow is. */
  end(): void {
    this.timer?.clear()
    this.sources?.close()
  }

  wakeSources(): void {
    this.sources?.wake()
  }

  /** Cuts are told once; null if there is nothing to report on. */
  report(told: number | null): Omit<Report, 'kind' | 'generation'> | null {
    if (this.stage !== 'started') return null
    const cuts = this.unreported
    this.unreported = []
    const { dataflow, live, complete } = this
    return { dataflow, live, waiting: this.sources?.waiting === true, complete, cuts, told }
  }

  /** What is told when the coordinator comes back; all known cuts count as reported by it. */
  held(): HeldGeneration['dataflows'][number] | null {
    if (this.stage !== 'started') return null
    this.unreported = []
    const { dataflow, live, assignments } = this
    return {
      dataflow,
      visible: this.visible ?? this.since,
      minted: [...this.open],
      cuts: this.sources?.knownCuts() ?? [],
      assignments,
      live,
    }
  }

  private becameLive(): void {
    for (const time of this.open) this.seal(time)
    this.host.onNews()
    this.host.onChanged()
  }

  private seal(time: number): void {
    const cuts = (this.sources as SourceRunner).mint(time)
    if (cuts.length === 0) return
    this.unreported.push(...cuts)
    this.host.onNews()
  }

  private checkInstalled(): void {
    if (this.stage !== 'installing' || this.partitions === null || this.installedBy.size < this.host.threads) return
    this.stage = 'installed'
    this.tellInstalled()
    this.host.onChanged()
  }

  private tellInstalled(): void {
    this.host.onInstalled({ dataflow: this.dataflow, partitions: this.partitions ?? {}, temporal: this.temporal })
  }

  /** Lists what all sources have, however long that takes; a mistake in a source's options ends the dataflow. */
  private async listPartitions(): Promise<void> {
    const { environment, log } = this.host
    const backoff = new Backoff(environment.random, FIRST_RETRY_MILLISECONDS, LONGEST_RETRY_MILLISECONDS)
    const found: Record<string, readonly string[]> = {}
    for (const [input, { source }] of Object.entries(this.inputs)) {
      while (found[input] === undefined) {
        try {
          const names = await source.partitions(environment)
          if (names.length === 0) throw new MillraceError('SOURCE', `the source of input ${input} has no partition`)
          found[input] = names
        } catch (error) {
          if (this.stage !== 'installing') return
          const code = error instanceof MillraceError ? error.code : 'SOURCE'
          const reason = error instanceof Error ? error.message : String(error)
          if (code === 'CONFIG') {
            this.fail(code, reason)
            return
          }
          if (this.partitionTrouble !== reason)
            log.warn('the partitions of a source cannot be listed; it is tried again', { input, reason })
          this.partitionTrouble = reason
          await this.pause(backoff.next())
        }
        if (this.stage !== 'installing') return
      }
    }
    this.partitionTrouble = null
    this.partitions = found
    this.checkInstalled()
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.timer = this.host.environment.timers.setTimeout(resolve, milliseconds)
    })
  }
}
