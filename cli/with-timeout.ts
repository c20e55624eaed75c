/** A deadline for requests. */
import type { Timers } from '../runtime/env/environment.ts'

export interface Deadline {
  readonly signal: AbortSignal
  /** It was in time. */
  stop(): void
}

export function withTimeout(timers: Timers, milliseconds: number): Deadline {
  const controller = new AbortController()
  const timer = timers.setTimeout(() => controller.abort(), milliseconds)
  return { signal: controller.signal, stop: () => timer.clear() }
}
