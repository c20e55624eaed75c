/**
 * Replays simulated runs: `npm run -s sim:programs -- SEED [COUNT]`. A seed (from 0 on) gives the same program, input, schedule and
 * faults every time. A failing one is made smaller and printed.
 */

import { TooLarge } from './family.ts'
import { generate, type Wanted } from './generate.ts'
import { minimise } from './minimise.ts'
import { runScenario } from './run.ts'
import type { Scenario } from './scenario.ts'

/** The problem of a scenario, or null. */
export function problemOf(scenario: Scenario): string | null {
  try {
    runScenario(scenario)
    return null
  } catch (error) {
    if (error instanceof TooLarge) return null
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

/** What kind of problem: smaller scenarios must have the same kind. */
function kindOf(problem: string): string {
  return problem.split('\n')[0].replace(/\d+/g, 'N').slice(0, 40)
}

export function smallest(scenario: Scenario, problem: string): Scenario {
  // A seeded bug only has to be noticed.
  if (process.env['MILLRACE_SEEDED_BUG'] !== undefined) return scenario
  const kind = kindOf(problem)
  return minimise(scenario, (smaller) => {
    const found = problemOf(smaller)
    return found !== null && kindOf(found) === kind
  })
}

export function simulate(seed: number, wanted: Wanted = {}): string {
  const scenario = generate(seed, wanted)
  const { workers, operators, inputs } = scenario
  const program = `${workers} workers, ${inputs.length} inputs, ${operators.map(({ family }) => family).join(' ')}`
  try {
    const { commits, changes, outputRows, errors, frontierChecks, digest } = runScenario(scenario)
    return `seed ${seed}: ${program}: ${changes} changes in ${commits} commits, ${outputRows} rows and ${errors} errors out, ${frontierChecks} frontier checks, digest ${digest}`
  } catch (error) {
    if (error instanceof TooLarge) return `seed ${seed}: ${program}: too large`
    throw error
  }
}
