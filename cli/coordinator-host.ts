/** A coordinator in this process. */
import { Coordinator } from '../coordinator/coordinator.ts'
import type { HistoryEvent } from '../coordinator/history.ts'
import type { MetadataStore } from '../coordinator/metadata/metadata-store.ts'
import { CoordinatorMetrics } from '../coordinator/metrics.ts'
import { coordinatorAdminHandler } from '../coordinator/metrics-http.ts'
import { TimedStore } from '../coordinator/metrics-store.ts'
import type { CoordinatorLimits } from '../coordinator/options.ts'
import type { HttpServer } from '../runtime/env/network.ts'
import { MillraceError } from '../runtime/error.ts'
import { serveAdmin } from './admin.ts'
import type { Address } from './configuration/address.ts'
import type { Context } from './context.ts'
import type { Security } from './security.ts'
import { sleep } from './sleep.ts'

export interface CoordinatorHostOptions {
  readonly cluster: string
  readonly listen: Address
  /** What processes connect to, if it is not where it listens. */
  readonly advertise: string | null
  /** Takes another port if the wanted one is taken. */
  readonly anyPort: boolean
  readonly admin: Address | null
  readonly security: Security
  readonly minimumProcesses: number
  /** Those that were chosen; undefined stands for the default. */
  readonly limits: { readonly [Name in keyof CoordinatorLimits]?: number | undefined }
  readonly onEvent: (event: HistoryEvent) => void
  readonly onError: (error: unknown) => void
}

/** A lease of a coordinator that was killed runs out within this. */
const TAKEOVER_MILLISECONDS = 6000
const POLL_MILLISECONDS = 100
/** Between looks at who leads, for the admin port. */
const LOOK_MILLISECONDS = 1000

export interface CoordinatorHost {
  readonly coordinator: Coordinator
  readonly url: string
  readonly admin: string | null
  readonly store: MetadataStore
  /** Hands over what the next leader goes on from, and ends. */
  stop(): Promise<void>
}

/**
 * @param kept is closed when the host stops, or cannot start
 * @throws MillraceError CONFIG if an address cannot be bound, or the store belongs to another cluster
 */
export async function startCoordinator(kept: MetadataStore, options: CoordinatorHostOptions, context: Context): Promise<CoordinatorHost> {
  const { environment, version } = context
  const { listen, anyPort, admin, security } = options
  let coordinator: Coordinator | null = null
  const metrics = new CoordinatorMetrics({ status: () => coordinator?.status() ?? null, version, ofNode: admin !== null })
  const store = new TimedStore(kept, environment.clock, metrics.onStore)
  const known = new KnownLeader(store)
  const handler = coordinatorAdminHandler({ metrics, token: security.token, isReady: () => coordinator?.leads === true || known.leader })
  const looking = admin === null ? null : environment.timers.setInterval(() => void known.look(), LOOK_MILLISECONDS, { background: true })
  let adminServer: HttpServer | null = null
  try {
    if (admin !== null) adminServer = await serveAdmin(environment, admin, security.tls, handler)
    coordinator = create(store, listen.port, metrics, options, context)
    try {
      await coordinator.start()
    } catch (error) {
      if (!anyPort || listen.port === 0) throw error
      coordinator = create(store, 0, metrics, options, context)
      await coordinator.start()
    }
  } catch (error) {
    looking?.clear()
    await adminServer?.close()
    await store.close()
    throw error
  }
  const started = coordinator
  let stopped: Promise<void> | null = null
  const stop = async (): Promise<void> => {
    looking?.clear()
    await started.stop()
    await adminServer?.close()
    await store.close()
  }
  return {
    coordinator: started,
    url: started.url,
    admin: adminServer?.url ?? null,
    store,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** Whether some coordinator leads, as the store says: a standby is well while there is one. */
class KnownLeader {
  leader = false
  private readonly store: MetadataStore

  constructor(store: MetadataStore) {
    this.store = store
  }

  async look(): Promise<void> {
    try {
      this.leader = (await this.store.leader()) !== null
    } catch {
      this.leader = false
    }
  }
}

function create(
  store: MetadataStore,
  port: number,
  metrics: CoordinatorMetrics,
  options: CoordinatorHostOptions,
  context: Context,
): Coordinator {
  const { cluster, listen, advertise, security, minimumProcesses, limits, onEvent, onError } = options
  return new Coordinator(context.environment, store, {
    cluster,
    token: security.token,
    host: listen.host,
    port,
    ...(advertise === null ? {} : { url: advertise }),
    ...(security.tls === undefined ? {} : { tls: security.tls }),
    minimumProcesses,
    limits: Object.fromEntries(Object.entries(limits).filter(([, chosen]) => chosen !== undefined)),
    onEvent: (event) => {
      metrics.onEvent(event)
      onEvent(event)
    },
    onError,
  })
}

/**
 * Resolves once it leads: at once, or when the lease of one that was killed has run out.
 * @throws MillraceError REFUSED if another one leads
 */
export async function waitForLeadership({ coordinator, store }: CoordinatorHost, context: Context): Promise<void> {
  const { clock, timers } = context.environment
  const deadline = clock.monotonic() + TAKEOVER_MILLISECONDS * 1000
  while (!coordinator.leads) {
    if (clock.monotonic() > deadline) {
      const leader = await store.leader()
      throw new MillraceError(
        'REFUSED',
        `Another coordinator leads this cluster${leader === null ? '' : `, at ${leader.url}`}.`,
        'Stop it, or give this one a cluster and a store of its own, or start it as its standby: --standby.',
      )
    }
    await sleep(timers, POLL_MILLISECONDS)
  }
}
