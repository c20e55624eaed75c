/** Slows down what begins again and again: a bound on generations within a window, then a wait that doubles. */
import type { CoordinatorLimits } from './options.ts'

export class CrashLoop {
  private readonly limits: CoordinatorLimits
  /** Moments (monotonic, microseconds) of what began within the window. */
  private readonly begun: number[] = []
  private notBefore = 0
  private waits = 0

  constructor(limits: CoordinatorLimits) {
    this.limits = limits
  }

  /** Microseconds that the next one has to wait. */
  wait(now: number): number {
    return Math.max(0, this.notBefore - now)
  }

  note(now: number): void {
    const { maximumGenerations, generationWindowMilliseconds, backoffMilliseconds, maximumBackoffMilliseconds } = this.limits
    while (this.begun.length > 0 && this.begun[0] < now - generationWindowMilliseconds * 1000) this.begun.shift()
    this.begun.push(now)
    if (this.begun.length <= maximumGenerations) {
      this.waits = 0
      return
    }
    this.begun.shift()
    this.notBefore = now + 1000 * Math.min(maximumBackoffMilliseconds, backoffMilliseconds * 2 ** this.waits)
    this.waits++
  }
}
