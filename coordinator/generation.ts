/**
 * One generation of a group: a fixed set of members that forget what was before (`prepare`), connect to each other, install the
 * jobs, start them, and run until the next generation begins. Every step has a deadline.
 */
import type { Timer } from '../runtime/env/environment.ts'
import { openSpan } from '../runtime/log/spans.ts'
import type { FromCoordinator, FromProcess, HeldGeneration, Member, ProcessId, Unreachable } from '../runtime/protocol/control.ts'
import type { Dataflow } from './dataflow.ts'
import { DataflowRun, type RunHost } from './dataflow-run.ts'
import { duration } from './history.ts'
import type { Fact } from './metadata/metadata-store.ts'
import type { Term } from './term.ts'
import type { Ceiling } from './timeline.ts'
import { BrokenLinks, type Candidate } from './unreachable.ts'

export type GenerationPhase = 'preparing' | 'running' | 'over'

/** The group that a generation is of. */
export interface GenerationGroup {
  readonly name: string
  readonly term: Term
  readonly ceiling: Ceiling
  readonly fencedUntil: number
  send(process: ProcessId, message: FromCoordinator): void
  /** Younger members have a greater order. */
  candidates(members: readonly Member[]): readonly Candidate[]
  /** The next generation has to begin, since something went wrong. */
  restart(reason: string): void
  exclude(process: ProcessId, reason: string): void
  /** All of them reach each other. */
  connected(members: readonly Member[]): void
  /** The job runs no more, here and in later generations. */
  jobFailed(dataflow: Dataflow, code: string, message: string): void
  settle(fact: Fact, done: () => void): void
  dirty(dataflow: Dataflow): void
}

export class Generation implements RunHost {
  readonly number: number
  readonly members: readonly Member[]
  readonly runs = new Map<number, DataflowRun>()
  phase: GenerationPhase = 'preparing'
  readonly term: Term
  readonly ceiling: Ceiling
  private readonly group: GenerationGroup
  /** Ends the span of its beginning. */
  private begun: ((code?: string) => void) | null = null
  private readonly prepared = new Set<ProcessId>()
  private readonly broken = new BrokenLinks()
  private brokenReason = ''
  private deadline: Timer | null = null
  private patience: Timer | null = null
  private settling: Timer | null = null

  constructor(group: GenerationGroup, number: number, members: readonly Member[]) {
    this.group = group
    this.term = group.term
    this.ceiling = group.ceiling
    this.number = number
    this.members = members
  }

  get fencedUntil(): number {
    return this.group.fencedUntil
  }

  /** @param owners by virtual shard */
  begin(owners: readonly number[], protocol: number, dataflows: Iterable<Dataflow>): void {
    this.begun = openSpan('millrace.generation', {
      'millrace.group': this.group.name,
      'millrace.generation': this.number,
      'millrace.members': this.members.length,
    })
    for (const dataflow of dataflows) this.add(dataflow)
    this.broadcast({ kind: 'prepare', group: this.group.name, generation: this.number, members: this.members, owners, protocol })
    this.deadline = this.term.after(this.term.limits.prepareMilliseconds, () => this.prepareOverdue())
  }

  /** Goes on where another coordinator left it, with what all members hold. */
  resume(dataflows: Iterable<Dataflow>, held: ReadonlyMap<ProcessId, HeldGeneration>): void {
    this.phase = 'running'
    const known = new Set<number>()
    for (const dataflow of dataflows) {
      known.add(dataflow.number)
      const run = this.add(dataflow)
      const parts = new Map<ProcessId, HeldGeneration['dataflows'][number]>()
      for (const [process, { dataflows: all }] of held) {
        const one = all.find((part) => part.dataflow === dataflow.number)
        if (one !== undefined) parts.set(process, one)
      }
      if (parts.size > 0) run.resume(parts)
    }
    for (const { dataflows: all } of held.values())
      for (const { dataflow } of all) if (!known.has(dataflow)) this.broadcast({ kind: 'drop', generation: this.number, dataflow })
    this.installNext()
  }

  /** Whether a member that lost its connection can go on with what it holds. */
  canRejoin(held: HeldGeneration): boolean {
    if (this.phase !== 'running' || held.generation !== this.number) return false
    const has = new Set(held.dataflows.map(({ dataflow }) => dataflow))
    return [...this.runs.values()].every((run) => run.phase === 'queued' || (run.isStarted && has.has(run.dataflow.number)))
  }

  /** After `canRejoin`: says again what may have been lost. */
  rejoin(process: ProcessId, held: HeldGeneration): void {
    for (const one of held.dataflows) {
      const run = this.runs.get(one.dataflow)
      if (run === undefined) this.group.send(process, { kind: 'drop', generation: this.number, dataflow: one.dataflow })
      else this.group.send(process, run.rejoin(process, one))
    }
  }

  /** What a member says; what it says of another generation is not for this one. */
  receive(process: ProcessId, message: FromProcess): void {
    if (!('generation' in message) || message.generation !== this.number || this.phase === 'over') return
    if (!this.isMember(process)) return
    if (message.kind === 'prepared') this.onPrepared(process)
    else if (message.kind === 'unreachable') this.onUnreachable(process, message)
    else {
      const run = this.runs.get(message.dataflow)
      if (run === undefined) return
      if (message.kind === 'installed') run.onInstalled(process, message)
      else if (message.kind === 'report') run.onReport(process, message)
      else this.fail(run, message.code, `${this.nameOf(process)}: ${message.message}`)
    }
  }

