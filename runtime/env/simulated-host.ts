/** A simulated process's environment. After a crash a host gets another one, on the same disk. */
import type { Environment } from './environment.ts'
import type { SeededRandom } from './seeded-random.ts'
import { type ClockOptions, SimulatedClock } from './simulated-clock.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedFabric } from './simulated-fabric.ts'
import { SimulatedHostDisk } from './simulated-host-disk.ts'
import type { SimulatedLife } from './simulated-life.ts'
import { SimulatedNetwork } from './simulated-network.ts'

export class SimulatedHost implements Environment {
  readonly name: string
  /** Of which process of this host this is, from 1. */
  readonly incarnation: number
  readonly clock: SimulatedClock
  readonly timers: SimulatedClock
  readonly random: SeededRandom
  readonly disk: SimulatedHostDisk
  readonly network: SimulatedNetwork
  /** What survives the process. */
  readonly storage: SimulatedDisk
  private readonly life: SimulatedLife

  constructor(
    fabric: SimulatedFabric,
    life: SimulatedLife,
    incarnation: number,
    random: SeededRandom,
    storage: SimulatedDisk,
    clock: ClockOptions,
  ) {
    this.name = life.host
    this.incarnation = incarnation
    this.life = life
    this.storage = storage
    this.random = random.fork()
    this.clock = new SimulatedClock(life.world.events, life, clock)
    this.timers = this.clock
    this.disk = new SimulatedHostDisk(storage, life, random.fork())
    this.network = new SimulatedNetwork(fabric, life)
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.life.state
  }
}
