/**
 * A world from one seed: the same seed and the same calls give the same run, byte for byte. Time stands still until it
 * is advanced; the disk is in memory and can crash; the network is pipes that delay. (FoundationDB's simulation is the
 * model: Zhou et al., "FoundationDB", SIGMOD 2021, section 4.)
 */
import type { Environment } from './environment.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { type DiskFaults, SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'

export interface SimulationOptions {
  readonly seed: number
  /** The clock's start, microseconds since 1970. Default: 2026-01-01T00:00:00Z. */
  readonly start?: number
  readonly diskFaults?: DiskFaults
  /** The longest delay of a network message, milliseconds. Default 10. */
  readonly maximumDelay?: number
}

const DEFAULT_START = Date.UTC(2026, 0, 1) * 1000
const DEFAULT_MAXIMUM_DELAY = 10

export class SimulatedEnvironment implements Environment {
  readonly clock: SimulatedClock
  readonly timers: SimulatedClock
  readonly random: SeededRandom
  readonly disk: SimulatedDisk
  readonly network: SimulatedNetwork

  constructor(options: SimulationOptions) {
    const root = new SeededRandom(options.seed)
    this.clock = new SimulatedClock(options.start ?? DEFAULT_START)
    this.timers = this.clock
    this.random = root.fork()
    this.disk = new SimulatedDisk(this.clock, root.fork(), options.diskFaults ?? {})
    this.network = new SimulatedNetwork(this.clock, root.fork(), options.maximumDelay ?? DEFAULT_MAXIMUM_DELAY)
  }

  /** Advances the clock and fires what falls due, in order, within this call: for code without promises. */
  advance(microseconds: number): void {
    this.clock.advance(microseconds)
  }

  /** Advances the clock as `advance` does, but after each timer lets promises run until nothing more can without time. */
  async run(microseconds: number): Promise<void> {
    const limit = this.clock.now() + microseconds
    await settle()
    while (this.clock.fireNext(limit)) await settle()
    this.clock.moveTo(limit)
  }
}

/**
 * Lets all promise reactions run. A turn of the host's event loop is the only way to know that none is left; since
 * everything in a simulation is promises and simulated timers, the turn decides nothing about the outcome.
 */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
