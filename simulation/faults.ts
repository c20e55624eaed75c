/** Faults at random moments, from the seed: how many, of which kinds, and that each of them ends. */
import type { SeededRandom } from '../runtime/env/seeded-random.ts'
import type { SimulatedWorld } from '../runtime/env/simulated-world.ts'

export type Faults = 'none' | 'mild' | 'harsh'

export interface FaultTargets {
  readonly workers: readonly string[]
  readonly coordinators: readonly string[]
}

type Fault = 'crash' | 'pause' | 'partition' | 'one-way' | 'break' | 'slow' | 'coordinator-crash' | 'coordinator-cut' | 'clock' | 'damage'

const MILD: readonly Fault[] = ['crash', 'break', 'slow', 'pause']
const HARSH: readonly Fault[] = [
  'crash',
  'crash',
  'pause',
  'pause',
  'partition',
  'one-way',
  'break',
  'slow',
  'coordinator-crash',
  'coordinator-cut',
  'clock',
  'damage',
]
/** Simulated seconds between faults, on average. */
const MILD_SECONDS = 4
const HARSH_SECONDS = 1.2
/** A fault lasts up to so long. */
const LONGEST_SECONDS = 4
const SECOND = 1_000_000
const HOUR = 3600 * SECOND

/** Plans faults for a span of simulated time. All that it breaks is mended by then or by `heal`. Returns how many of each kind. */
export function scheduleFaults(
  world: SimulatedWorld,
  random: SeededRandom,
  level: Faults,
  targets: FaultTargets,
  microseconds: number,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  if (level === 'none') return counts
  const kinds = level === 'mild' ? MILD : HARSH
  const mean = (level === 'mild' ? MILD_SECONDS : HARSH_SECONDS) * SECOND
  for (let at = random.fraction() * mean; at < microseconds; at += 2 * random.fraction() * mean) {
    const kind = kinds[random.below(kinds.length)]
    const last = Math.floor(random.fraction() * LONGEST_SECONDS * SECOND)
    const work = planned(world, random, kind, targets, last)
    if (work === null) continue
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    world.schedule(Math.floor(at), work)
  }
  return counts
}

/** Everything works again: whoever was crashed, stopped or cut off is back. */
export function heal(world: SimulatedWorld, { workers, coordinators }: FaultTargets): void {
  const all = [...workers, ...coordinators]
  world.heal()
  for (const from of all) {
    for (const to of all) if (from !== to) world.setLink(from, to, { maximumDelay: 2, loss: 0, duplicate: 0, corrupt: 0 })
    if (world.host(from).state === 'paused') world.resume(from)
    if (world.host(from).state === 'dead') world.restart(from)
  }
}

/** Chances are drawn now, so that what happens meanwhile changes nothing about them. */
function planned(world: SimulatedWorld, random: SeededRandom, kind: Fault, targets: FaultTargets, last: number): (() => void) | null {
  const { workers, coordinators } = targets
  const one = workers[random.below(workers.length)]
  const another = workers[random.below(workers.length)]
  const all = [...workers, ...coordinators]
  const a = all[random.below(all.length)]
  const b = all[random.below(all.length)]
  const coordinator = coordinators[random.below(coordinators.length)]
  const halfOpen = random.chance(0.3)
  const clock = Math.floor((random.fraction() - 0.5) * 2 * HOUR)
  const damage = random.chance(0.5)
  const again = (host: string) => (): void => {
    if (world.host(host).state === 'dead') world.restart(host)
  }
  switch (kind) {
    case 'crash':
      return () => {
        world.crash(one, { halfOpen })
        world.schedule(last, again(one))
      }
    case 'coordinator-crash':
      return () => {
        world.crash(coordinator)
        world.schedule(last, again(coordinator))
      }
    case 'pause':
      return () => {
        world.pause(a)
        world.schedule(last, () => world.resume(a))
      }
    case 'partition':
    case 'one-way':
      if (a === b) return null
      return () => {
        world.partition(a, b, { oneWay: kind === 'one-way' })
        world.schedule(last, () => world.heal(a, b))
      }
    case 'coordinator-cut':
      return () => {
        world.partition(one, coordinator)
        world.schedule(last, () => world.heal(one, coordinator))
      }
    case 'break':
      if (a === b) return null
      return () => void world.breakConnections(a, b)
    case 'slow':
      if (a === b) return null
      return () => {
        world.setLink(a, b, { maximumDelay: 300 })
        world.schedule(last, () => world.setLink(a, b, { maximumDelay: 2 }))
      }
    case 'clock':
      return () => world.jumpClock(a, clock)
    case 'damage':
      if (one === another) return null
      return () => {
        world.setLink(one, another, damage ? { duplicate: 0.01 } : { corrupt: 0.01 })
        world.schedule(last, () => world.setLink(one, another, { duplicate: 0, corrupt: 0 }))
      }
  }
}
