/**
 * One dataflow within one generation: installed everywhere, then started, then its times minted and made visible. It knows nothing of
 * who joins and goes: with its generation it ends.
 */
import type { Timer } from '../runtime/env/environment.ts'
import type { Advance, FromCoordinator, HeldGeneration, Installed, Member, ProcessId, Report } from '../runtime/protocol/control.ts'
import { assignPartitions, type PartitionSeen, partitionKey } from './assignment.ts'
import type { Dataflow } from './dataflow.ts'
import type { Fact } from './metadata/metadata-store.ts'
import type { CoordinatorLimits } from './options.ts'
import { lastAtOrBefore } from './replay-log.ts'
import type { Term } from './term.ts'
import type { Ceiling } from './timeline.ts'

export type RunPhase = 'queued' | 'installing' | 'hydrating' | 'running' | 'stopped'
type HeldDataflow = HeldGeneration['dataflows'][number]

/** The generation that a run is in, as far as it needs it. */
export interface RunHost {
  readonly term: Term
  readonly ceiling: Ceiling
  /** Monotonic, microseconds: until then nothing new may become visible, since a process that was lost may not know that it is. */
  readonly fencedUntil: number
  /** To all members. */
  broadcast(message: FromCoordinator): void
  phaseChanged(run: DataflowRun): void
  /** Not all members have installed it in time. */
  installOverdue(run: DataflowRun): void
  /** Calls back once the fact is durable. */
  settle(fact: Fact, done: () => void): void
  /** Its log changed. */
  dirty(dataflow: Dataflow): void
}

interface OpenTime {
  readonly time: number
  /** Monotonic, microseconds. */
  readonly mintedAt: number
}

export class DataflowRun {
  readonly dataflow: Dataflow
  phase: RunPhase = 'queued'
  /** Monotonic, microseconds: since when it is in this phase. */
  since: number
  /** Minted and not visible, ascending. */
  readonly open: OpenTime[] = []
  private readonly host: RunHost
  private readonly limits: CoordinatorLimits
  private readonly members: readonly Member[]
  private readonly generation: number
  private readonly installed = new Set<ProcessId>()
  private readonly live = new Set<ProcessId>()
  private readonly complete = new Map<ProcessId, number>()
  private readonly waiting = new Set<ProcessId>()
  private readonly partitions = new Map<string, { input: string; partition: string; processes: Set<ProcessId> }>()
  private readonly readers = new Map<string, ProcessId>()
  private lastMint: number
  private compactTo: number
  /** Times up to here are durable with their cuts: they may be seen. */
  private durable = 0
  private settling = false
  /** The visible time that may be compacted to once it is old enough, and since when it is visible. */
  private aging: { readonly time: number; readonly at: number }
  private deadline: Timer | null = null
  private timer: Timer | null = null
  /** Monotonic, microseconds: when `pump` can do more without having heard anything. */
  private wakeAt = Number.POSITIVE_INFINITY
  private readonly retry = (): void => this.pump()

  constructor(dataflow: Dataflow, host: RunHost, generation: number, members: readonly Member[]) {
    this.dataflow = dataflow
    this.host = host
    this.limits = host.term.limits
    this.generation = generation
    this.members = members
    const now = host.term.now()
    this.since = now
    this.lastMint = now
    this.compactTo = dataflow.log.since
    this.aging = { time: this.compactTo, at: now }
  }

  /** Processes that have not installed it. */
  get missing(): string[] {
    return this.members.filter(({ process }) => !this.installed.has(process)).map(({ name }) => name)
  }

  get isStarted(): boolean {
    return this.phase === 'hydrating' || this.phase === 'running'
  }

  /** Where the outputs of a process are complete up to; null before it said anything. */
  completeAt(process: ProcessId): number | null {
    return this.complete.get(process) ?? null
  }

  /** Microseconds for which the oldest minted time has not become visible. */
  lag(now: number): number {
    return this.open.length === 0 ? 0 : now - this.open[0].mintedAt
  }

  /** Whether a process that crashes now may have been brought down by it. */
  isUnsettled(now: number): boolean {
    if (this.phase === 'installing' || this.phase === 'hydrating') return true
    return this.phase === 'running' && now - this.since < this.limits.settledMilliseconds * 1000
  }

  install(): void {
    this.enter('installing')
    const { number, job, log } = this.dataflow
    this.host.broadcast({ kind: 'install', generation: this.generation, dataflow: number, job, since: log.since })
    this.deadline = this.host.term.after(this.limits.installMilliseconds, () => this.host.installOverdue(this))
  }

