/**
 * A named group of worker processes: which of them are members, and when a new generation of them begins. Jobs of different groups
 * share nothing but the coordinator.
 */
import type { Timer } from '../runtime/env/environment.ts'
import { invariant } from '../runtime/error.ts'
import type { FromCoordinator, FromProcess, HeldGeneration, Member, ProcessId } from '../runtime/protocol/control.ts'
import { CrashLoop } from './crash-loop.ts'
import type { Dataflow } from './dataflow.ts'
import { isCode } from './error-code.ts'
import { type GroupFact, groupKey, setFact } from './facts.ts'
import { Generation, type GenerationGroup } from './generation.ts'
import { commonProtocol } from './hello.ts'
import { duration } from './history.ts'
import type { Fact } from './metadata/metadata-store.ts'
import type { CoordinatorLimits } from './options.ts'
import type { Participant } from './participant.ts'
import { placeShards, renumber } from './placement.ts'
import { resumeLogs } from './resume.ts'
import type { Term } from './term.ts'
import type { Ceiling } from './timeline.ts'
import type { Candidate } from './unreachable.ts'

/** Messages that are kept while members come back to a new coordinator. */
const MAXIMUM_EARLY_MESSAGES = 4096

/** What a group needs of the leader that it belongs to. */
export interface GroupLeader {
  readonly term: Term
  readonly ceiling: Ceiling
  readonly minimumProcesses: number
  /** Calls back once the fact is durable. */
  settle(fact: Fact, done: () => void): void
  dirty(dataflow: Dataflow): void
  /** Resolves when it is durable; the job is not started again. */
  failed(dataflow: Dataflow, code: string, message: string): void
}

/** Why and when a new generation begins. */
interface Wanted {
  /** Names of processes that joined, and what else. */
  readonly joined: string[]
  readonly reasons: string[]
  /** Monotonic, microseconds: when it was first wanted. */
  readonly since: number
  due: number
  /** Nobody waits for it but processes that come: it waits for more of them. */
  patient: boolean
}

export type GroupState = 'empty' | 'waiting' | 'resuming' | 'preparing' | 'starting' | 'hydrating' | 'running'

export class Group implements GenerationGroup {
  readonly name: string
  readonly term: Term
  readonly ceiling: Ceiling
  readonly processes = new Map<ProcessId, Participant>()
  readonly dataflows = new Map<number, Dataflow>()
  /** As it is durable. */
  fact: GroupFact
  generation: Generation | null = null
  /** Monotonic, microseconds. */
  fencedUntil = 0
  private readonly leader: GroupLeader
  private readonly limits: CoordinatorLimits
  private readonly crashLoop: CrashLoop
  /** Of those members of the stored generation that came back so far; null when that is decided. */
  private held: Map<ProcessId, HeldGeneration> | null = null
  /** What those have said since. */
  private early: { readonly process: ProcessId; readonly message: FromProcess }[] = []
  /** Whether what was made visible before this term is known for sure. */
  private certain = true
  private wanted: Wanted | null = null
  private timer: Timer | null = null
  /** While a generation is being written: its members. */
  private choosing: ReadonlySet<ProcessId> | null = null
  /** The last generation in which a crash was counted against jobs. */
  private struckGeneration = 0
  /** Generations that processes of an earlier life have seen: numbers go on above it. */
  private seenGeneration = 0

  constructor(leader: GroupLeader, fact: GroupFact, dataflows: Iterable<Dataflow>) {
    this.leader = leader
    this.term = leader.term
    this.ceiling = leader.ceiling
    this.limits = leader.term.limits
    this.crashLoop = new CrashLoop(this.limits)
    this.name = fact.name
    this.fact = fact
    for (const dataflow of dataflows) this.dataflows.set(dataflow.number, dataflow)
    if (fact.members.length === 0) return
    const now = this.term.now()
    this.held = new Map()
    // Leases that the coordinator before granted.
    this.fencedUntil = now + 1000 * this.limits.leaseWaitMilliseconds
    const wait = Math.max(this.limits.resumeMilliseconds, this.limits.leaseWaitMilliseconds)
    this.timer = this.term.after(wait, () => this.resumeOver())
  }

