/** The host's clock, with microseconds. */
import type { Clock } from './environment.ts'

/** How far (microseconds) this clock may run ahead of the wall clock, which counts milliseconds, before it is anchored anew. */
const AHEAD_MICROSECONDS = 2_000

/**
 * `Date.now()` counts milliseconds only and `performance.now()` does not follow a clock that is set or a host that
 * slept: the microseconds come from the latter, anchored to the former. Never behind `Date.now()`: what a program stamps with it
 * has come when the program commits.
 */
export class SystemClock implements Clock {
  private anchor = Date.now() * 1000 - performance.now() * 1000
  private last = 0

  now(): number {
    const wall = Date.now() * 1000
    const elapsed = performance.now() * 1000
    let now = Math.floor(this.anchor + elapsed)
    if (now < wall || now > wall + AHEAD_MICROSECONDS) {
      this.anchor = wall - elapsed
      now = wall
    }
    // A process that is held up between its two looks anchors a little too low: that must not look like a clock that was set back.
    if (now < this.last && this.last <= wall + AHEAD_MICROSECONDS) now = this.last
    this.last = now
    return now
  }

  monotonic(): number {
    return Math.floor(performance.now() * 1000)
  }
}
