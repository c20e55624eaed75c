/** As the fast test of random programs, from other seeds; the message of a failure names the seed. */
import { expect, test } from 'vitest'
import { generate } from '../harness/generate.ts'
import { problemOf, smallest } from '../harness/sim.ts'
import { fixedSeed } from '../property-seed.ts'

/** How long to go on. */
const MILLISECONDS = 60_000

test('random programs, a minute of them', () => {
  const first = fixedSeed() ?? Date.now() % 1_000_000_000
  const end = Date.now() + MILLISECONDS
  for (let seed = first; Date.now() < end; seed++) {
    const scenario = generate(seed, { faults: seed % 2 === 0 })
    const problem = problemOf(scenario)
    if (problem !== null) expect.fail(`seed ${seed}: ${problem}\n${JSON.stringify(smallest(scenario, problem))}`)
  }
})
