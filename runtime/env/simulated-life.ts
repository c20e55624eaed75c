/** A simulated process, from its start to its end: what it has is gone with it. */
import type { EventOwner, SimulatedEvent, SimulatedEvents } from './simulated-events.ts'
import type { SimulatedLink } from './simulated-link.ts'

/** The world as processes and their connections need it. */
export interface Surroundings {
  readonly events: SimulatedEvents
  /** Hears what happens, a line each, if there is one. */
  readonly trace: ((line: string) => void) | null
  link(from: string, to: string): SimulatedLink
  isUp(host: string): boolean
  note(text: string): void
}

/** One end of something between two processes. */
export interface LifeEnd {
  readonly peerHost: string | null
  /** Its process is gone; the other end is told, or not. */
  orphan(told: boolean): void
  break(): void
}

export class SimulatedLife implements EventOwner {
  /** The host's name. */
  readonly host: string
  readonly world: Surroundings
  state: 'running' | 'paused' | 'dead' = 'running'
  readonly waiting: SimulatedEvent[] = []
  readonly ends = new Set<LifeEnd>()

  constructor(host: string, world: Surroundings) {
    this.host = host
    this.world = world
  }

  /** @param silently nobody is told: the whole machine is gone, not only the process */
  die(silently: boolean): void {
    this.state = 'dead'
    this.waiting.length = 0
    for (const end of this.ends) end.orphan(!silently)
    this.ends.clear()
  }
}
