/** A simulated process, from its start to its end: what it has is gone with it. */
import type { EventOwner, SimulatedEvent } from './simulated-events.ts'
import type { SimulatedFabric } from './simulated-fabric.ts'
import type { SimulatedEnd } from './simulated-session.ts'

export interface Listening {
  /** By which names it can be reached. */
  readonly reach: 'loopback' | 'name' | 'any'
  readonly accept: (end: SimulatedEnd) => void
}

export class SimulatedLife implements EventOwner {
  /** The host's name. */
  readonly host: string
  readonly fabric: SimulatedFabric
  state: 'running' | 'paused' | 'dead' = 'running'
  readonly waiting: SimulatedEvent[] = []
  readonly ends = new Set<SimulatedEnd>()
  /** By port. */
  readonly listening = new Map<number, Listening>()

  constructor(host: string, fabric: SimulatedFabric) {
    this.host = host
    this.fabric = fabric
  }

  /** @param silently nobody is told: the whole machine is gone, not only the process */
  die(silently: boolean): void {
    this.state = 'dead'
    this.waiting.length = 0
    this.listening.clear()
    for (const end of this.ends) end.orphan(!silently)
    this.ends.clear()
  }
}
