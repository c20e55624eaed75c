/** A coordinator in this process. */
import { Coordinator } from '../coordinator/coordinator.ts'
import type { HistoryEvent } from '../coordinator/history.ts'
import type { MetadataStore } from '../coordinator/metadata/metadata-store.ts'
import { MillraceError } from '../runtime/error.ts'
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
  readonly security: Security
  readonly minimumProcesses: number
  /** Milliseconds between two times; null for the default. */
  readonly tick: number | null
  readonly onEvent: (event: HistoryEvent) => void
  readonly onError: (error: unknown) => void
}

/** A lease of a coordinator that was killed runs out within this. */
const TAKEOVER_MILLISECONDS = 6000
const POLL_MILLISECONDS = 100

/** @throws MillraceError CONFIG if the address cannot be bound, or the store belongs to another cluster */
export async function startCoordinator(store: MetadataStore, options: CoordinatorHostOptions, context: Context): Promise<Coordinator> {
  const { cluster, listen, advertise, anyPort, security, minimumProcesses, tick, onEvent, onError } = options
  const create = (port: number): Coordinator =>
    new Coordinator(context.environment, store, {
      cluster,
      token: security.token,
      host: listen.host,
      port,
      ...(advertise === null ? {} : { url: advertise }),
      ...(security.tls === undefined ? {} : { tls: security.tls }),
      minimumProcesses,
      ...(tick === null ? {} : { limits: { tickMilliseconds: tick } }),
      onEvent,
      onError,
    })
  const coordinator = create(listen.port)
  try {
    await coordinator.start()
    return coordinator
  } catch (error) {
    if (!anyPort || listen.port === 0) throw error
    const elsewhere = create(0)
    await elsewhere.start()
    return elsewhere
  }
}

/**
 * Resolves once it leads: at once, or when the lease of one that was killed has run out.
 * @throws MillraceError REFUSED if another one leads
 */
export async function waitForLeadership(coordinator: Coordinator, store: MetadataStore, context: Context): Promise<void> {
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
