/** Random groups: commits, reads and followers at any process, processes that come and go, by a seed. */
import { expect, test } from 'vitest'
import { int32, int64, text } from '../../runtime/data/column-type.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import { Gateway } from '../../worker/process/gateway.ts'
import { Unavailable } from '../../worker/process/gateway-error.ts'
import { FakeGroup, type FakeProcess, JOB, outputShape } from './fake-group.ts'
import { TestReader } from './reader.ts'
import { propertySeeds } from './seeds.ts'

const SHAPES = [
  outputShape('totals', { id: int32, total: int64, name: text }, { key: ['id'], sharded: true }),
  outputShape('pairs', { id: int32, value: int32 }, { key: ['id'], sharded: false }),
  outputShape('log', { id: int32 }, { kept: false }),
]

async function runScenario(seed: number): Promise<Record<string, number>> {
  const environment = new SimulatedEnvironment({ seed, start: 1_000_000 })
  const random = new SeededRandom(seed + 1)
  const group = new FakeGroup(environment, seed + 2, SHAPES)
  group.delay = random.chance(0.3) ? 1 : 20
  const gateways = new Map<FakeProcess, Gateway>()
  const pick = <T>(all: readonly T[]): T => all[random.below(all.length)]
  const counts = { reads: 0, refused: 0, followers: 0, resets: 0, overflows: 0, changes: 0, generations: 1, resumed: 0 }

  const addProcess = (): FakeProcess => {
    const process = group.add(`p${group.processes.length}`, 1 + random.below(2))
    const gateway = new Gateway(process, { queueBytes: random.chance(0.2) ? 400 : 1 << 20 })
    process.face = gateway.events
    gateways.set(process, gateway)
    return process
  }
  let members = [addProcess(), addProcess(), addProcess()]
  group.begin(members, null)
  await environment.run(200_000)

  const totals = new Map<number, CountedRow['row']>()
  const commit = (): void => {
    const changes = new Map<string, CountedRow[]>([['totals', []], ['pairs', []], ['log', []]]) // biome-ignore format: one line
    for (let i = random.below(6); i > 0; i--) {
      const id = random.below(12)
      const before = totals.get(id)
      if (before !== undefined) changes.get('totals')?.push({ row: before, diff: -1 })
      if (before !== undefined && random.chance(0.3)) totals.delete(id)
      else {
        const row = { id, total: BigInt(random.below(1000)), name: `n${random.below(3)}` }
        totals.set(id, row)
        changes.get('totals')?.push({ row, diff: 1 })
      }
      changes.get('pairs')?.push({ row: { id: random.below(5), value: random.below(4) }, diff: random.chance(0.4) ? -1 : 1 })
      changes.get('log')?.push({ row: { id: random.below(100) }, diff: 1 })
    }
    group.commit(changes)
  }

  const readers: { reader: TestReader; reading: Promise<void>; process: FakeProcess; output: string; cancel: () => void }[] = []
  const follow = (process: FakeProcess, output: string, after: number | null, reader = new TestReader(group, output)): void => {
    const gateway = gateways.get(process) as Gateway
    try {
      const follower = gateway.follow({ job: JOB, output, snapshot: output !== 'log' && after === null && random.chance(0.7), after })
      const slow = random.chance(0.2)
      const pause = (): Promise<void> =>
        slow ? new Promise((resolve) => environment.timers.setTimeout(resolve, random.below(80))) : Promise.resolve()
      counts.followers++
      readers.push({ reader, reading: reader.read(follower, pause), process, output, cancel: () => follower.cancel() })
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
    }
  }

  const shown = new Map<FakeProcess, number>()
  const reads: Promise<void>[] = []
  const read = (process: FakeProcess): void => {
    const output = pick(['totals', 'pairs'])
    const visible = process.generation?.dataflows.get(7)?.visible ?? null
    const key = random.chance(0.5) ? { id: random.below(12) } : null
    const from = key === null && random.chance(0.5) ? { id: random.below(12) } : null
    const limit = random.chance(0.5) ? 1 + random.below(5) : 1000
    const atLeast = random.chance(0.3) ? group.time : null
    const asOf = atLeast === null && visible !== null && random.chance(0.2) ? visible - random.below(300) : null
    const floor = asOf === null ? (shown.get(process) ?? 0) : 0
    const ask = async (): Promise<void> => {
      try {
        const found = await (gateways.get(process) as Gateway).read({ job: JOB, output, key, from, limit, atLeast, asOf })
        counts.reads++
        expect(found.time).toBeGreaterThanOrEqual(Math.max(floor, atLeast ?? 0))
        if (asOf !== null) expect(found.time).toBe(asOf)
        else shown.set(process, Math.max(found.time, shown.get(process) ?? 0))
        const all = group
          .holds(output, found.time)
          .filter(({ row }) => (key === null || row['id'] === key.id) && (from === null || (row['id'] as number) >= from.id))
        expect(found.rows).toEqual(all.slice(0, limit))
        expect(found.more).toBe(all.length > limit)
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code === 'INVARIANT') throw error
        if (error.code === 'BAD_TIME' && !(error instanceof Unavailable)) expect(asOf).not.toBeNull()
        else expect(error).toBeInstanceOf(Unavailable)
        counts.refused++
      }
    }
    reads.push(ask())
  }

  const regenerate = (): void => {
    if (random.chance(0.3)) members = [...members.filter(() => random.chance(0.7)), addProcess()]
    else if (members.length > 1) members = members.filter((one) => one !== pick(members))
    if (members.length === 0) members = [addProcess()]
    // As a coordinator does: back to what the slowest follower has. Sometimes not as far: then some are reset.
    const visible = group.current?.visible ?? null
    const told = [...gateways.values()].flatMap((gateway) => gateway.events.told(7) ?? [])
    const times = group.truth.map(({ time }) => time).filter((time) => visible !== null && time <= visible)
    if (times.length === 0) return
    const needed = Math.min(...told, times[times.length - 1])
    const from = random.chance(0.7) ? Math.max(times[0], ...times.filter((time) => time <= needed)) : pick(times)
    // What was minted and never visible may come out otherwise, or not at all.
    while (group.truth[group.truth.length - 1].time > (visible as number)) group.truth.pop()
    totals.clear()
    for (const { row } of group.holds('totals', group.time)) totals.set(row['id'] as number, row)
    counts.generations++
    group.begin(members, from)
  }

  for (let step = 0; step < 150; step++) {
    const action = random.below(20)
    if (action < 8) commit()
    else if (action < 11) read(pick(group.processes))
    else if (action < 13) follow(pick(members), pick(['totals', 'pairs', 'log']), null)
    else if (action === 13 && random.chance(0.3)) regenerate()
    else if (action === 14) group.compact(group.time - random.below(3000))
    else if (action === 15 && readers.length > 0) {
      // Goes away, and comes back, here or elsewhere, with what it has.
      const one = readers.splice(random.below(readers.length), 1)[0]
      one.cancel()
      await environment.run(1_000_000)
      await one.reading
      if (one.reader.ended === null && one.reader.time !== null) {
        counts.resumed++
        follow(pick(members), one.output, one.reader.time, one.reader)
      }
    } else if (action === 16 && members.length > 1) {
      const [one, other] = [pick(members), pick(members)]
      if (one !== other) one.service.cut(other)
    } else if (action === 17) {
      const one = pick(members)
      one.leased = random.chance(0.8)
    } else await environment.run(random.below(60_000))
  }
  for (const process of group.processes) process.leased = true
  commit()
  await environment.run(40_000_000)
  await Promise.all(reads)
  for (const { reader, process, cancel, reading } of readers) {
    counts.resets += reader.resets
    counts.changes += reader.events.filter(({ kind }) => kind === 'changes').length
    if (reader.ended !== null) {
      expect(reader.ended.code).toBe('OVERFLOW')
      counts.overflows++
    } else if (members.includes(process)) reader.checkCaughtUp()
    cancel()
    await environment.run(1_000_000)
    await reading
  }
  for (const gateway of gateways.values()) {
    gateway.close()
    expect(gateway.load).toMatchObject({ followers: 0, subscriptions: 0, waitingReads: 0 })
  }
  return counts
}

test('what is read and followed is what was computed, through failures', { timeout: 200_000 }, async () => {
  const sums: Record<string, number> = {}
  for (const seed of propertySeeds(Number(process.env['MILLRACE_SEEDS'] ?? 30))) {
    const counts = await runScenario(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    })
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
  }
  // All of it happened.
  for (const [name, count] of Object.entries(sums)) expect(count, name).toBeGreaterThan(0)
  if (process.env['MILLRACE_SHOW'] !== undefined) console.log(sums)
})
