/** The admin port of a coordinator: /livez, /readyz and /metrics. A standby is ready, too: it takes over when it is needed. */
import type { HttpHandler } from '../runtime/env/network.ts'
import { adminHandler } from '../runtime/log/admin-handler.ts'
import { showsToken } from '../runtime/protocol/request-guard.ts'
import type { CoordinatorMetrics } from './metrics.ts'

export interface CoordinatorAdminOptions {
  readonly metrics: CoordinatorMetrics
  /** Required of whoever reads the metrics; null lets everybody. */
  readonly token: string | null
  /** Whether it listens, and either leads or knows that another one does. */
  readonly isReady: () => boolean
}

export function coordinatorAdminHandler({ metrics, token, isReady }: CoordinatorAdminOptions): HttpHandler {
  return adminHandler({
    missing: () => (isReady() ? [] : ['it does not lead and knows no leader']),
    metrics,
    isAllowed: (request) => token === null || showsToken(request, token),
  })
}
