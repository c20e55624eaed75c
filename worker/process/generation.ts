/**
 * One generation, as one of its processes sees it: its members, its dataflows, and the order of steps in which they come to be. It
 * begins with `prepare` and ends with the next one; nothing of it outlives it, and nothing of an earlier one gets in.
 */
import type { Environment } from '../../runtime/env/environment.ts'
import { invariant, MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import type {
  Advance,
  DataflowTimes,
  Drop,
  FromProcess,
  HeldGeneration,
  Install,
  Member,
  Prepare,
  ProcessId,
  Start,
} from '../../runtime/protocol/control.ts'
import { FEED_WINDOW_BYTES, type ThreadCommand, type ThreadEvent, type ThreadPort } from '../../runtime/protocol/thread.ts'
import type { Bundles } from './bundles.ts'
import { type DataflowHost, DataflowRun } from './dataflow-run.ts'
import type { JobSources, JobSourcesLoader } from './job-sources.ts'
import type { PeerLinks } from './peer-links.ts'
import type { FaceEvents, GenerationView, SourceView } from './process-view.ts'
import type { ReadingTurns } from './reading-turns.ts'
import { Reports } from './reports.ts'

export interface GenerationHost {
  readonly environment: Environment
  readonly log: Log
  readonly self: ProcessId
  readonly turns: ReadingTurns
  readonly ports: readonly ThreadPort[]
  readonly links: PeerLinks
  readonly bundles: Bundles
  readonly loader: JobSourcesLoader
  readonly face: FaceEvents | null
  send(message: FromProcess): void
  /** The process cannot go on. */
  onFatal(error: unknown): void
}

export class Generation implements GenerationView {
  readonly generation: number
  readonly members: readonly Member[]
  readonly owners: readonly number[]
  readonly first: number
  readonly threads: number
  readonly dataflows = new Map<number, DataflowRun>()
  private readonly host: GenerationHost
  private readonly log: Log
  private readonly reports: Reports
  private readonly dataflowHost: DataflowHost
  /** By local thread: whether what it says is said in this generation. */
  private readonly configured: boolean[]
  private linked = false
  private over = false

  constructor(host: GenerationHost, prepare: Prepare) {
    const member = prepare.members.find(({ process }) => process === host.self)
    invariant(member !== undefined, `generation ${prepare.generation} is prepared by a process that is no member`)
    this.host = host
    this.generation = prepare.generation
    this.members = prepare.members
    this.owners = prepare.owners
    this.first = member.first
    this.threads = host.ports.length
    invariant(
      member.threads === this.threads,
      `generation ${prepare.generation} counts ${member.threads} threads here, and there are ${this.threads}`,
    )
    this.log = host.log.with({ generation: prepare.generation })
    this.configured = new Array(this.threads).fill(false)
    this.reports = new Reports(host.environment, (dataflows) => this.sendReports(dataflows))
    this.dataflowHost = {
      environment: host.environment,
      log: this.log,
      turns: host.turns,
      first: this.first,
      threads: this.threads,
      mayRead: (worker) => !host.links.congested && host.ports[worker - this.first].waitingBytes <= FEED_WINDOW_BYTES,
      onFatal: (error) => host.onFatal(error),
      sendTo: (worker, command) => this.sendTo(worker, command),
      sendToAll: (command) => {
        for (const port of host.ports) port.send(command)
      },
      onInstalled: (installed) => host.send({ kind: 'installed', generation: this.generation, ...installed }),
      onFailed: (failure) => {
        this.log.error('a dataflow failed', { dataflow: failure.dataflow, error: `${failure.code}: ${failure.message}` })
        host.send({ kind: 'failed', generation: this.generation, ...failure })
      },
      onNews: () => undefined,
      onChanged: () => undefined,
    }
    this.begin(prepare.protocol)
  }

  get sources(): SourceView[] {
    return [...this.dataflows.values()].flatMap((dataflow) => dataflow.sourceViews)
  }

  /** All members are connected. */
  onLinked(): void {
    this.linked = true
    this.host.send({ kind: 'prepared', generation: this.generation })
  }

  install(install: Install): void {
    const known = this.dataflows.get(install.dataflow)
    if (known !== undefined) {
      known.repeat()
      return
    }
    const { dataflow } = install
    const run = new DataflowRun(
      { ...this.dataflowHost, onNews: () => this.reports.add(dataflow), onChanged: () => this.host.face?.onDataflow(dataflow) },
      install,
    )
    this.dataflows.set(dataflow, run)
    this.load(run).catch((error: unknown) => this.host.onFatal(error))
  }

  start(start: Start): void {
    this.dataflows.get(start.dataflow)?.start(start.assignments, start.replay)
  }

  drop(drop: Drop): void {
    this.dataflows.get(drop.dataflow)?.drop()
    this.dataflows.delete(drop.dataflow)
  }

  advance(advance: Advance): void {
    // Sealing first: what becomes visible by the same message was minted by an earlier one.
    for (const { dataflow, time } of advance.minted) this.dataflows.get(dataflow)?.mint(time)
    const compactTo = new Map(advance.compactTo.map(({ dataflow, time }: DataflowTimes) => [dataflow, time]))
    for (const { dataflow, time } of advance.visible) {
      this.dataflows.get(dataflow)?.makeVisible(time, compactTo.get(dataflow) ?? null)
      compactTo.delete(dataflow)
      if (this.dataflows.get(dataflow)?.visible === time) this.host.face?.onVisible(dataflow, time)
    }
    for (const [dataflow, time] of compactTo) this.dataflows.get(dataflow)?.makeVisible(null, time)
  }

  /** What a thread of this process says; of an older generation until it was configured. */
  threadEvent(local: number, event: Exclude<ThreadEvent, { readonly kind: 'broken' | 'stats' }>): void {
    if (event.kind === 'configured') this.configured[local] ||= event.generation === this.generation
    if (!this.configured[local]) return
    const worker = this.first + local
    const { face, links } = this.host
    switch (event.kind) {
      case 'peer':
        links.send(worker, event.to, event.bytes)
        break
      case 'damaged':
        links.damaged(event.from, event.message)
        break
      case 'complete':
        this.dataflows.get(event.dataflow)?.threadComplete(local, event.time)
        face?.onComplete(worker, event)
        break
      case 'installed':
        this.dataflows.get(event.dataflow)?.threadInstalled(local, event)
        break
      case 'failed':
        this.dataflows.get(event.dataflow)?.fail(event.code, event.message)
        break
      case 'rows':
        face?.onRows(worker, event)
        break
      case 'changes':
        face?.onChanges(worker, event)
        break
    }
  }

  /** A frame of a worker in another process. */
  frame(from: number, to: number, bytes: Uint8Array): void {
    this.sendTo(to, { kind: 'peer', from, bytes })
  }

  sendTo(worker: number, command: ThreadCommand): void {
    this.host.ports[worker - this.first].send(command)
  }

  /** Whether threads are behind in taking what came. */
  get isBacklogged(): boolean {
    return this.host.ports.some((port) => port.waitingBytes > FEED_WINDOW_BYTES)
  }

  /** What held sources back may be over. */
  wakeSources(): void {
    for (const dataflow of this.dataflows.values()) dataflow.wakeSources()
  }

  held(): HeldGeneration {
    const dataflows = [...this.dataflows.values()].map((dataflow) => dataflow.held()).filter((held) => held !== null)
    return { generation: this.generation, members: this.members.map(({ process }) => process), dataflows }
  }

  /** The coordinator is back, or asks again: says all that it may not have heard. */
  repeat(): void {
    if (this.linked) this.host.send({ kind: 'prepared', generation: this.generation })
    this.host.links.repeat()
    for (const dataflow of this.dataflows.values()) dataflow.repeat()
  }

  end(reason: string): void {
    this.over = true
    this.log.info('a generation is over', { reason })
    this.reports.stop()
    for (const dataflow of this.dataflows.values()) dataflow.end()
    this.host.bundles.forget()
    this.host.links.end(reason)
  }

  private begin(protocol: number): void {
    const { generation, first, threads, owners, host } = this
    const workers = this.members.reduce((sum, member) => sum + member.threads, 0)
    this.log.info('a generation begins', { members: this.members.map(({ name }) => name), workers })
    host.ports.forEach((port, local) => {
      port.send({ kind: 'configure', generation, index: first + local, workers, owners, protocol, first, threads })
    })
    host.links.begin(generation, protocol, this.members)
  }

  private async load(run: DataflowRun): Promise<void> {
    const code = await this.host.bundles.get(run.digest)
    if (this.over || run.isOver) return
    let loaded: JobSources
    try {
      loaded = await this.host.loader.load(run.digest, code)
    } catch (error) {
      if (!this.isOver())
        run.fail(error instanceof MillraceError ? error.code : 'JOB', error instanceof Error ? error.message : String(error))
      return
    }
    if (!this.isOver() && !run.isOver) run.install(code, loaded)
  }

  private sendReports(dataflows: readonly number[]): void {
    for (const dataflow of dataflows) {
      const report = this.dataflows.get(dataflow)?.report(this.host.face?.told(dataflow) ?? null)
      if (report !== null && report !== undefined) this.host.send({ kind: 'report', generation: this.generation, ...report })
    }
  }

  /** Asked anew after each await: the compiler would take the field for unchanged. */
  private isOver(): boolean {
    return this.over
  }
}
