/**
 * The connections of one generation to the other processes in it, and what goes over them: frames between workers, and questions
 * between processes. Of two members the one with the smaller position connects. A link that breaks stays broken, since
 * frames were lost: the next generation makes new ones.
 */
import type { Connection, TlsIdentity } from '../../runtime/env/connection.ts'
import type { Environment, Timer } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import { encodeMessage } from '../../runtime/protocol/codec.ts'
import { type Member, PEER_PATH, type ProcessId } from '../../runtime/protocol/control.ts'
import { Backoff } from './backoff.ts'
import { PeerCalls } from './peer-calls.ts'
import { firstMessage, greet, type PeerHello, type PeerRefused, type PeerWelcome } from './peer-handshake.ts'
import { PeerLink } from './peer-link.ts'
import type { PeerService } from './peer-service.ts'

/** When nothing else is said, so often we say that we are there. With TCP's headers this is about 500 bytes a second and pair. */
export const PEER_HEARTBEAT_MILLISECONDS = 500
/** A peer that is not heard for so long is taken for lost. */
export const PEER_SILENCE_MILLISECONDS = 3000
/** Members that are not connected after so long are reported, and again after as long. */
export const PEER_CONNECT_MILLISECONDS = 2000
/** Between attempts to connect. */
const FIRST_RETRY_MILLISECONDS = 20
const LONGEST_RETRY_MILLISECONDS = 500
/** While more was sent to a peer and not handed on by it, nothing new is admitted. */
export const PEER_WINDOW_BYTES = 8 << 20
/** Connections that have not said whose they are; more are closed. */
const MAXIMUM_GREETINGS = 64

export interface PeerLinksOptions {
  readonly self: ProcessId
  readonly cluster: string
  readonly token: string | null
  readonly tls: TlsIdentity | null
  readonly log: Log
}

export interface PeerLinksEvents {
  /** All members of the generation are connected. */
  onLinked(generation: number): void
  onUnreachable(generation: number, peers: readonly ProcessId[], reason: string): void
  onFrame(from: number, to: number, bytes: Uint8Array): void
  /** What held back the sources may be over. */
  onRelief(): void
  /** Whether this process's threads are behind in taking what came. */
  isBacklogged(): boolean
}

/** Links of one generation. */
interface Links {
  readonly generation: number
  readonly protocol: number
  readonly peers: readonly Member[]
  /** Own position among the members. */
  readonly position: number
  /** Links that were made, broken ones too. */
  readonly links: Map<ProcessId, PeerLink>
  readonly problems: Map<ProcessId, string>
  /** By number of worker. */
  readonly byWorker: (PeerLink | null)[]
  readonly ofWorker: readonly ProcessId[]
  linked: boolean
}

export class PeerLinks {
  private readonly environment: Environment
  private readonly options: PeerLinksOptions
  private readonly events: PeerLinksEvents
  private readonly calls: PeerCalls
  private current: Links | null = null
  private timers: Timer[] = []
  private lastRound = 0
  private greetings = 0

  constructor(environment: Environment, options: PeerLinksOptions, events: PeerLinksEvents) {
    this.environment = environment
    this.options = options
    this.events = events
    this.calls = new PeerCalls({ self: options.self, linkTo: (process) => this.linkTo(process) })
  }

  get service(): PeerService {
    return this.calls
  }

  /** Whether so much waits somewhere on its way to a peer that nothing new may be admitted. */
  get congested(): boolean {
    if (this.current === null) return false
    for (const link of this.current.links.values())
      if (link.isOpen && (link.outstandingBytes > PEER_WINDOW_BYTES || link.bufferedBytes > PEER_WINDOW_BYTES)) return true
    return false
  }

  /** Of the members that are connected, and of those that are not. */
  get view(): readonly { readonly process: ProcessId; readonly connected: boolean; readonly bufferedBytes: number }[] {
    const { current } = this
    if (current === null) return []
    return current.peers.map(({ process }) => {
      const link = current.links.get(process)
      return { process, connected: link?.isOpen === true, bufferedBytes: link?.isOpen === true ? link.bufferedBytes : 0 }
    })
  }

