/**
 * Which processes live: each has said `hello`, holds a lease that its heartbeats prolong, and is given up when the lease has run out
 * or its connection has been gone for too long. (Leases as in Gray and Cheriton, SOSP 1989.)
 */
import type { Connection } from '../runtime/env/connection.ts'
import type { Timer } from '../runtime/env/environment.ts'
import type { FromProcess, Heartbeat, HeldGeneration, Hello, ProcessId } from '../runtime/protocol/control.ts'
import { agreedProtocol } from '../runtime/protocol/version.ts'
import { isCode, messageOf } from './error-code.ts'
import { PROTOCOLS, refusal } from './hello.ts'
import { duration } from './history.ts'
import { Participant } from './participant.ts'
import { Session, type SessionEvents } from './session.ts'
import type { Term } from './term.ts'

/** The group of a process, as far as membership is concerned. */
export interface Membered {
  joined(participant: Participant, held: HeldGeneration | null): boolean
  returned(participant: Participant, held: HeldGeneration | null): boolean
  welcomed(participant: Participant, resumed: boolean, held: HeldGeneration | null): void
  disconnected(participant: Participant): void
  lost(participant: Participant, reason: string): void
  receive(participant: Participant, message: FromProcess): void
}

export interface MembershipOptions {
  readonly cluster: string
  /** Begins a group when its first process comes. */
  readonly group: (name: string) => Membered
  readonly needBundle: (participant: Participant, digest: string) => Promise<void>
}

export class Membership implements SessionEvents {
  readonly processes = new Map<ProcessId, Participant>()
  private readonly term: Term
  private readonly options: MembershipOptions
  /** Connections, each with the process that has said hello on it. */
  private readonly sessions = new Map<Session, Participant | null>()
  private readonly impatient = new Map<Session, Timer>()
  private order = 0
  private leases: Timer | null = null

  constructor(term: Term, options: MembershipOptions) {
    this.term = term
    this.options = options
  }

  accept(connection: Connection): void {
    const { maximumControlBacklogBytes, helloMilliseconds } = this.term.limits
    const session = new Session(connection, maximumControlBacklogBytes, this)
    this.sessions.set(session, null)
    this.impatient.set(
      session,
      this.term.after(helloMilliseconds, () => session.break('it did not say hello')),
    )
  }

  /** Ends all connections: the processes look for the leader. */
  close(reason: string): void {
    for (const session of this.sessions.keys()) session.close(reason)
    this.sessions.clear()
  }

  named(name: string): Participant | null {
    for (const participant of this.processes.values()) if (participant.name === name) return participant
    return null
  }

  message(session: Session, message: FromProcess): void {
    this.term.guard(() => this.receive(session, message))
  }

  closed(session: Session, reason: string): void {
    this.impatient.get(session)?.clear()
    this.impatient.delete(session)
    const participant = this.sessions.get(session) ?? null
    this.sessions.delete(session)
    if (participant !== null) this.term.guard(() => this.disconnected(participant, session, reason))
  }

  private receive(session: Session, message: FromProcess): void {
    const participant = this.sessions.get(session)
    if (participant === undefined) return
    try {
      if (message.kind === 'hello' && participant === null) this.hello(session, message)
      else if (participant === null) session.break('it did not say hello')
      else if (message.kind === 'hello') session.break('it said hello twice')
      else if (message.kind === 'heartbeat') this.heartbeat(participant, message)
      else if (message.kind === 'need-bundle') this.term.guard(() => this.options.needBundle(participant, message.digest))
      else if (!participant.released) this.group(participant).receive(participant, message)
    } catch (error) {
      if (!isCode(error, 'PROTOCOL') || participant === null || participant === undefined) throw error
      // It does not keep to the protocol: what it holds cannot be trusted.
      session.close(messageOf(error))
      this.sessions.delete(session)
      this.lose(participant, messageOf(error))
    }
  }