  isMember(process: ProcessId): boolean {
    return this.members.some((member) => member.process === process)
  }

  /** A job that came while the generation runs. */
  deploy(dataflow: Dataflow): void {
    this.add(dataflow)
    if (this.phase === 'running') this.installNext()
  }

  drop(dataflow: number): void {
    const run = this.runs.get(dataflow)
    if (run === undefined) return
    const queued = run.phase === 'queued'
    run.stop()
    this.runs.delete(dataflow)
    if (!queued) this.broadcast({ kind: 'drop', generation: this.number, dataflow })
    if (this.phase === 'running') this.installNext()
  }

  /** Ends it: nothing is minted or made visible in it any more. */
  stop(): void {
    this.phase = 'over'
    this.begun?.('FENCED')
    this.deadline?.clear()
    this.patience?.clear()
    this.settling?.clear()
    for (const run of this.runs.values()) {
      run.stop()
      run.dataflow.log.forgetOpen()
    }
  }

  broadcast(message: FromCoordinator): void {
    for (const { process } of this.members) this.group.send(process, message)
  }

  settle(fact: Fact, done: () => void): void {
    this.group.settle(fact, done)
  }

  dirty(dataflow: Dataflow): void {
    this.group.dirty(dataflow)
  }

  phaseChanged(run: DataflowRun): void {
    if (run.phase === 'running') this.installNext()
  }

  installOverdue(run: DataflowRun): void {
    const after = duration(this.term.limits.installMilliseconds)
    // Threads take commands in order: what holds a thread up is what it was given first.
    const first = [...this.runs.values()].find((one) => one.phase === 'installing') ?? run
    const missing = first.missing.join(', ')
    this.fail(first, 'JOB', `it was not installed within ${after} by ${missing}: does its module do something long when it is loaded?`)
    this.group.restart(`job ${first.dataflow.job.name} was not installed by ${missing} within ${after}`)
  }

  private onPrepared(process: ProcessId): void {
    this.prepared.add(process)
    if (this.phase !== 'preparing' || this.prepared.size < this.members.length) return
    this.deadline?.clear()
    this.phase = 'running'
    this.begun?.()
    this.group.connected(this.members)
    this.installNext()
  }

  /** All at once; but jobs in whose start processes crashed come after all others, one by one, each when the one before has settled. */
  private installNext(): void {
    const runs = [...this.runs.values()]
    for (const run of runs) if (run.phase === 'queued' && !run.dataflow.isSuspect) run.install()
    if (runs.some(({ phase }) => phase === 'installing' || phase === 'hydrating')) return
    const next = runs.find(({ phase }) => phase === 'queued')
    if (next === undefined) return
    const now = this.term.now()
    const unsettled = runs.filter((run) => run.dataflow.isSuspect && run.isUnsettled(now))
    if (unsettled.length === 0) {
      next.install()
      return
    }
    const wait = Math.max(...unsettled.map((run) => run.since - now)) / 1000 + this.term.limits.settledMilliseconds
    this.settling?.clear()
    this.settling = this.term.after(wait, () => this.installNext())
  }

  private add(dataflow: Dataflow): DataflowRun {
    const run = new DataflowRun(dataflow, this, this.number, this.members)
    this.runs.set(dataflow.number, run)
    return run
  }

  private fail(run: DataflowRun, code: string, message: string): void {
    this.drop(run.dataflow.number)
    this.group.jobFailed(run.dataflow, code, message)
  }

  private onUnreachable(process: ProcessId, { peers, reason }: Unreachable): void {
    for (const peer of peers) if (this.isMember(peer)) this.broken.add(process, peer)
    if (this.broken.size === 0 || this.patience !== null) return
    this.brokenReason = `${this.nameOf(process)} does not reach ${peers.map((peer) => this.nameOf(peer)).join(', ')} (${reason})`
    // If the other one is dead, the coordinator learns it within this time, and nobody else is to blame.
    this.patience = this.term.after(this.term.limits.unreachableMilliseconds, () => this.resolveBroken())
  }

  /** The coordinator reaches all members, and some do not reach each other. */
  private resolveBroken(): void {
    // The next generation may have to wait: nobody is blamed twice meanwhile.
    this.deadline?.clear()
    if (this.phase === 'preparing')
      for (const process of this.broken.leaveOut(this.group.candidates(this.members))) this.group.exclude(process, this.brokenReason)
    this.group.restart(this.brokenReason)
  }

  private prepareOverdue(): void {
    if (this.broken.size > 0) {
      this.resolveBroken()
      return
    }
    const missing = this.members.filter(({ process }) => !this.prepared.has(process))
    const after = duration(this.term.limits.prepareMilliseconds)
    const reason = `${missing.map(({ name }) => name).join(', ')} did not prepare within ${after}`
    // If nobody did, it is not them.
    if (missing.length < this.members.length) for (const { process } of missing) this.group.exclude(process, reason)
    this.group.restart(reason)
  }

  private nameOf(process: ProcessId): string {
    return this.members.find((member) => member.process === process)?.name ?? process
  }
}
