/** Random programs on 1 to 8 simulated workers equal their definitions at every time; frontiers are checked at every action. */
import { describe, expect, test } from 'vitest'
import { generate } from './generate.ts'
import { regressions } from './regressions.ts'
import { runScenario } from './run.ts'
import { problemOf, simulate, smallest } from './sim.ts'

describe('what once failed', () => {
  test.each(regressions.map(({ title, scenario }) => [title, scenario] as const))('%s', (_, scenario) => {
    runScenario(scenario)
  })
})

describe.each([
  ['in peace', false],
  ['with crashes, restores on other numbers of workers, and evictions', true],
])('random programs %s', (_, faults) => {
  test.each([1, 2, 3, 5, 8])('on %i workers', (workers) => check(workers, faults))
})

function check(workers: number, faults: boolean): void {
  for (let seed = 1000 * workers; seed < 1000 * workers + Math.ceil(48 / (workers + 2)); seed++) {
    const scenario = generate(seed, { workers, faults })
    const problem = problemOf(scenario)
    if (problem !== null) expect.fail(`seed ${seed} on ${workers} workers: ${problem}\n${JSON.stringify(smallest(scenario, problem))}`)
  }
}

test('a seed gives the same run again', () => {
  for (let seed = 1; seed <= 5; seed++) expect(simulate(seed)).toBe(simulate(seed))
})