  onInstalled(process: ProcessId, message: Installed): void {
    if (this.phase !== 'installing' || this.installed.has(process)) return
    this.installed.add(process)
    this.dataflow.temporal = message.temporal
    for (const [input, partitions] of Object.entries(message.partitions))
      for (const partition of partitions) {
        const key = partitionKey(input, partition)
        const seen = this.partitions.get(key) ?? { input, partition, processes: new Set() }
        seen.processes.add(process)
        this.partitions.set(key, seen)
      }
    if (this.installed.size === this.members.length) this.start()
  }

  onReport(process: ProcessId, report: Report): void {
    if (!this.isStarted) return
    this.takeCuts(process, report.cuts)
    this.complete.set(process, Math.max(report.complete, this.complete.get(process) ?? report.complete))
    if (report.live) this.live.add(process)
    if (report.waiting) this.waiting.add(process)
    else this.waiting.delete(process)
    if (report.told === null) this.dataflow.told.delete(process)
    else this.dataflow.told.set(process, report.told)
    this.pump()
  }

  /** All members came back to a new coordinator, with this dataflow as it was. */
  resume(held: ReadonlyMap<ProcessId, HeldDataflow>): void {
    const minted = new Set<number>()
    for (const [process, one] of held) {
      this.installed.add(process)
      if (one.live) this.live.add(process)
      for (const { input, partition, worker } of one.assignments) this.assign(input, partition, worker)
    }
    for (const [process, one] of held) {
      this.takeCuts(process, one.cuts)
      for (const time of one.minted) if (time > this.dataflow.log.visible) minted.add(time)
    }
    const now = this.host.term.now()
    for (const time of [...minted].sort((a, b) => a - b)) {
      this.open.push({ time, mintedAt: now })
      this.dataflow.timeline.mint(time)
    }
    this.compactTo = this.dataflow.log.since
    this.aging = { time: this.compactTo, at: now }
    this.enter(this.live.size === this.members.length ? 'running' : 'hydrating')
    if (this.phase === 'running') this.dataflow.seen = this.dataflow.log.visible
    this.host.broadcast(this.standing())
  }

  /** A member has a new connection: what may have been lost with the old one is told again. */
  rejoin(process: ProcessId, held: HeldDataflow): Advance {
    if (held.live) this.live.add(process)
    this.takeCuts(process, held.cuts)
    return this.standing()
  }

  stop(): void {
    this.phase = 'stopped'
    this.deadline?.clear()
    this.timer?.clear()
  }

  /** Makes visible and mints whatever can be, now; sets a timer for what can be later. */
  pump(): void {
    if (!this.isStarted || !this.host.term.leads()) return
    const now = this.host.term.now()
    this.wakeAt = Number.POSITIVE_INFINITY
    const visible = this.advanceVisible(now)
    const minted = this.phase === 'running' ? this.mint(now) : null
    this.timer?.clear()
    this.timer = this.wakeAt === Number.POSITIVE_INFINITY ? null : this.host.term.after((this.wakeAt - now) / 1000, this.retry)
    if (minted === null && visible === null) return
    const dataflow = this.dataflow.number
    const compactTo = visible === null ? null : this.age(now)
    this.host.broadcast({
      kind: 'advance',
      generation: this.generation,
      minted: minted === null ? [] : [{ dataflow, time: minted }],
      visible: visible === null ? [] : [{ dataflow, time: visible }],
      compactTo: compactTo === null ? [] : [{ dataflow, time: compactTo }],
    })
  }

  private start(): void {
    this.deadline?.clear()
    const { dataflow } = this
    // A partition that was read, and that nobody sees any more, is still needed: its reader says that it cannot read it.
    for (const { input, partition } of dataflow.log.replay().cuts)
      this.partitions.set(
        partitionKey(input, partition),
        this.partitions.get(partitionKey(input, partition)) ?? { input, partition, processes: new Set() },
      )
    const previous = new Map<string, number>()
    for (const [key, { process, thread }] of dataflow.placed) {
      const member = this.members.find((one) => one.process === process)
      if (member !== undefined && thread < member.threads) previous.set(key, member.first + thread)
    }
    const seen: PartitionSeen[] = [...this.partitions.values()].sort(byName)
    const assignments = assignPartitions(seen, this.members, previous, dataflow.number)
    dataflow.placed.clear()
    for (const { input, partition, worker } of assignments) this.assign(input, partition, worker)
    this.enter('hydrating')
    this.host.broadcast({
      kind: 'start',
      generation: this.generation,
      dataflow: dataflow.number,
      assignments,
      replay: dataflow.log.replay(),
    })
  }

