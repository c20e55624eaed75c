/**
 * A coordinator: one of several that share a metadata store, of which one leads. It listens for processes and for requests from the
 * moment it starts; what it knows and does is the leader's, and it is one only while it has the lease.
 */
import type { Connection } from '../runtime/env/connection.ts'
import type { Environment } from '../runtime/env/environment.ts'
import type { HttpServer } from '../runtime/env/network.ts'
import { MillraceError } from '../runtime/error.ts'
import { CONTROL_PATH } from '../runtime/protocol/control.ts'
import { BoundedStore } from './bounded-store.ts'
import { notLeading } from './hello.ts'
import { History } from './history.ts'
import { type ApiState, answerRequest } from './http.ts'
import { Leader } from './leader.ts'
import { Leadership } from './leadership.ts'
import type { MetadataStore } from './metadata/metadata-store.ts'
import { isName, NAME_RULE } from './names.ts'
import { type CoordinatorOptions, DEFAULT_LIMITS } from './options.ts'
import { Session } from './session.ts'
import type { ClusterStatus } from './status.ts'
import { clusterStatus } from './status-builder.ts'
import type { Term } from './term.ts'
import type { World } from './world.ts'

export class Coordinator {
  readonly history: History
  private readonly options: CoordinatorOptions
  private readonly world: World
  private server: HttpServer | null = null
  private leadership: Leadership | null = null
  private leading: { readonly current: Leader; readonly since: number } | null = null

  /** @throws MillraceError CONFIG */
  constructor(environment: Environment, store: MetadataStore, options: CoordinatorOptions) {
    if (!isName(options.cluster))
      throw new MillraceError('CONFIG', `"${options.cluster}" cannot be the name of a cluster`, `Use ${NAME_RULE}.`)
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    if (limits.leaseWaitMilliseconds <= limits.leaseMilliseconds)
      throw new MillraceError('CONFIG', 'the coordinator must wait longer for a heartbeat than the lease that it grants')
    this.options = options
    this.history = new History(environment.clock, limits.maximumEvents, options.onEvent)
    const bounded = new BoundedStore(store, environment.timers, limits.storeTimeoutMilliseconds)
    this.world = { environment, store: bounded, limits, history: this.history, onError: options.onError }
  }

  /**
   * Listens, and tries once to lead: a lone coordinator leads when this resolves.
   * @throws MillraceError CONFIG if the address cannot be bound, or the store belongs to another cluster
   */
  async start(): Promise<void> {
    const { options, world } = this
    this.server = await world.environment.network.serve(
      {
        port: options.port,
        ...(options.host === undefined ? {} : { host: options.host }),
        ...(options.tls === undefined ? {} : { tls: options.tls }),
        ...(options.onError === undefined ? {} : { onError: options.onError }),
        connections: { token: options.token, accept: (connection, path) => this.accept(connection, path) },
      },
      (request) => answerRequest(request, this.api),
    )
    this.leadership = new Leadership(world, this.url, {
      began: (term) => this.began(term),
      ended: (term, reason) => this.ended(term, reason),
    })
    try {
      await this.leadership.start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Stores what the next leader goes on from, gives the lease back, and ends all connections. */
  async stop(): Promise<void> {
    const { leading } = this
    if (leading !== null) {
      try {
        await leading.current.stop()
      } catch (error) {
        // The next leader then goes on from what was stored before.
        if (!(error instanceof MillraceError)) throw error
      }
    }
    await this.leadership?.stop()
    await this.server?.close()
  }

  /** Where processes and other coordinators reach it; known once it has started. */
  get url(): string {
    return this.options.url ?? this.server?.url ?? ''
  }

  get leads(): boolean {
    return this.leading?.current.term.leads() === true
  }

  /** Null while it does not lead. */
  status(): ClusterStatus | null {
    return this.leading === null ? null : clusterStatus(this.leading.current, this.leading.since)
  }

  private get api(): ApiState {
    return {
      token: this.options.token,
      isLoopback: this.options.host === undefined || /^(127\.|localhost$|::1$)/.test(this.options.host),
      leader: this.leads ? this.leading : null,
      leaderUrl: this.leadership?.leader?.url ?? null,
      maximumBundleBytes: this.world.limits.maximumBundleBytes,
    }
  }

  private accept(connection: Connection, path: string): void {
    if (path !== CONTROL_PATH)
      throw new MillraceError('REFUSED', `a coordinator takes no connections at ${path}`, `Processes connect at ${CONTROL_PATH}.`)
    if (this.leading !== null && this.leads) this.leading.current.accept(connection)
    else this.sendAway(connection)
  }

  private sendAway(connection: Connection): void {
    const session = new Session(connection, this.world.limits.maximumControlBacklogBytes, {
      message: () => undefined,
      closed: () => undefined,
    })
    const refused = notLeading(this.leadership?.leader?.url ?? null)
    session.send(refused)
    session.close(refused.message)
  }

  private async began(term: Term): Promise<void> {
    const { cluster, minimumProcesses = 1 } = this.options
    const leader = await Leader.load(term, this.world.store, { cluster, minimumProcesses })
    if (!term.leads()) return
    this.leading = { current: leader, since: this.world.environment.clock.now() }
    this.history.add(null, `the coordinator at ${this.url} leads, epoch ${term.lease.epoch}`)
  }

  private ended(term: Term, reason: string): void {
    const { leading } = this
    if (leading === null || leading.current.term !== term) return
    this.leading = null
    this.history.add(null, `the coordinator at ${this.url} does not lead any more: ${reason}`)
    leading.current.membership.close('the coordinator does not lead any more')
  }
}