  /** Closes the links of the generation before and connects to the members of this one. */
  begin(generation: number, protocol: number, members: readonly Member[]): void {
    this.end(`generation ${generation} begins`)
    const position = members.findIndex(({ process }) => process === this.options.self)
    const peers = members.filter((_, i) => i !== position)
    const workers = members.flatMap((member) => new Array<ProcessId>(member.threads).fill(member.process))
    const current: Links = {
      generation,
      protocol,
      peers,
      position,
      links: new Map(),
      problems: new Map(),
      byWorker: new Array(workers.length).fill(null),
      ofWorker: workers,
      linked: false,
    }
    this.current = current
    const { timers, clock } = this.environment
    this.lastRound = clock.monotonic()
    this.timers.push(timers.setInterval(() => this.round(), PEER_HEARTBEAT_MILLISECONDS))
    this.timers.push(timers.setInterval(() => this.reportMissing(), PEER_CONNECT_MILLISECONDS))
    members.forEach((member, i) => {
      if (i > position) void this.connectTo(member, current)
    })
    if (peers.length === 0) void Promise.resolve().then(() => this.checkLinked(current))
  }

  end(reason: string): void {
    for (const timer of this.timers) timer.clear()
    this.timers = []
    const { current } = this
    this.current = null
    if (current !== null) for (const link of current.links.values()) link.close(reason)
    this.calls.lost(null, reason)
  }

  /** Bytes for a worker of another process; they are copied. Without a link they are gone, and so is the generation. */
  send(from: number, to: number, bytes: Uint8Array): void {
    this.current?.byWorker[to]?.sendFrame(from, to, bytes)
  }

  /** A message of a worker was damaged on its way: what was said since is worth nothing. */
  damaged(from: number, reason: string): void {
    this.current?.byWorker[from]?.breakWith(reason)
  }

  /** This process's threads have caught up: peers may be told. */
  relieve(): void {
    if (this.current !== null) for (const link of this.current.links.values()) link.acknowledgeIfDue()
  }

  /** Reports again what is missing, for a coordinator that may not have heard it. */
  repeat(): void {
    this.reportMissing()
  }

  /** A connection that somebody opened at `PEER_PATH`. */
  accept(connection: Connection): void {
    if (this.greetings >= MAXIMUM_GREETINGS) {
      connection.close('too many connections have not said whose they are')
      return
    }
    this.greetings++
    firstMessage<PeerHello>(this.environment.timers, connection)
      .then((hello) => this.welcome(connection, hello))
      .catch((error: unknown) => {
        connection.terminate()
        this.options.log.warn('a connection from a peer was dropped', { reason: reasonOf(error), peer: connection.remote })
      })
      .finally(() => this.greetings--)
  }

  private welcome(connection: Connection, hello: PeerHello): void {
    const refused = this.refusal(hello)
    if (refused !== null) {
      connection.send(encodeMessage(refused))
      connection.close(refused.reason)
      return
    }
    const current = this.current as Links
    const before = current.links.get(hello.process)
    if (before !== undefined) {
      // The other side gave up an attempt whose end we have not heard. Once frames went, there is no second attempt.
      if (before.used || !before.isOpen) {
        connection.send(encodeMessage(refusal(`the link of generation ${hello.generation} was broken`, false)))
        connection.close('the link was broken')
        return
      }
      before.close('the peer connected again')
      current.links.delete(hello.process)
    }
    const welcome: PeerWelcome = { kind: 'peer-welcome' }
    connection.send(encodeMessage(welcome))
    this.add(current, hello.process, connection)
  }

  private refusal(hello: PeerHello): PeerRefused | null {
    const { self, cluster } = this.options
    const { current } = this
    if (hello.kind !== 'peer-hello') return refusal('this is where worker processes connect to each other', false)
    if (hello.cluster !== cluster) return refusal(`this is a process of cluster ${cluster}, not ${hello.cluster}`, false)
    if (hello.to !== self) return refusal(`this is process ${self}, not ${hello.to}`, false)
    if (current === null || hello.generation > current.generation)
      return refusal(`generation ${hello.generation} is not known here yet`, true)
    if (hello.generation < current.generation)
      return refusal(`generation ${hello.generation} is over: this is ${current.generation}`, false)
    if (hello.protocol !== current.protocol)
      return refusal(`generation ${hello.generation} speaks protocol ${current.protocol}, not ${hello.protocol}`, false)
    if (!current.peers.some(({ process }) => process === hello.process))
      return refusal(`process ${hello.process} is no member of generation ${hello.generation}`, false)
    return null
  }

