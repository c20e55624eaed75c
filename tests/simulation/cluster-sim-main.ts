/**
 * Whole clusters under a seeded world: node dist/tests/simulation/cluster-sim-main.js SEED [COUNT] [none|mild|harsh] [--trace]
 *
 * Prints a line a seed; the first failure ends it with status 1. The same seed gives the same run.
 */
import type { Faults } from '../../simulation/faults.ts'
import { type SimulationReport, simulate } from '../../simulation/simulate.ts'
import { featureStore, featureStoreInputs, words, wordsInputs } from './jobs.ts'

export interface SeedOptions {
  readonly faults: Faults
  readonly trace?: (line: string) => void
}

/** A cluster and what happens to it, all from one number. */
export function simulateSeed(seed: number, { faults, trace }: SeedOptions): Promise<SimulationReport> {
  const shape = {
    seed,
    faults,
    workers: 2 + (seed % 3),
    threads: 1 + (Math.floor(seed / 3) % 2),
    coordinators: 1 + (Math.floor(seed / 6) % 2),
    seconds: 8,
    ...(trace === undefined ? {} : { trace }),
  }
  return seed % 2 === 0
    ? simulate(featureStore, { ...shape, inputs: featureStoreInputs(seed, 120) })
    : simulate(words, { ...shape, inputs: wordsInputs(seed, 120) })
}

async function main(argv: readonly string[]): Promise<number> {
  const words = argv.filter((word) => !word.startsWith('--'))
  const [first = Number.NaN, count = 1] = words.map(Number).filter(Number.isInteger)
  const faults = (words.find((word) => /^(none|mild|harsh)$/.test(word)) ?? 'harsh') as Faults
  if (Number.isNaN(first)) {
    console.error('usage: SEED [COUNT] [none|mild|harsh] [--trace]')
    return 2
  }
  const trace = argv.includes('--trace') ? (line: string) => console.log(line) : undefined
  let failures = 0
  for (let seed = first; seed < first + count; seed++) {
    const begun = performance.now()
    try {
      const report = await simulateSeed(seed, { faults, ...(trace === undefined ? {} : { trace }) })
      const { faults: happened, ...numbers } = report
      const seconds = Math.round(performance.now() - begun) / 1000
      console.log(JSON.stringify({ seed, seconds, ...numbers, faults: Object.fromEntries(happened) }))
    } catch (error) {
      failures++
      console.log(`seed ${seed} FAILED: ${error instanceof Error ? error.message : String(error)}`)
      if (trace !== undefined) console.error(error)
    }
  }
  return failures > 0 ? 1 : 0
}

if (process.argv[1]?.endsWith('cluster-sim-main.js') === true) process.exitCode = await main(process.argv.slice(2))
