/** How long to wait before the next attempt: twice as long each time, up to a bound, and never two processes in step. */
import type { Random } from '../../runtime/env/environment.ts'

export class Backoff {
  private readonly random: Random
  private readonly first: number
  private readonly longest: number
  private failures = 0

  /** Milliseconds. */
  constructor(random: Random, first: number, longest: number) {
    this.random = random
    this.first = first
    this.longest = longest
  }

  /** Attempts that failed since the last `reset`. */
  get attempts(): number {
    return this.failures
  }

  /** Milliseconds, between half the bound of this attempt and the bound. */
  next(): number {
    const bound = Math.min(this.longest, this.first * 2 ** Math.min(this.failures, 30))
    this.failures++
    return bound / 2 + (bound / 2) * (this.random.uint32() / 2 ** 32)
  }

  reset(): void {
    this.failures = 0
  }
}
