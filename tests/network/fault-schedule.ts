/** Faults at random moments, from the world's seed: each begins, lasts for a while, and is repaired. */

import type { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { LinkConditions } from '../../runtime/env/simulated-link.ts'
import type { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import { MillraceError } from '../../runtime/error.ts'

export type FaultKind =
  | 'crash'
  | 'halfOpenCrash'
  | 'pause'
  | 'partition'
  | 'oneWayPartition'
  | 'isolate'
  | 'break'
  | 'slow'
  | 'loss'
  | 'clockJump'
  | 'duplicate'
  | 'corrupt'

export interface FaultScheduleOptions {
  /** Hosts that faults hit; at least one, and two for faults between hosts. */
  readonly hosts: readonly string[]
  /** Microseconds from one fault's beginning to the next one's, on average. */
  readonly interval: number
  /** Microseconds that a fault lasts at most. */
  readonly maximumOutage: number
  /** Default: all that networks and hosts do by themselves, which is all but `duplicate` and `corrupt`. */
  readonly kinds?: readonly FaultKind[]
  /** Hosts that may be crashed or stopped at one time. Default 1. */
  readonly maximumDown?: number
  /** Microseconds that a clock jumps at most, in either direction. Default an hour. */
  readonly maximumJump?: number
}

const DEFAULT_KINDS: readonly FaultKind[] = [
  'crash',
  'halfOpenCrash',
  'pause',
  'partition',
  'oneWayPartition',
  'isolate',
  'break',
  'slow',
  'loss',
  'clockJump',
]
const DEFAULT_JUMP = 3_600_000_000
/** Milliseconds that a slow link takes at most. */
const SLOW_MILLISECONDS = 500
/** Probability that a message is hit while a link misbehaves. */
const MISBEHAVES = 0.02

export class FaultSchedule {
  /** Faults that began. */
  count = 0
  private readonly world: SimulatedWorld
  private readonly options: FaultScheduleOptions
  private readonly random: SeededRandom
  /** By what is broken, how it is repaired. */
  private readonly repairs = new Map<string, () => void>()
  private down = 0
  private stopped = false

  /** Begins at once. */
  constructor(world: SimulatedWorld, options: FaultScheduleOptions) {
    if (options.hosts.length === 0) throw new MillraceError('CONFIG', 'faults need a host to hit')
    this.world = world
    this.options = options
    this.random = world.random('faults')
    this.plan()
  }

  /** No more faults, and what is broken is repaired now. */
  stop(): void {
    this.stopped = true
    for (const repair of [...this.repairs.values()]) repair()
  }

  private plan(): void {
    this.world.schedule(this.random.below(2 * this.options.interval) + 1, () => {
      if (this.stopped) return
      this.begin(this.pick(this.options.kinds ?? DEFAULT_KINDS))
      this.plan()
    })
  }

  private begin(kind: FaultKind): void {
    const { world, options } = this
    const a = this.pick(options.hosts)
    if (kind === 'clockJump') {
      const { maximumJump = DEFAULT_JUMP } = options
      this.count++
      world.jumpClock(a, this.random.below(2 * maximumJump + 1) - maximumJump)
      return
    }
    if (kind === 'crash' || kind === 'halfOpenCrash' || kind === 'pause') {
      this.takeDown(kind, a)
      return
    }
    const others = options.hosts.filter((host) => host !== a)
    if (others.length === 0) return
    if (kind === 'isolate') {
      for (const b of others) this.part(a, b, false)
      return
    }
    const b = this.pick(others)
    if (kind === 'break') {
      this.count++
      world.breakConnections(a, b)
    } else if (kind === 'partition' || kind === 'oneWayPartition') this.part(a, b, kind === 'oneWayPartition')
    else this.worsen(a, b, kind === 'slow' ? { maximumDelay: SLOW_MILLISECONDS } : { [kind]: MISBEHAVES })
  }

  private takeDown(kind: 'crash' | 'halfOpenCrash' | 'pause', host: string): void {
    const { world } = this
    const { maximumDown = 1 } = this.options
    const name = `host ${host}`
    if (this.down >= maximumDown || this.repairs.has(name)) return
    this.down++
    if (kind === 'pause') world.pause(host)
    else world.crash(host, { halfOpen: kind === 'halfOpenCrash', losesUnsynced: this.random.chance(0.5) })
    this.repairLater(name, () => {
      this.down--
      if (kind === 'pause') world.resume(host)
      else world.restart(host)
    })
  }

  private part(a: string, b: string, oneWay: boolean): void {
    const name = `way ${[a, b].sort().join(' ')}`
    if (this.repairs.has(name)) return
    this.world.partition(a, b, { oneWay })
    this.repairLater(name, () => this.world.heal(a, b))
  }

  private worsen(a: string, b: string, worse: LinkConditions): void {
    const name = `link ${a} ${b}`
    if (this.repairs.has(name)) return
    const before = this.world.linkConditions(a, b)
    this.world.setLink(a, b, worse)
    this.repairLater(name, () => this.world.setLink(a, b, { duplicate: 0, corrupt: 0, loss: 0, ...before }))
  }

  private repairLater(name: string, repair: () => void): void {
    this.count++
    const once = (): void => {
      if (this.repairs.get(name) !== once) return
      this.repairs.delete(name)
      repair()
    }
    this.repairs.set(name, once)
    this.world.schedule(this.random.below(this.options.maximumOutage) + 1, once)
  }

  private pick<T>(choices: readonly T[]): T {
    return choices[this.random.below(choices.length)]
  }
}