  static empty(name: string): GroupFact {
    return { kind: 'group', name, generation: 0, members: [], owners: [], reason: 'no process has joined yet', began: 0 }
  }

  get state(): GroupState {
    if (this.held !== null) return 'resuming'
    if (this.choosing !== null || this.wanted?.patient === false) return 'preparing'
    if (this.generation === null) return this.processes.size === 0 ? 'empty' : 'waiting'
    if (this.generation.phase !== 'running') return 'preparing'
    const phases = [...this.generation.runs.values()].map(({ phase }) => phase)
    if (phases.includes('installing')) return 'starting'
    return phases.includes('hydrating') || phases.includes('queued') ? 'hydrating' : 'running'
  }

  // ---- processes

  /** A process that is new, or was given up before. Whether it keeps what it holds. */
  joined(participant: Participant, held: HeldGeneration | null): boolean {
    this.processes.set(participant.id, participant)
    this.learn(held)
    this.tell(
      `process ${participant.name} joined with ${participant.threads} ${participant.threads === 1 ? 'thread' : 'threads'}, from ${participant.address}`,
    )
    const isStored = this.fact.members.some((member) => member.process === participant.id)
    if (this.held !== null && isStored && held?.generation === this.fact.generation) {
      this.held.set(participant.id, held)
      return true
    }
    this.want(participant.name, 'join')
    return false
  }

  /** A process has a new connection in place of one that broke. Whether it keeps what it holds. */
  returned(participant: Participant, held: HeldGeneration | null): boolean {
    this.learn(held)
    if (this.held !== null) {
      if (held?.generation === this.fact.generation && this.fact.members.some((member) => member.process === participant.id)) {
        this.held.set(participant.id, held)
        return true
      }
      return false
    }
    const { generation } = this
    if (this.choosing?.has(participant.id) === true) return false
    if (generation === null || !generation.isMember(participant.id)) {
      this.want(participant.name, 'join')
      return false
    }
    if (held !== null && generation.canRejoin(held)) return true
    this.want(`process ${participant.name} came back without what it had`, 'failure')
    return false
  }

  /** After it was told whether it keeps what it holds. */
  welcomed(participant: Participant, resumed: boolean, held: HeldGeneration | null): void {
    if (this.held !== null) {
      // A member that forgot all, or another process in its place: waiting for it is for nothing.
      if (!resumed && this.fact.members.some(({ process: id, name }) => id === participant.id || name === participant.name))
        this.resumeOver()
      else this.tryResume()
    } else if (resumed && held !== null) this.generation?.rejoin(participant.id, held)
  }

  /** It has no connection, and may still get one. */
  disconnected(participant: Participant): void {
    this.held?.delete(participant.id)
    // It says it again when it comes back.
    this.early = this.early.filter((one) => one.process !== participant.id)
  }

  /** A process is gone for good. */
  lost(participant: Participant, reason: string): void {
    const now = this.term.now()
    this.processes.delete(participant.id)
    this.fencedUntil = Math.max(this.fencedUntil, participant.leaseUntil)
    for (const dataflow of this.dataflows.values()) dataflow.told.delete(participant.id)
    if (participant.released) {
      this.tell(`process ${participant.name} left`)
      return
    }
    const text = `process ${participant.name} lost: ${reason}`
    this.tell(text)
    if (this.held !== null) {
      if (this.fact.members.some((member) => member.process === participant.id)) this.resumeOver()
      return
    }
    if (this.generation === null || !this.generation.isMember(participant.id)) return
    this.strike(participant, now)
    this.want(text, 'failure')
  }

  drain(participant: Participant): void {
    if (participant.leaving) return
    participant.leaving = true
    this.tell(`process ${participant.name} is leaving`)
    if (this.held !== null) return
    if (this.generation?.isMember(participant.id) === true || this.choosing?.has(participant.id) === true)
      this.want(`process ${participant.name} is leaving`, 'leave')
    else this.release(participant)
  }

