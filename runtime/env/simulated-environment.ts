/**
 * A world of one host from one seed: the same seed and the same calls give the same run, byte for byte. Time stands still until
 * it is advanced; the disk is in memory and can crash; the network is the host's own. For several hosts: `simulated-world.ts`.
 */
import type { Environment } from './environment.ts'
import { SeededRandom } from './seeded-random.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { type DiskFaults, SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedWorld } from './simulated-world.ts'

export interface SimulationOptions {
  readonly seed: number
  /** The clock's start, microseconds since 1970. Default: 2026-01-01T00:00:00Z. */
  readonly start?: number
  readonly diskFaults?: DiskFaults
  /** The longest delay of a network message, milliseconds. Default 10. */
  readonly maximumDelay?: number
}

const DEFAULT_MAXIMUM_DELAY = 10

export class SimulatedEnvironment implements Environment {
  readonly clock: SimulatedClock
  readonly timers: SimulatedClock
  readonly random: SeededRandom
  readonly disk: SimulatedDisk
  readonly network: SimulatedNetwork
  private readonly world: SimulatedWorld

  constructor(options: SimulationOptions) {
    const { seed, start, maximumDelay = DEFAULT_MAXIMUM_DELAY } = options
    this.world = new SimulatedWorld({ seed, loopback: { maximumDelay }, ...(start === undefined ? {} : { start }) })
    const host = this.world.host('host', { monotonicStart: 0 })
    const root = new SeededRandom(seed)
    this.clock = host.clock
    this.timers = host.timers
    this.random = root.fork()
    this.disk = new SimulatedDisk(this.clock, root.fork(), options.diskFaults ?? {})
    this.network = host.network
  }

  /** Advances the clock and fires what falls due, in order, within this call: for code without promises. */
  advance(microseconds: number): void {
    this.world.advance(microseconds)
  }

  /** Advances the clock as `advance` does, but after each timer lets promises run until nothing more can without time. */
  run(microseconds: number): Promise<void> {
    return this.world.run(microseconds)
  }
}
