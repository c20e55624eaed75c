/**
 * Slows down what begins again and again: so many generations may begin one right after the other, and one more for each while
 * of quiet; beyond that each waits twice as long as the one before.
 */
import type { CoordinatorLimits } from './options.ts'

export class CrashLoop {
  private readonly limits: CoordinatorLimits
  /** Generations that may begin without waiting. */
  private free: number
  /** Monotonic, microseconds. */
  private lastBegan = Number.NEGATIVE_INFINITY
  private notBefore = Number.NEGATIVE_INFINITY
  private waits = 0

  constructor(limits: CoordinatorLimits) {
    this.limits = limits
    this.free = limits.maximumGenerations
  }

  /** Microseconds that the next one has to wait. */
  wait(now: number): number {
    return Math.max(0, this.notBefore - now)
  }

  /** One begins now. */
  note(now: number): void {
    const { maximumGenerations, generationQuietMilliseconds, backoffMilliseconds, maximumBackoffMilliseconds } = this.limits
    const gained = (now - this.lastBegan) / (1000 * generationQuietMilliseconds)
    this.lastBegan = now
    this.free = Math.min(maximumGenerations, this.free + gained) - 1
    if (this.free >= 0) {
      this.waits = 0
      return
    }
    // What was gained in less than such a while is lost, so that a loop that waits long does not become fast again.
    this.free = 0
    this.notBefore = now + 1000 * Math.min(maximumBackoffMilliseconds, backoffMilliseconds * 2 ** this.waits)
    this.waits++
  }
}