  receive(participant: Participant, message: FromProcess): void {
    if (message.kind === 'leaving') this.drain(participant)
    else if (this.held === null) this.generation?.receive(participant.id, message)
    else if (this.early.length < MAXIMUM_EARLY_MESSAGES) this.early.push({ process: participant.id, message })
    else this.resumeOver()
  }

  // ---- jobs

  deploy(dataflow: Dataflow): void {
    this.dataflows.set(dataflow.number, dataflow)
    if (this.held === null) this.generation?.deploy(dataflow)
  }

  drop(number: number): void {
    this.dataflows.delete(number)
    this.generation?.drop(number)
  }

  // ---- what a generation asks for

  send(process: ProcessId, message: FromCoordinator): void {
    this.processes.get(process)?.send(message)
  }

  candidates(members: readonly Member[]): readonly Candidate[] {
    return members.map(({ process }) => ({ process, order: this.processes.get(process)?.order ?? 0 }))
  }

  restart(reason: string): void {
    this.want(reason, 'failure')
  }

  exclude(id: ProcessId, reason: string): void {
    const participant = this.processes.get(id)
    if (participant === undefined) return
    const { exclusionMilliseconds, maximumExclusionMilliseconds } = this.limits
    const times = (participant.exclusion?.times ?? 0) + 1
    const wait = Math.min(maximumExclusionMilliseconds, exclusionMilliseconds * 2 ** (times - 1))
    const until = this.term.now() + 1000 * wait
    participant.exclusion = { until, reason, times }
    this.tell(`process ${participant.name} is left out for ${duration(wait)}: ${reason}`)
    this.term.after(wait, () => {
      if (participant.exclusion?.until === until && this.processes.get(id) === participant) this.want(participant.name, 'join')
    })
  }

  jobFailed(dataflow: Dataflow, code: string, message: string): void {
    this.dataflows.delete(dataflow.number)
    this.tell(`job ${dataflow.job.name} failed: ${message}`)
    this.leader.failed(dataflow, code, message)
  }

  settle(fact: Fact, done: () => void): void {
    this.leader.settle(fact, done)
  }

  dirty(dataflow: Dataflow): void {
    this.leader.dirty(dataflow)
  }

  connected(members: readonly Member[]): void {
    for (const { process: id } of members) {
      const participant = this.processes.get(id)
      if (participant !== undefined) participant.exclusion = null
    }
  }

  // ---- resuming

  private learn(held: HeldGeneration | null): void {
    if (held === null) return
    this.seenGeneration = Math.max(this.seenGeneration, held.generation)
    for (const one of held.dataflows) this.dataflows.get(one.dataflow)?.timeline.mint(Math.max(one.visible, ...one.minted))
  }

  private tryResume(): void {
    const { held } = this
    if (held === null || held.size < this.fact.members.length) return
    const members = this.fact.members.map(({ process }) => this.processes.get(process))
    const problem = members.some((one) => one === undefined || one.leaving)
      ? 'a member is leaving'
      : resumeLogs(this.dataflows.values(), held, this.limits)
    const early = this.early.splice(0)
    this.timer?.clear()
    this.held = null
    if (problem === null) {
      this.certain = true
      const generation = new Generation(this, this.fact.generation, this.fact.members)
      this.generation = generation
      try {
        generation.resume(this.dataflows.values(), held)
        for (const { process, message } of early) generation.receive(process, message)
        this.fencedUntil = 0
        this.tell(`generation ${this.fact.generation} goes on: all ${held.size} processes came back`)
        for (const participant of this.processes.values()) {
          if (generation.isMember(participant.id)) continue
          if (participant.leaving) this.release(participant)
          else this.want(participant.name, 'join')
        }
        return
      } catch (error) {
        if (!isCode(error, 'PROTOCOL')) throw error
        this.certain = false
      }
    }
    this.want(`generation ${this.fact.generation} cannot go on: ${problem ?? 'what the processes hold does not fit together'}`, 'failure')
  }

