/** A one-way, ordered, reliable pipe of messages that takes its time, on the simulated clock. */
import type { Timers } from '../../runtime/env/environment.ts'

export class MessagePipe<T> {
  private readonly timers: Timers
  private readonly delay: () => number
  private readonly deliver: (message: T) => void
  private readonly sent: T[] = []
  private stopped = false

  /** `delay` gives the milliseconds of the next message. */
  constructor(timers: Timers, delay: () => number, deliver: (message: T) => void) {
    this.timers = timers
    this.delay = delay
    this.deliver = deliver
  }

  /** Messages under way. */
  get length(): number {
    return this.sent.length
  }

  send(message: T): void {
    if (this.stopped) return
    this.sent.push(message)
    // Whichever timer fires first delivers the oldest message: order is kept without comparing delays.
    this.timers.setTimeout(() => {
      if (this.sent.length > 0) this.deliver(this.sent.shift() as T)
    }, this.delay())
  }

  /** Loses what is under way and everything sent from now on. */
  stop(): void {
    this.stopped = true
    this.sent.length = 0
  }
}
