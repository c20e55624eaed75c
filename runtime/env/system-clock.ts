/** The host's clock, with microseconds. */
import type { Clock } from './environment.ts'

/** How far (microseconds) the monotonic clock may run from the wall clock before it is anchored anew. */
const DRIFT_MICROSECONDS = 2_000

/**
 * `Date.now()` counts milliseconds only and `performance.now()` does not follow a clock that is set or a host that
 * slept: the microseconds come from the latter, anchored to the former.
 */
export class SystemClock implements Clock {
  private anchor = Date.now() * 1000 - performance.now() * 1000

  now(): number {
    const wall = Date.now() * 1000
    const elapsed = performance.now() * 1000
    const drift = wall - (this.anchor + elapsed)
    if (drift > DRIFT_MICROSECONDS || drift < -DRIFT_MICROSECONDS) this.anchor = wall - elapsed
    return Math.floor(this.anchor + elapsed)
  }

  monotonic(): number {
    return Math.floor(performance.now() * 1000)
  }
}
