/** When to report: at once if the last report is a while ago, else a moment later, with all that came until then. */
import type { Environment, Timer } from '../../runtime/env/environment.ts'

/** Between two reports. */
export const REPORT_MILLISECONDS = 2

export class Reports {
  private readonly environment: Environment
  private readonly send: (dataflows: readonly number[]) => void
  private readonly waiting = new Set<number>()
  private lastSent = Number.NEGATIVE_INFINITY
  private scheduled = false
  private timer: Timer | null = null
  private stopped = false

  constructor(environment: Environment, send: (dataflows: readonly number[]) => void) {
    this.environment = environment
    this.send = send
  }

  /** Something about a dataflow is to be reported. */
  add(dataflow: number): void {
    this.waiting.add(dataflow)
    if (this.scheduled || this.stopped) return
    this.scheduled = true
    const { clock, timers } = this.environment
    const wait = REPORT_MILLISECONDS - (clock.monotonic() - this.lastSent) / 1000
    // What else this turn brings goes along.
    if (wait <= 0) void Promise.resolve().then(() => this.flush())
    else this.timer = timers.setTimeout(() => this.flush(), wait)
  }

  stop(): void {
    this.stopped = true
    this.timer?.clear()
  }

  private flush(): void {
    this.scheduled = false
    if (this.stopped) return
    this.lastSent = this.environment.clock.monotonic()
    const dataflows = [...this.waiting]
    this.waiting.clear()
    this.send(dataflows)
  }
}