  private hello(session: Session, hello: Hello): void {
    this.impatient.get(session)?.clear()
    this.impatient.delete(session)
    const known = this.processes.get(hello.process)
    this.replace(hello)
    const others = [...this.processes.values()].filter(({ id }) => id !== hello.process)
    const refused = refusal(hello, this.options.cluster, others, this.term.limits)
    if (refused !== null) {
      session.send(refused)
      session.close(refused.message)
      this.sessions.delete(session)
      this.term.history.addOnce(null, `refused a process at ${session.remote}: ${refused.message}`)
      return
    }
    const now = this.term.now()
    const participant = known ?? new Participant(hello, this.order++, session, now)
    if (known !== undefined) this.attach(known, session)
    this.processes.set(participant.id, participant)
    this.sessions.set(session, participant)
    // What it was granted before is not shorter than this.
    this.prolong(participant, now)
    const group = this.group(participant)
    const resumed = known === undefined ? group.joined(participant, hello.held) : group.returned(participant, hello.held)
    const { heartbeatMilliseconds, leaseMilliseconds } = this.term.limits
    session.send({
      kind: 'welcome',
      protocol: agreedProtocol(PROTOCOLS, hello.protocol) as number,
      epoch: this.term.lease.epoch,
      heartbeatMilliseconds,
      leaseMilliseconds,
      resumed,
    })
    group.welcomed(participant, resumed, hello.held)
  }

  /** A process that starts again, and whose last life has no connection any more, need not wait until that is given up. */
  private replace(hello: Hello): void {
    const same = this.named(hello.name)
    if (same !== null && same.id !== hello.process && same.session === null)
      this.lose(same, `its connection broke (${same.broken}) and another process took its name, from ${hello.address}`)
  }

  private attach(participant: Participant, session: Session): void {
    const before = participant.session
    participant.session = session
    participant.grace?.clear()
    participant.grace = null
    if (before === null) return
    this.sessions.delete(before)
    before.close('it has another connection')
  }

  private heartbeat(participant: Participant, { sentAt, stats }: Heartbeat): void {
    this.prolong(participant, this.term.now())
    participant.stats = stats
    participant.send({ kind: 'heartbeat-answer', sentAt, leaseMilliseconds: this.term.limits.leaseMilliseconds })
  }

  private prolong(participant: Participant, now: number): void {
    participant.heardAt = now
    participant.leaseUntil = now + 1000 * this.term.limits.leaseWaitMilliseconds
    if (this.leases === null) this.watch(now)
  }

  private watch(now: number): void {
    this.leases = null
    let due = Number.POSITIVE_INFINITY
    for (const { leaseUntil } of this.processes.values()) due = Math.min(due, leaseUntil)
    if (due === Number.POSITIVE_INFINITY) return
    this.leases = this.term.after((due - now) / 1000, () => this.checkLeases(due))
  }

  private checkLeases(due: number): void {
    const now = this.term.now()
    const late = now - due
    // It was this process that stood still: heartbeats may wait to be read.
    if (late > 1000 * this.term.limits.heartbeatMilliseconds)
      for (const participant of this.processes.values()) participant.leaseUntil += late
    for (const participant of [...this.processes.values()])
      if (participant.leaseUntil <= now) this.lose(participant, `no heartbeat for ${duration((now - participant.heardAt) / 1000)}`)
    this.watch(now)
  }

  private disconnected(participant: Participant, session: Session, reason: string): void {
    if (participant.session !== session) return
    participant.session = null
    if (participant.released) {
      this.lose(participant, 'it left')
      return
    }
    this.group(participant).disconnected(participant)
    participant.broken = reason
    const { reconnectMilliseconds } = this.term.limits
    participant.grace = this.term.after(reconnectMilliseconds, () =>
      this.lose(participant, `its connection broke (${reason}) and it did not come back within ${duration(reconnectMilliseconds)}`),
    )
  }

  private lose(participant: Participant, reason: string): void {
    if (this.processes.get(participant.id) !== participant) return
    this.processes.delete(participant.id)
    participant.grace?.clear()
    if (participant.session !== null) {
      this.sessions.delete(participant.session)
      participant.session.close(reason)
      participant.session = null
    }
    this.group(participant).lost(participant, reason)
  }

  private group(participant: Participant): Membered {
    return this.options.group(participant.group)
  }
}
