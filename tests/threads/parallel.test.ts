import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NodeThreads } from '../../runtime/env/node-threads.ts'
import { runParallel } from '../../worker/parallel.ts'
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
async function checksums(workers: number, spinAlways = false): Promise<number[]> {
  const reports = await runParallel({ threads, module, workers, data, spinAlways })
  const sums = new Array<number>(data.rounds).fill(0)
  for (const [report] of reports as [DegreesReport][]) for (let r = 0; r < sums.length; r++) sums[r] = (sums[r] + report.checksums[r]) >>> 0
  return sums
}

describe('a program on several threads', () => {
  it('has the same outputs at every time, on any number of them', async () => {
    const alone = await checksums(1)
    expect(new Set(alone).size).toBe(data.rounds)
    for (const workers of [2, 5]) expect(await checksums(workers)).toEqual(alone)
    expect(await checksums(2, true)).toEqual(alone)
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