  private resumeOver(): void {
    if (this.held === null) return
    const gone = this.fact.members.filter(({ process }) => this.held?.has(process) !== true).map(({ name }) => name)
    this.held = null
    this.early = []
    this.timer?.clear()
    this.want(`the coordinator was away, and ${gone.join(', ')} did not come back with what they had`, 'away')
  }

  // ---- generations

  /** @param reason of a join the name of the process */
  private want(reason: string, cause: 'join' | 'away' | 'leave' | 'failure'): void {
    if (this.held !== null) return
    const now = this.term.now()
    const { joinDebounceMilliseconds, joinDebounces } = this.limits
    const patient = cause === 'join' || cause === 'away'
    const wanted = this.wanted ?? { joined: [], reasons: [], since: now, due: Number.POSITIVE_INFINITY, patient: true }
    this.wanted = wanted
    const texts = cause === 'join' ? wanted.joined : wanted.reasons
    if (!texts.includes(reason)) texts.push(reason)
    if (!patient) wanted.patient = false
    const most = wanted.since + 1000 * joinDebounceMilliseconds * joinDebounces
    wanted.due = wanted.patient ? Math.min(most, now + 1000 * joinDebounceMilliseconds) : Math.min(wanted.due, now)
    this.schedule()
  }

  private schedule(): void {
    const { wanted } = this
    if (wanted === null || this.choosing !== null) return
    const now = this.term.now()
    const wait = Math.max(0, wanted.due - now, this.crashLoop.wait(now))
    this.timer?.clear()
    this.timer = this.term.after(wait / 1000, () => this.begin())
  }

  /** Somebody has just lost its connection: one generation with or without it is better than two. */
  private awaitsReconnection(wanted: Wanted, now: number): boolean {
    if (now - wanted.since >= 1000 * this.limits.reconnectMilliseconds * 2) return false
    return [...this.processes.values()].some(({ session }) => session === null)
  }

  private async begin(): Promise<void> {
    const { wanted } = this
    const now = this.term.now()
    if (wanted === null || this.choosing !== null) return
    if (this.awaitsReconnection(wanted, now)) {
      wanted.due = now + (1000 * this.limits.reconnectMilliseconds) / 4
      this.schedule()
      return
    }
    const chosen = [...this.processes.values()].filter((participant) => participant.isReady(now)).sort(byName)
    if (this.fact.generation === 0 && chosen.length < this.leader.minimumProcesses) {
      this.wanted = null
      if (chosen.length > 0) this.tell(`waits for ${this.leader.minimumProcesses} processes, ${chosen.length} so far`)
      return
    }
    this.wanted = null
    if (chosen.length === 0 && this.fact.members.length === 0) return
    // Whoever joined is gone again, or left out for a while.
    if (wanted.patient && this.generation?.members.length === chosen.length && chosen.every(({ id }) => this.generation?.isMember(id)))
      return
    this.choosing = new Set(chosen.map(({ id }) => id))
    this.generation?.stop()
    this.generation = null
    try {
      await this.beginWith(chosen, reasonOf(wanted), now)
    } finally {
      this.choosing = null
      this.schedule()
    }
  }

