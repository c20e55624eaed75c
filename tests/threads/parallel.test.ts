import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { NodeThreads } from '../../runtime/env/node-threads.ts'
import { runParallel } from '../../worker/parallel.ts'
import { GroupListener, type ProcessGroup } from '../../worker/parallel-group.ts'
import { BuiltEntries } from './built-entry.ts'
import type { DegreesData, DegreesReport } from './entries/degrees.ts'

const entries = new BuiltEntries()
let module: URL
beforeAll(async () => {
  module = await entries.build(new URL('./entries/degrees.ts', import.meta.url))
})
afterAll(() => entries.remove())

const threads = new NodeThreads()
const data: DegreesData = { nodes: 1000, load: 20_000, batch: 500, rounds: 40 }

/** By round the checksum of all workers' parts together. */
function summed(reports: unknown[][], rounds = data.rounds): number[] {
  const sums = new Array<number>(rounds).fill(0)
  for (const [report] of reports as [DegreesReport][]) for (let r = 0; r < sums.length; r++) sums[r] = (sums[r] + report.checksums[r]) >>> 0
  return sums
}

async function checksums(workers: number, options: { spinAlways?: boolean; cores?: number } = {}): Promise<number[]> {
  return summed(await runParallel({ threads, module, workers, data, ...options }))
}

/** Groups that are connected as several processes are, in this one. */
async function groups(processes: number): Promise<ProcessGroup[]> {
  const environment = nodeEnvironment()
  const listeners = await Promise.all(Array.from({ length: processes }, () => GroupListener.open(environment)))
  const urls = listeners.map(({ url }) => url)
  return Promise.all(listeners.map((listener, i) => listener.join(i, urls)))
}

describe('a program on several threads', () => {
  it('has the same outputs at every time, on any number of them', async () => {
    const alone = await checksums(1)
    expect(new Set(alone).size).toBe(data.rounds)
    for (const workers of [2, 5]) expect(await checksums(workers)).toEqual(alone)
    expect(await checksums(2, { spinAlways: true })).toEqual(alone)
  })

  it('loses no wakeup, after which it would wait for ever', async () => {
    const many: DegreesData = { nodes: 50, load: 100, batch: 3, rounds: 3000 }
    const run = async (workers: number): Promise<unknown[][]> => runParallel({ threads, module, workers, data: many, cores: 0 })
    expect(summed(await run(3), many.rounds)).toEqual(summed(await run(1), many.rounds))
  })

  it('fails as a whole when it throws on one, with its error', async () => {
    const run = runParallel({ threads, module, workers: 3, data: { ...data, failAt: 7 } })
    await expect(run).rejects.toThrow('round 7 fails')
  })

  it('reports while it runs', async () => {
    const heard: number[] = []
    await runParallel({ threads, module, workers: 2, data, onReport: (worker) => heard.push(worker) })
    expect(heard.sort()).toEqual([0, 1])
  })
})

describe('a program in several processes', () => {
  it.each([
    { processes: 2, workers: 1 },
    { processes: 3, workers: 2 },
  ])('has the same outputs in $processes processes of $workers threads', async ({ processes, workers }) => {
    const alone = await checksums(1)
    const heard: number[] = []
    const onReport = (worker: number): number => heard.push(worker)
    const runs = (await groups(processes)).map((group) =>
      runParallel({ threads, module, workers, data, group, ...(group.index === 0 ? { onReport } : {}) }),
    )
    const [reports, ...others] = await Promise.all(runs)
    expect(summed(reports)).toEqual(alone)
    expect(heard.sort()).toEqual(Array.from({ length: processes * workers }, (_, worker) => worker))
    // Each of the others knows what its own workers said.
    others.forEach((own, i) => {
      expect(own.map((said) => said.length)).toEqual(reports.map((_, worker) => (Math.floor(worker / workers) === i + 1 ? 1 : 0)))
    })
  })

  it('fails everywhere when it throws in one', async () => {
    const runs = (await groups(3)).map((group) => runParallel({ threads, module, workers: 1, data: { ...data, failAt: 7 }, group }))
    const ends = await Promise.allSettled(runs)
    const messages = ends.map((end) => (end.status === 'rejected' ? String(end.reason) : 'went well'))
    expect(messages[2]).toMatch('round 7 fails')
    for (const message of messages) expect(message).toMatch(/round 7 fails|is gone/)
  })

  it('fails when a process is gone', async () => {
    const [group, other] = await groups(2)
    const run = runParallel({ threads, module, workers: 1, data, group })
    await other.close()
    await expect(run).rejects.toThrow('process 1 of a parallel run is gone')
  })
})
