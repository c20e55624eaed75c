/** Every case of the protocol, each run in a process of its own; prints the median run of each and checks its outcome. */
import { medianRun, repeatCase, runCase } from './child.ts'
import { type Case, caseName, cases, mismatches, type Outcome, outcomeOf, quickCases } from './expected.ts'
import { advantage, figureOf, goals } from './goals.ts'
import type { Options } from './options.ts'
import { DEFAULT_SEED } from './random.ts'
import type { Result } from './runner.ts'

/** Returns the number of cases that failed. */
export function runAll(options: Options): number {
  const list = options.quick ? quickCases : cases
  let failed = 0
  for (const one of list) {
    const wrong = runOne(one, options)
    if (wrong !== null) {
      failed++
      console.error(`${caseName(one)}: ${wrong}`)
    }
  }
  console.log(`${list.length - failed} of ${list.length} cases right`)
  return failed
}

/** What is wrong, or null. */
function runOne(one: Case, options: Options): string | null {
  const expected = expectedOutcome(one, options)
  if (typeof expected === 'string') return expected
  const results: Result[] = []
  for (const run of repeatCase(options.engine, one, options)) {
    if ('failure' in run) return run.failure
    const wrong = mismatches(run.result, expected)
    if (wrong.length > 0) return wrong.join(', ')
    results.push(run.result)
  }
  console.log(JSON.stringify({ ...medianRun(results), runs: results.length, ...againstGoals(one, results) }))
  return null
}

/** The protocol's table is for one seed; for others the hand-written program is the judge. */
function expectedOutcome(one: Case, options: Options): Outcome | string {
  if (options.seed === DEFAULT_SEED) return one.expected
  const run = runCase('handrolled', one, options)
  return 'failure' in run ? `no outcome to compare with: ${run.failure}` : outcomeOf(run.result)
}

function againstGoals(one: Case, results: readonly Result[]): object {
  const met = goals
    .filter((goal) => goal.name === caseName(one))
    .map(({ figure, reach }) => ({ figure, reach, of_goal: +advantage(figure, figureOf(medianRun(results), figure), reach).toFixed(2) }))
  return met.length === 0 ? {} : { goals: met }
}
