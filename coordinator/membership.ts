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
import { MemberProcess } from './member-process.ts'
import { Session, type SessionEvents } from './session.ts'
import type { Term } from './term.ts'

/** The group of a process, as far as membership is concerned. */
export interface Membered {
  joined(process: MemberProcess, held: HeldGeneration | null): boolean
  returned(process: MemberProcess, held: HeldGeneration | null): boolean
  welcomed(process: MemberProcess, resumed: boolean, held: HeldGeneration | null): void
  disconnected(process: MemberProcess): void
  lost(process: MemberProcess, reason: string): void
  receive(process: MemberProcess, message: FromProcess): void
}

export interface MembershipOptions {
  readonly cluster: string
  /** Begins a group when its first process comes. */
  readonly group: (name: string) => Membered
  readonly needBundle: (process: MemberProcess, digest: string) => Promise<void>
}

export class Membership implements SessionEvents {
  readonly processes = new Map<ProcessId, MemberProcess>()
  private readonly term: Term
  private readonly options: MembershipOptions
  /** Connections, each with the process that has said hello on it. */
  private readonly sessions = new Map<Session, MemberProcess | null>()
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

  named(name: string): MemberProcess | null {
    for (const process of this.processes.values()) if (process.name === name) return process
    return null
  }

  message(session: Session, message: FromProcess): void {
    this.term.guard(() => this.receive(session, message))
  }

  closed(session: Session, reason: string): void {
    this.impatient.get(session)?.clear()
    this.impatient.delete(session)
    const process = this.sessions.get(session) ?? null
    this.sessions.delete(session)
    if (process !== null) this.term.guard(() => this.disconnected(process, session, reason))
  }

  private receive(session: Session, message: FromProcess): void {
    const process = this.sessions.get(session)
    if (process === undefined) return
    try {
      if (message.kind === 'hello' && process === null) this.hello(session, message)
      else if (process === null) session.break('it did not say hello')
      else if (message.kind === 'hello') session.break('it said hello twice')
      else if (message.kind === 'heartbeat') this.heartbeat(process, message)
      else if (message.kind === 'need-bundle') this.term.guard(() => this.options.needBundle(process, message.digest))
      else if (!process.released) this.group(process).receive(process, message)
    } catch (error) {
      if (!isCode(error, 'PROTOCOL') || process === null || process === undefined) throw error
      // It does not keep to the protocol: what it holds cannot be trusted.
      session.close(messageOf(error))
      this.sessions.delete(session)
      this.lose(process, messageOf(error))
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
      this.term.history.add(null, `refused a process at ${session.remote}: ${refused.message}`)
      return
    }
    const now = this.term.now()
    const process = known ?? new MemberProcess(hello, this.order++, session, now)
    if (known !== undefined) this.attach(known, session)
    this.processes.set(process.id, process)
    this.sessions.set(session, process)
    // What it was granted before is not shorter than this.
    this.prolong(process, now)
    const group = this.group(process)
    const resumed = known === undefined ? group.joined(process, hello.held) : group.returned(process, hello.held)
    const { heartbeatMilliseconds, leaseMilliseconds } = this.term.limits
    session.send({
      kind: 'welcome',
      protocol: agreedProtocol(PROTOCOLS, hello.protocol) as number,
      epoch: this.term.lease.epoch,
      heartbeatMilliseconds,
      leaseMilliseconds,
      resumed,
    })
    group.welcomed(process, resumed, hello.held)
  }

  /** A process that starts again, and whose last life has no connection any more, need not wait until that is given up. */
  private replace(hello: Hello): void {
    const same = this.named(hello.name)
    if (same !== null && same.id !== hello.process && same.session === null)
      this.lose(same, `another process took its name, from ${hello.address}`)
  }

  private attach(process: MemberProcess, session: Session): void {
    const before = process.session
    process.session = session
    process.grace?.clear()
    process.grace = null
    if (before === null) return
    this.sessions.delete(before)
    before.close('it has another connection')
  }

  private heartbeat(process: MemberProcess, { sentAt, stats }: Heartbeat): void {
    this.prolong(process, this.term.now())
    process.stats = stats
    process.send({ kind: 'heartbeat-answer', sentAt, leaseMilliseconds: this.term.limits.leaseMilliseconds })
  }

  private prolong(process: MemberProcess, now: number): void {
    process.heardAt = now
    process.leaseUntil = now + 1000 * this.term.limits.leaseWaitMilliseconds
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
    if (late > 1000 * this.term.limits.heartbeatMilliseconds) for (const process of this.processes.values()) process.leaseUntil += late
    for (const process of [...this.processes.values()])
      if (process.leaseUntil <= now) this.lose(process, `no heartbeat for ${duration((now - process.heardAt) / 1000)}`)
    this.watch(now)
  }

  private disconnected(process: MemberProcess, session: Session, reason: string): void {
    if (process.session !== session) return
    process.session = null
    if (process.released) {
      this.lose(process, 'it left')
      return
    }
    this.group(process).disconnected(process)
    const { reconnectMilliseconds } = this.term.limits
    process.grace = this.term.after(reconnectMilliseconds, () =>
      this.lose(process, `its connection broke (${reason}) and it did not come back within ${duration(reconnectMilliseconds)}`),
    )
  }

  private lose(process: MemberProcess, reason: string): void {
    if (this.processes.get(process.id) !== process) return
    this.processes.delete(process.id)
    process.grace?.clear()
    if (process.session !== null) {
      this.sessions.delete(process.session)
      process.session.close(reason)
      process.session = null
    }
    this.group(process).lost(process, reason)
  }

  private group(process: MemberProcess): Membered {
    return this.options.group(process.group)
  }
}