  private async beginWith(chosen: readonly Participant[], reason: string, now: number): Promise<void> {
    const members: Member[] = []
    let first = 0
    for (const { id, name, address, threads } of chosen) {
      members.push({ process: id, name, address, threads, first })
      first += threads
    }
    const owners = members.length === 0 ? [] : placeShards(first, this.ownersBefore(members))
    if (!this.certain) await this.loseContinuity()
    const number = Math.max(this.fact.generation, this.seenGeneration) + 1
    this.crashLoop.note(now)
    const fact: GroupFact = {
      kind: 'group',
      name: this.name,
      generation: number,
      members,
      owners,
      reason,
      began: this.term.environment.clock.now(),
    }
    const logs = [...this.dataflows.values()].flatMap((dataflow) => dataflow.begin(number))
    await this.term.write([setFact(groupKey(this.name), fact), ...logs])
    const before = this.fact
    this.fact = fact
    this.certain = true
    this.dismiss(before, number)
    this.tell(
      `generation ${number} ${members.length === 0 ? 'has no members' : `of ${members.map(({ name }) => name).join(', ')}`}: ${reason}`,
    )
    if (members.length === 0) return
    const gone = chosen.filter((participant) => this.processes.get(participant.id) !== participant || participant.session === null)
    if (gone.length > 0) {
      this.want(`process ${gone.map(({ name }) => name).join(', ')} lost its connection`, 'failure')
      return
    }
    const protocol = commonProtocol(chosen.map((participant) => participant.protocol))
    invariant(protocol !== null, 'members of a group speak one protocol')
    this.generation = new Generation(this, number, members)
    this.generation.begin(owners, protocol, this.dataflows.values())
  }

  /** By shard the worker, in the numbers of new members, that had it. */
  private ownersBefore(members: readonly Member[]): number[] | null {
    if (this.fact.owners.length === 0) return null
    const numbers = renumber(this.fact.members, members)
    return this.fact.owners.map((owner) => numbers[owner] ?? -1)
  }

  /**
   * The coordinator before may have made more visible than is known here, since a process that knew did not come back. What was
   * read is read again, under a time that is above whatever was visible, and followers begin anew.
   */
  private async loseContinuity(): Promise<void> {
    for (const dataflow of this.dataflows.values()) {
      const time = await this.ceiling.mint(dataflow.timeline)
      dataflow.log.beginAt(time)
    }
  }

  /** Whoever was a member and is none any more must show nothing; until it surely does not, nothing new becomes visible. */
  private dismiss(before: GroupFact, number: number): void {
    for (const { process: id } of before.members) {
      const participant = this.processes.get(id)
      if (participant === undefined || this.generation?.isMember(id) === true || this.choosing?.has(id) === true) continue
      this.fencedUntil = Math.max(this.fencedUntil, participant.leaseUntil)
      // It comes back, and hears then that it keeps nothing.
      if (!participant.leaving) participant.session?.break(`it is not in generation ${number}`)
    }
    for (const participant of this.processes.values()) if (participant.leaving && !participant.released) this.release(participant)
  }

  private release(participant: Participant): void {
    participant.released = true
    for (const dataflow of this.dataflows.values()) dataflow.told.delete(participant.id)
    participant.send({ kind: 'released' })
    this.tell(`process ${participant.name} is released`)
  }

  /** A process crashed: jobs that were about to start are suspected of it. */
  private strike(participant: Participant, now: number): void {
    if (this.generation === null || this.struckGeneration === this.generation.number) return
    this.struckGeneration = this.generation.number
    const unsettled: Dataflow[] = []
    for (const run of this.generation.runs.values()) {
      if (run.isUnsettled(now)) unsettled.push(run.dataflow)
      else if (run.phase === 'running') run.dataflow.strikes = 0
    }
    const suspects = unsettled.filter(({ isSuspect }) => isSuspect)
    for (const dataflow of suspects.length > 0 ? suspects : unsettled) {
      dataflow.strikes++
      if (dataflow.strikes < this.limits.maximumStrikes) continue
      const message = `processes crashed ${dataflow.strikes} times while it was starting, the last one was ${participant.name}`
      this.generation?.drop(dataflow.number)
      this.jobFailed(dataflow, 'JOB', message)
    }
  }

  private tell(text: string): void {
    this.term.history.add(this.name, text)
  }
}

function reasonOf({ reasons, joined }: Wanted): string {
  if (joined.length === 0) return reasons.join('; ')
  const names = joined.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return [...reasons, `${names.length === 1 ? 'process' : 'processes'} ${names.join(', ')} joined`].join('; ')
}

function byName(a: Participant, b: Participant): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}
