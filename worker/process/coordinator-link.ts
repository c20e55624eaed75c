/**
 * The connection to the coordinator that leads: found among several addresses, opened again whenever it is lost, and the lease that
 * comes over it.
 *
 * The lease is valid until what the coordinator promised has passed since the heartbeat was *sent*, on the monotonic clock: the
 * coordinator counts from when it heard it, so whatever the network did, this process stops first. (Gray and Cheriton,
 * "Leases", SOSP 1989.)
 */
import type { Connection, TlsIdentity } from '../../runtime/env/connection.ts'
import type { Environment, Timer } from '../../runtime/env/environment.ts'
import { type ErrorCode, MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import {
  CONTROL_PATH,
  type FromCoordinator,
  type FromProcess,
  type HeartbeatAnswer,
  type Hello,
  type ProcessStats,
  type Refused,
  type Welcome,
} from '../../runtime/protocol/control.ts'
import { Backoff } from './backoff.ts'
import { HANDSHAKE_MILLISECONDS } from './peer-handshake.ts'

const FIRST_RETRY_MILLISECONDS = 50
const LONGEST_RETRY_MILLISECONDS = 1000
/** A coordinator that does not let us in at all (a wrong token, too many connections) is asked so often, then it is final. */
const REFUSED_ATTEMPTS = 3
/** A connection is given up when nothing was heard for so many heartbeats, or for the time of a lease. */
const SILENT_HEARTBEATS = 4

export interface CoordinatorLinkOptions {
  /** http(s) URLs, of the one that leads and of standbys, in any order. */
  readonly coordinators: readonly string[]
  readonly token: string | null
  readonly tls: TlsIdentity | null
  readonly log: Log
}

export interface CoordinatorLinkEvents {
  /** What to say when a connection is there. */
  hello(): Hello
  stats(): ProcessStats
  onWelcome(welcome: Welcome): void
  onMessage(message: Exclude<FromCoordinator, Welcome | Refused | HeartbeatAnswer>): void
  onLost(reason: string): void
  /** Refused for good: trying again is of no use. */
  onRefused(error: MillraceError): void
}

export class CoordinatorLink {
  private readonly environment: Environment
  private readonly options: CoordinatorLinkOptions
  private readonly events: CoordinatorLinkEvents
  private readonly backoff: Backoff
  private connection: Connection | null = null
  private welcomed = false
  private stopped = false
  private url: string | null = null
  private position = 0
  /** Where a standby said that the leader is. */
  private leader: string | null = null
  private highestEpoch = 0
  private leaseUntil = Number.NEGATIVE_INFINITY
  private lastHeard = 0
  private silenceMilliseconds = HANDSHAKE_MILLISECONDS
  private timer: Timer | null = null
  private retry: Timer | null = null
  private refusals = 0
  private problem: string | null = null

  constructor(environment: Environment, options: CoordinatorLinkOptions, events: CoordinatorLinkEvents) {
    if (options.coordinators.length === 0)
      throw new MillraceError('CONFIG', 'there is no coordinator to join', 'Give the URL of at least one.')
    this.environment = environment
    this.options = options
    this.events = events
    this.backoff = new Backoff(environment.random, FIRST_RETRY_MILLISECONDS, LONGEST_RETRY_MILLISECONDS)
  }

  start(): void {
    void this.attempt()
  }

  /** Ends the connection; what was sent before is delivered. */
  stop(reason: string): void {
    this.stopped = true
    this.retry?.clear()
    this.timer?.clear()
    const { connection } = this
    this.connection = null
    connection?.close(reason)
    this.leaseUntil = Number.NEGATIVE_INFINITY
  }

  /** Whether the coordinator counts on this process: what it shows is still so. */
  isLeased(): boolean {
    return this.environment.clock.monotonic() < this.leaseUntil
  }

  get isConnected(): boolean {
    return this.connection !== null && this.welcomed
  }

  get view(): { readonly url: string | null; readonly connected: boolean; readonly epoch: number; readonly problem: string | null } {
    return { url: this.url, connected: this.isConnected, epoch: this.highestEpoch, problem: this.problem }
  }

  /** Lost if there is no connection: whoever comes back says what it holds. */
  send(message: FromProcess): void {
    if (this.isConnected) this.connection?.send(encodeMessage(message))
  }

  private async attempt(): Promise<void> {
    this.retry = null
    const { token, tls } = this.options
    const url = this.leader ?? this.options.coordinators[this.position++ % this.options.coordinators.length]
    this.leader = null
    this.url = url
    try {
      const connection = await this.environment.network.connect(`${url.replace(/\/$/, '')}${CONTROL_PATH}`, {
        ...(token === null ? {} : { token }),
        ...(tls === null ? {} : { tls }),
      })
      if (this.stopped) connection.terminate()
      else this.greet(connection)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (this.stopped) return
      // A token or an address that cannot be: a mistake of whoever wrote it.
      const isFinal = error.code === 'CONFIG' || (error.code === 'REFUSED' && ++this.refusals >= REFUSED_ATTEMPTS)
      if (isFinal) this.refusedForGood(error)
      else this.tryAgain(error.message)
    }
  }

  private greet(connection: Connection): void {
    this.connection = connection
    this.welcomed = false
    this.lastHeard = this.environment.clock.monotonic()
    this.silenceMilliseconds = HANDSHAKE_MILLISECONDS
    connection.onClose = (reason) => this.lost(connection, reason)
    connection.onMessage = (bytes) => this.receive(connection, bytes)
    connection.send(encodeMessage(this.events.hello()))
    this.beat(HANDSHAKE_MILLISECONDS)
  }

  private receive(connection: Connection, bytes: Uint8Array): void {
    if (this.connection !== connection) return
    this.lastHeard = this.environment.clock.monotonic()
    try {
      this.take(decodeMessage<FromCoordinator>(bytes))
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'PROTOCOL') throw error
      this.drop(connection, error.message)
    }
  }

  private take(message: FromCoordinator): void {
    switch (message.kind) {
      case 'welcome':
        this.takeWelcome(message)
        break
      case 'refused':
        this.takeRefusal(message)
        break
      case 'heartbeat-answer':
        this.leaseUntil = Math.max(this.leaseUntil, message.sentAt + message.leaseMilliseconds * 1000)
        break
      default:
        if (this.welcomed) this.events.onMessage(message)
    }
  }

  private takeWelcome(welcome: Welcome): void {
    if (this.welcomed) return
    if (welcome.epoch < this.highestEpoch) {
      const reason = `the coordinator has epoch ${welcome.epoch}, and ${this.highestEpoch} was seen: it does not lead any more`
      this.drop(this.connection as Connection, reason)
      return
    }
    this.highestEpoch = welcome.epoch
    this.welcomed = true
    this.problem = null
    this.refusals = 0
    this.backoff.reset()
    this.silenceMilliseconds = Math.max(welcome.leaseMilliseconds, SILENT_HEARTBEATS * welcome.heartbeatMilliseconds)
    this.options.log.info('joined the coordinator', { url: this.url, epoch: welcome.epoch, resumed: welcome.resumed })
    this.beat(welcome.heartbeatMilliseconds)
    this.sendHeartbeat()
    this.events.onWelcome(welcome)
  }

  private takeRefusal(refused: Refused): void {
    const error = new MillraceError(refused.code as ErrorCode, refused.message)
    const { connection } = this
    if (!refused.retry) {
      this.refusedForGood(error)
      return
    }
    this.leader = refused.leader
    if (connection !== null) this.drop(connection, refused.message)
  }

  private refusedForGood(error: MillraceError): void {
    this.problem = error.message
    this.stop('refused')
    this.events.onRefused(error)
  }

  /** Sends heartbeats and notices when nothing is heard. */
  private beat(milliseconds: number): void {
    this.timer?.clear()
    let last = this.environment.clock.monotonic()
    this.timer = this.environment.timers.setInterval(() => {
      const { connection } = this
      if (connection === null) return
      const now = this.environment.clock.monotonic()
      // A process that was itself stopped has not listened either: it listens for another round first.
      const late = now - last > 2 * milliseconds * 1000
      last = now
      if (late) this.lastHeard = Math.max(this.lastHeard, now - milliseconds * 1000)
      if (now - this.lastHeard > this.silenceMilliseconds * 1000)
        this.drop(connection, `nothing was heard for ${this.silenceMilliseconds} ms`)
      else if (this.welcomed) this.sendHeartbeat()
    }, milliseconds)
  }

  private sendHeartbeat(): void {
    const stats = this.events.stats()
    this.send({ kind: 'heartbeat', sentAt: this.environment.clock.monotonic(), stats })
  }

  /** Ends a connection from this side. */
  private drop(connection: Connection, reason: string): void {
    if (this.connection !== connection) return
    connection.terminate()
    this.lost(connection, reason)
  }

  private lost(connection: Connection, reason: string): void {
    if (this.connection !== connection) return
    this.connection = null
    this.timer?.clear()
    const { welcomed } = this
    this.welcomed = false
    this.tryAgain(reason)
    if (welcomed) this.events.onLost(reason)
  }

  private tryAgain(reason: string): void {
    // Said once a reason: a coordinator that is away for an hour is one line and not thousands.
    if (this.problem !== reason) this.options.log.warn('no coordinator', { url: this.url, reason })
    this.problem = reason
    // The first time a leader is named it is asked at once.
    const immediately = this.leader !== null && this.backoff.attempts === 0
    const wait = this.backoff.next()
    this.retry = this.environment.timers.setTimeout(() => void this.attempt(), immediately ? 0 : wait)
  }
}
