/** Everything that can go wrong, at random moments, from one seed; then all is repaired, and all jobs must run. */
import type { CoordinatorLimits } from '../../coordinator/options.ts'
import { SECOND, Stage } from './stage.ts'

const COORDINATORS = ['c1', 'c2']
const WORKERS = ['w1', 'w2', 'w3', 'w4']
const JOBS = ['views', 'alerts', 'totals']

/** Chaos is no reason to suspect a job, nor to leave anybody out for long. */
const LIMITS: Partial<CoordinatorLimits> = {
  maximumStrikes: Number.POSITIVE_INFINITY,
  maximumExclusionMilliseconds: 3000,
  exclusionMilliseconds: 1000,
  maximumBackoffMilliseconds: 2000,
  maximumReplayTimes: 200,
}

export interface ChaosOptions {
  readonly seed: number
  readonly seconds: number
  readonly trace?: boolean
  /** Called before anything happens. */
  readonly prepare?: (stage: Stage) => void
}

export async function chaos({ seed, seconds, trace = false, prepare }: ChaosOptions): Promise<Stage> {
  const stage = new Stage({ seed, coordinators: COORDINATORS, limits: LIMITS, trace })
  prepare?.(stage)
  const { world, store } = stage
  const random = world.random('chaos')
  const deployed = new Set<string>()
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]
  const soon = (least: number, most: number): number => Math.round(SECOND * (least + random.fraction() * (most - least)))
  const join = (name: string): void =>
    stage.join(name, {
      follower: random.chance(0.5) ? 20 + random.below(400) : undefined,
      slowness: 1 + random.below(30),
      threads: 1 + random.below(3),
    } as object)

  const crash = (host: string): void => {
    if (world.host(host).state === 'dead') return
    world.crash(host, { halfOpen: random.chance(0.2) })
    world.schedule(soon(0.05, 4), () => {
      if (world.host(host).state === 'dead') world.restart(host)
    })
  }
  const pause = (host: string): void => {
    world.pause(host)
    world.schedule(soon(0.05, 6), () => world.resume(host))
  }
  const part = (a: string, b: string): void => {
    stage.part(a, b)
    world.schedule(soon(0.1, 5), () => stage.heal())
  }
  const call = (method: string, path: string, body?: object): void => {
    const to = pick(COORDINATORS)
    const headers = { authorization: 'Bearer open-sesame', 'content-type': 'application/json' }
    const request = new Request(`http://${to}:7070${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    void world
      .host('client')
      .network.fetch(request)
      .then(
        () => undefined,
        () => undefined,
      )
  }
  const faults: readonly (() => void)[] = [
    () => crash(pick(WORKERS)),
    () => crash(pick(WORKERS)),
    () => crash(pick(COORDINATORS)),
    () => pause(pick(WORKERS)),
    () => pause(pick(COORDINATORS)),
    () => part(pick(['w1', 'w2']), pick(['w3', 'w4'])),
    () => part(pick(WORKERS), pick(COORDINATORS)),
    () => void world.breakConnections(pick(WORKERS), pick(COORDINATORS)),
    () => void world.breakConnections(pick(WORKERS), pick(COORDINATORS)),
    () => world.jumpClock(pick(COORDINATORS), random.below(7200) * SECOND - 3600 * SECOND),
    () => {
      store.failing = true
      world.schedule(soon(0.01, 2), () => {
        store.failing = false
      })
    },
    () => {
      store.hanging = true
      world.schedule(soon(0.01, 1), () => {
        store.hanging = false
      })
    },
    () => call('POST', `/v1/processes/${pick(WORKERS)}/drain`),
    () => call('DELETE', `/v1/jobs/${pick(JOBS)}`),
    () => void stage.tryDeploy(pick(JOBS), { partitions: 1 + random.below(4), temporal: random.chance(0.5) }, pick(COORDINATORS)),
    () => {
      // What left does not come back by itself.
      for (const name of WORKERS) if (stage.processes.get(name)?.released === true) world.restart(name)
    },
  ]
  for (const name of COORDINATORS) stage.coordinate(name)
  for (const name of WORKERS) join(name)
  await stage.run(1)
  for (const job of JOBS) {
    deployed.add(job)
    for (const to of COORDINATORS) void stage.tryDeploy(job, { partitions: 1 + random.below(4) }, to)
  }
  await stage.run(2)
  const plan = (): void =>
    world.schedule(soon(0.05, 1.5), () => {
      if (world.now >= end) return
      pick(faults)()
      plan()
    })
  const end = world.now + seconds * SECOND
  plan()
  await stage.run(seconds + 6)

  store.failing = false
  store.hanging = false
  stage.heal()
  for (const host of [...COORDINATORS, ...WORKERS]) {
    world.resume(host)
    if (world.host(host).state === 'dead' || stage.processes.get(host)?.released === true) world.restart(host)
  }
  stage.say('all is repaired')
  await stage.until('a leader', () => stage.leader !== null, 30)
  for (const to of COORDINATORS) void stage.tryDeploy('last', { partitions: 2 }, to)
  await stage.until('all run', () => stage.runs(...WORKERS) && stage.job('last') !== null, 60)
  await stage.progress('last')
  for (const { name } of stage.status?.jobs ?? []) await stage.progress(name)
  return stage
}
