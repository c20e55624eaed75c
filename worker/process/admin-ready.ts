/** Whether a worker process should be asked by users. */
import type { Gateway } from './gateway.ts'
import type { LagMeter } from './metrics-lag.ts'
import type { ProcessView } from './process-view.ts'

/** A process whose jobs lag more than this is not ready. */
export const READY_LAG_MILLISECONDS = 10_000

export interface Readiness {
  readonly ready: boolean
  /** What is missing, in words; empty when it is ready. */
  readonly missing: readonly string[]
}

/**
 * Ready: it has a lease, is in a generation, all its jobs have what was visible before, and none lags more than the bound. A job
 * that failed does not count: it is not served anywhere, and the others are.
 */
export function readiness(view: ProcessView, gateway: Gateway, lag: LagMeter, lagMilliseconds = READY_LAG_MILLISECONDS): Readiness {
  const missing: string[] = []
  if (gateway.isClosing) missing.push('it stops')
  if (!view.isLeased()) missing.push('it has no lease from the coordinator')
  if (view.generation === null) missing.push('it is in no generation')
  lag.sample()
  for (const dataflow of view.generation?.dataflows.values() ?? []) {
    if (dataflow.failure !== null) continue
    const seconds = lag.lagOf(dataflow.dataflow)
    if (!gateway.isHydrated(dataflow)) missing.push(`${dataflow.name} is being computed`)
    else if (seconds * 1000 > lagMilliseconds)
      missing.push(`${dataflow.name} lags ${seconds.toFixed(1)} s, more than ${lagMilliseconds / 1000} s`)
  }
  return { ready: missing.length === 0, missing }
}
