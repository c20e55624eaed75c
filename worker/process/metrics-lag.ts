/** How far what is visible is behind what is minted, for each dataflow, by this process's clock. */
import type { Clock } from '../../runtime/env/environment.ts'
import type { GenerationView } from './process-view.ts'

interface Observed {
  visible: number | null
  /** Since when there is an open time and `visible` has not moved, monotonic; null while nothing is open. */
  since: number | null
  /** How long the last visible time took, microseconds by the coordinator's clock. */
  latency: number
}

export class LagMeter {
  private readonly clock: Clock
  private readonly generation: () => GenerationView | null
  private observed = new Map<number, Observed>()

  constructor(clock: Clock, generation: () => GenerationView | null) {
    this.clock = clock
    this.generation = generation
  }

  /** Looks at all dataflows: to be called often enough for the precision that is wanted, and before each question. */
  sample(): void {
    const now = this.clock.monotonic()
    const observed = new Map<number, Observed>()
    for (const { dataflow, minted, visible, since } of this.generation()?.dataflows.values() ?? []) {
      const before = this.observed.get(dataflow)
      const isOpen = minted > (visible ?? since)
      const hasMoved = before === undefined || before.visible !== visible
      observed.set(dataflow, {
        visible,
        since: !isOpen ? null : hasMoved ? now : (before.since ?? now),
        latency: visible === null ? 0 : (before?.latency ?? 0),
      })
    }
    this.observed = observed
  }

  /**
   * A time became visible. Returns how long that took, in seconds; null for the first of a generation, which was minted when it was
   * computed for the first time.
   */
  onVisible(dataflow: number, time: number): number | null {
    const before = this.observed.get(dataflow)
    this.sample()
    const observed = this.observed.get(dataflow)
    if (observed === undefined || before === undefined || before.visible === null) return null
    observed.latency = Math.max(0, this.clock.now() - time)
    return observed.latency / 1_000_000
  }

  /** Seconds; 0 while nothing is open. */
  lagOf(dataflow: number): number {
    const observed = this.observed.get(dataflow)
    if (observed === undefined || observed.since === null) return 0
    return Math.max(this.clock.monotonic() - observed.since, observed.latency) / 1_000_000
  }
}
