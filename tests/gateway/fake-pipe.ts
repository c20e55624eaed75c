import type { Timers } from '../../runtime/env/environment.ts'

/** Does what it is given in order, each after a delay of its own, in a later turn. */
export class FakePipe {
  private readonly timers: Timers
  private readonly delay: () => number
  private readonly waiting: (() => void)[] = []

  /** `delay`: milliseconds. */
  constructor(timers: Timers, delay: () => number) {
    this.timers = timers
    this.delay = delay
  }

  send(work: () => void): void {
    this.waiting.push(work)
    if (this.waiting.length === 1) this.next()
  }

  private next(): void {
    this.timers.setTimeout(() => {
      const work = this.waiting[0]
      work()
      this.waiting.shift()
      if (this.waiting.length > 0) this.next()
    }, this.delay())
  }
}