  private async connectTo(member: Member, current: Links): Promise<void> {
    const { network, timers, random } = this.environment
    const { token, tls, cluster, self, log } = this.options
    const { process } = member
    const backoff = new Backoff(random, FIRST_RETRY_MILLISECONDS, LONGEST_RETRY_MILLISECONDS)
    const options = {
      ...(token === null ? {} : { token }),
      ...(tls === null ? {} : { tls }),
      timeoutMilliseconds: PEER_CONNECT_MILLISECONDS,
    }
    const url = `${member.address.replace(/\/$/, '')}${PEER_PATH}`
    for (;;) {
      try {
        const connection = await network.connect(url, options)
        if (this.current !== current) {
          connection.terminate()
          return
        }
        const { generation, protocol } = current
        const answer = await greet(timers, connection, { kind: 'peer-hello', protocol, cluster, generation, process: self, to: process })
        if (this.current !== current) {
          connection.terminate()
          return
        }
        if (answer.kind === 'peer-welcome') {
          this.add(current, process, connection)
          return
        }
        connection.terminate()
        current.problems.set(process, `${process} refused the connection: ${answer.reason}`)
        if (answer.kind === 'peer-refused' && !answer.retry) {
          log.warn('a peer refused the connection', { peer: process, generation, reason: answer.reason })
          return
        }
      } catch (error) {
        if (this.current !== current) return
        if (!(error instanceof MillraceError)) throw error
        current.problems.set(process, error.message)
      }
      await new Promise<void>((resolve) => timers.setTimeout(resolve, backoff.next()))
      if (this.current !== current) return
    }
  }

  private add(current: Links, process: ProcessId, connection: Connection): void {
    const link = new PeerLink(this.environment, process, connection, {
      onFrame: (from, to, bytes) => {
        if (current.ofWorker[from] !== process || current.ofWorker[to] !== this.options.self)
          throw new MillraceError('PROTOCOL', `process ${process} sent a frame of worker ${from} to worker ${to}`)
        this.events.onFrame(from, to, bytes)
      },
      onService: (message) => this.calls.receive(process, message),
      onAcknowledged: () => {
        if (!this.congested) this.events.onRelief()
      },
      onBroken: (reason) => this.broken(current, process, reason),
      isBacklogged: () => this.events.isBacklogged(),
    })
    current.links.set(process, link)
    current.problems.delete(process)
    current.ofWorker.forEach((owner, worker) => {
      if (owner === process) current.byWorker[worker] = link
    })
    this.checkLinked(current)
  }

  private checkLinked(current: Links): void {
    if (this.current !== current || current.linked) return
    if (!current.peers.every(({ process }) => current.links.get(process)?.isOpen === true)) return
    current.linked = true
    this.events.onLinked(current.generation)
  }

  private broken(current: Links, process: ProcessId, reason: string): void {
    if (this.current !== current) return
    current.problems.set(process, reason)
    this.options.log.warn('the connection to a peer is broken', { peer: process, generation: current.generation, reason })
    this.calls.lost(process, reason)
    if (this.current !== current) return
    this.events.onUnreachable(current.generation, [process], reason)
    if (this.current === current && !this.congested) this.events.onRelief()
  }

  private reportMissing(): void {
    const { current } = this
    if (current === null) return
    const missing = current.peers.map(({ process }) => process).filter((process) => current.links.get(process)?.isOpen !== true)
    if (missing.length === 0) return
    const reasons = missing.map((process) => current.problems.get(process) ?? `${process} has not connected`)
    this.events.onUnreachable(current.generation, missing, [...new Set(reasons)].join('; '))
  }

  /** Says that we are there, and looks who else is. */
  private round(): void {
    const { current } = this
    if (current === null) return
    const now = this.environment.clock.monotonic()
    // A process that was itself stopped for a while has not listened: it gives the others another round.
    const late = now - this.lastRound > 2 * PEER_HEARTBEAT_MILLISECONDS * 1000
    this.lastRound = now
    for (const link of [...current.links.values()]) {
      if (!link.isOpen) continue
      if (late) link.lastHeard = now / 1000
      if (now / 1000 - link.lastHeard > PEER_SILENCE_MILLISECONDS) link.breakWith(`nothing was heard for ${PEER_SILENCE_MILLISECONDS} ms`)
      else link.heartbeat(PEER_HEARTBEAT_MILLISECONDS)
    }
  }

  private linkTo(process: ProcessId): PeerLink | null {
    const link = this.current?.links.get(process)
    return link?.isOpen === true ? link : null
  }
}

function refusal(reason: string, retry: boolean): PeerRefused {
  return { kind: 'peer-refused', reason, retry }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
