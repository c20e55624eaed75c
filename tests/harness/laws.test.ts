/** Laws that hold for every program, without a definition: what must not change the changes of any output at any time. */
import { expect, test } from 'vitest'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { TooLarge } from './family.ts'
import { generate } from './generate.ts'
import { runScenario } from './run.ts'
import type { ChangeSpec, Scenario } from './scenario.ts'

function said(scenario: Scenario): string | null {
  try {
    return runScenario(scenario).digest
  } catch (error) {
    if (error instanceof TooLarge) return null
    throw error
  }
}

function unchanged(seeds: number, other: (scenario: Scenario, random: SeededRandom) => Scenario): void {
  for (let seed = 1; seed <= seeds; seed++) {
    const scenario = generate(50_000 + seed, { workers: 1 + (seed % 3) })
    expect([seed, said(other(scenario, new SeededRandom(seed)))]).toEqual([seed, said(scenario)])
  }
}

function changed(scenario: Scenario, change: (changes: readonly ChangeSpec[]) => readonly ChangeSpec[]): Scenario {
  return { ...scenario, commits: scenario.commits.map((commit) => ({ ...commit, changes: change(commit.changes) })) }
}

test('one worker and several', () => unchanged(20, (scenario) => ({ ...scenario, workers: scenario.workers === 1 ? 3 : 1 })))

test('another schedule: other batches, another interleaving', () =>
  unchanged(20, (scenario, random) => ({
    ...scenario,
    seed: random.below(1_000_000),
    commits: scenario.commits.map((commit) => ({ ...commit, actions: random.below(100) })),
  })))

test('another order of the changes of a commit, but for commands of keyed tables', () =>
  unchanged(20, (scenario, random) =>
    changed(scenario, (changes) => {
      const keyed = changes.filter(({ input }) => scenario.inputs[input].kind === 'keyed')
      const others = changes.filter(({ input }) => scenario.inputs[input].kind !== 'keyed')
      for (let i = others.length - 1; i > 0; i--) {
        const j = random.below(i + 1)
        ;[others[i], others[j]] = [others[j], others[i]]
      }
      return [...others, ...keyed]
    }),
  ))

test('rows inserted and deleted in one commit', () =>
  unchanged(20, (scenario, random) =>
    changed(scenario, (changes) =>
      changes.flatMap((change) => {
        if (scenario.inputs[change.input].kind !== 'table' || random.below(2) === 0) return [change]
        const values = change.values.map((value) => value + 1)
        return [{ ...change, values, diff: 1 }, change, { ...change, values, diff: -1 }]
      }),
    ),
  ))

test('larger changes, split into single rows', () =>
  unchanged(20, (scenario) =>
    changed(scenario, (changes) =>
      changes.flatMap((change) =>
        scenario.inputs[change.input].kind === 'keyed'
          ? [change]
          : Array.from({ length: Math.abs(change.diff) }, () => ({ ...change, diff: Math.sign(change.diff) })),
      ),
    ),
  ))