  private assign(input: string, partition: string, worker: number): void {
    const member = this.members.find(({ first, threads }) => worker >= first && worker < first + threads)
    if (member === undefined) return
    const key = partitionKey(input, partition)
    this.readers.set(key, member.process)
    this.dataflow.placed.set(key, { process: member.process, thread: worker - member.first })
  }

  private takeCuts(process: ProcessId, cuts: Report['cuts']): void {
    for (const cut of cuts) if (this.readers.get(partitionKey(cut.input, cut.partition)) === process) this.dataflow.log.addCut(cut)
  }

  /** The time that becomes visible, if one does: all members are complete there, and have thus sent all cuts up to it. */
  private advanceVisible(now: number): number | null {
    const { dataflow } = this
    const { log } = dataflow
    let least = Number.POSITIVE_INFINITY
    for (const { process } of this.members) least = Math.min(least, this.complete.get(process) ?? Number.NEGATIVE_INFINITY)
    let told: number | null = null
    if (this.phase === 'hydrating') {
      if (this.live.size < this.members.length || least < log.visible) return null
      if (log.visible > dataflow.seen && this.isFenced(now)) return null
      if (log.first !== null) told = log.visible
      this.enter('running')
    }
    const ready = lastAtOrBefore(
      this.open.map(({ time }) => time),
      least,
    )
    if (ready >= 0 && !this.isFenced(now)) {
      const durable = this.open.filter(({ time }) => time <= this.durable).length
      if (durable > 0) {
        log.makeVisible(this.open.splice(0, durable).map(({ time }) => time))
        told = log.visible
      }
      if (ready >= durable) this.settle(this.open.slice(0, ready + 1 - durable).map(({ time }) => time))
    }
    const { first } = log
    log.trim(dataflow.leastTold)
    if (told !== null) dataflow.seen = told
    if (told !== null || log.first !== first) this.host.dirty(dataflow)
    return told
  }

  /** Has minted times made durable; one write at a time. */
  private settle(times: readonly number[]): void {
    if (this.settling) return
    this.settling = true
    this.host.settle(this.dataflow.settle(this.generation, times), () => {
      this.settling = false
      if (this.phase === 'stopped') return
      this.durable = times[times.length - 1]
      this.pump()
    })
  }

  /** Whether somebody who was lost may still show what was visible then as the newest. */
  private isFenced(now: number): boolean {
    const { fencedUntil } = this.host
    if (now >= fencedUntil) return false
    this.wakeAt = Math.min(this.wakeAt, fencedUntil)
    return true
  }

  private mint(now: number): number | null {
    if (this.open.length >= this.limits.maximumOpenTimes) return null
    const { tickMilliseconds, temporalTickMilliseconds, idleTickMilliseconds } = this.limits
    const idle = this.dataflow.temporal ? temporalTickMilliseconds : idleTickMilliseconds
    const due = this.lastMint + 1000 * (this.waiting.size > 0 ? tickMilliseconds : idle)
    if (now < due) {
      this.wakeAt = Math.min(this.wakeAt, due)
      return null
    }
    const { timeline } = this.dataflow
    const time = timeline.next(this.host.term.environment.clock.now())
    if (!this.host.ceiling.allows(time, this.retry)) return null
    timeline.mint(time)
    this.open.push({ time, mintedAt: now })
    this.waiting.clear()
    this.lastMint = now
    this.wakeAt = Math.min(this.wakeAt, now + 1000 * idle)
    return time
  }

  /** Times before it are read no more: a while after they were visible, and not before all followers have heard them. */
  private age(now: number): number | null {
    const { log } = this.dataflow
    const before = this.compactTo
    if (now - this.aging.at >= this.limits.historyMilliseconds * 1000) {
      this.compactTo = Math.max(this.compactTo, Math.min(this.aging.time, log.first ?? log.since))
      this.aging = { time: log.visible, at: now }
    }
    return this.compactTo === before ? null : this.compactTo
  }

  private standing(): Advance {
    const { number: dataflow, log } = this.dataflow
    return {
      kind: 'advance',
      generation: this.generation,
      minted: this.open.map(({ time }) => ({ dataflow, time })),
      visible: this.phase === 'running' && log.first !== null ? [{ dataflow, time: log.visible }] : [],
      compactTo: [],
    }
  }

  private enter(phase: RunPhase): void {
    this.phase = phase
    this.since = this.host.term.now()
    this.host.phaseChanged(this)
  }
}

function byName(a: PartitionSeen, b: PartitionSeen): number {
  const left = partitionKey(a.input, a.partition)
  const right = partitionKey(b.input, b.partition)
  return left < right ? -1 : left > right ? 1 : 0
}
