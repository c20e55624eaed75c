/** The benchmark's workloads on several workers come out with what one comes out with: real threads, and real processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { caseName, mismatches, outcomeOf, quickCases } from '../../bench/expected.ts'
import type { ParallelRun } from '../../bench/parallel.ts'
import { DEFAULT_SEED } from '../../bench/random.ts'
import type { Result } from '../../bench/runner.ts'
import type { Workload } from '../../bench/workloads.ts'
import { BuiltEntries } from '../threads/built-entry.ts'

const entries = new BuiltEntries()
let runParallelWorkload: (run: ParallelRun) => Promise<Result>
beforeAll(async () => {
  for (const name of ['parallel-program', 'exchange-process']) await entries.build(new URL(`../../bench/${name}.ts`, import.meta.url))
  const { href } = await entries.build(new URL('../../bench/parallel.ts', import.meta.url))
  const bench = (await import(/* @vite-ignore */ href)) as { runParallelWorkload: typeof runParallelWorkload }
  runParallelWorkload = bench.runParallelWorkload
})
afterAll(() => entries.remove())

/** Of each workload the case with the most changes a round. */
const cases = [...new Map(quickCases.map((one) => [one.workload, one])).values()]
const configurations = [
  { workers: 2, processes: 1 },
  { workers: 8, processes: 1 },
  { workers: 1, processes: 2 },
  { workers: 2, processes: 4 },
]

describe.each(configurations)('$processes processes of $workers threads', ({ workers, processes }) => {
  const run = (workload: Workload, args: readonly number[], options: Partial<ParallelRun> = {}): Promise<Result> =>
    runParallelWorkload({
      workload,
      args,
      workers,
      processes,
      seed: DEFAULT_SEED,
      forms: { input: 'rows', output: 'columns' },
      warm: 0,
      feed: 'all',
      waiting: 'adapt',
      ...options,
    })

  it.each(cases.map((one) => [caseName(one), one] as const))('%s', async (_, { workload, args, expected }) => {
    expect(mismatches(outcomeOf(await run(workload, args)), expected)).toEqual([])
  })

  it('one worker feeds, and nobody ever spins', async () => {
    const [{ workload, args, expected }] = cases
    expect(mismatches(outcomeOf(await run(workload, args, { feed: 'one', waiting: 'park' })), expected)).toEqual([])
  })
})
