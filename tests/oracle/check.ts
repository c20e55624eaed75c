/** The property of every operator: at every time the accumulated output is the definition of the accumulated input. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { PlanNode } from '../../operators/plan.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { commitsOf, type InputChange, properly } from './generators.ts'
import { add, type Multiset, plain, textOf } from './multiset.ts'

export interface Checked extends EngineOptions {
  /** Whether multiplicities never get negative at a commit; any signs unless said so. */
  readonly proper?: boolean
  readonly runs?: number
  readonly spread?: number
  readonly commits?: number
  readonly changes?: number
  readonly diffs?: readonly number[]
  /** Messages and multiplicities of errors, by definition; none unless given. */
  readonly errors?: (...inputs: Multiset[]) => Multiset
}

/** Checks a plan over random inputs against its definition. */
export function check(
  columns: readonly Columns[],
  plan: (...inputs: PlanNode[]) => PlanNode,
  definition: (...inputs: Multiset[]) => Multiset,
  options: Checked = {},
): void {
  const { errors = () => new Map() } = options
  fc.assert(
    fc.property(commitsOf(columns, options), (random) => {
      const commits = options.proper === true ? properly(random, textOf) : random
      follow(commits, columns, plan, options, (engine, inputs) => {
        expect(plain(engine.output())).toEqual(plain(definition(...inputs)))
        expect(plain(briefErrors(engine.errors))).toEqual(plain(errors(...inputs)))
      })
    }),
    { numRuns: options.runs ?? 150 },
  )
}

/** Runs commits and looks after each. */
export function follow(
  commits: readonly InputChange[][],
  columns: readonly Columns[],
  plan: (...inputs: PlanNode[]) => PlanNode,
  options: EngineOptions,
  look: (engine: Engine, inputs: Multiset[]) => void,
): void {
  const engine = new Engine(columns, plan, options)
  const inputs: Multiset[] = columns.map(() => new Map())
  for (const commit of commits) {
    for (const { input, row, diff } of commit) {
      engine.change(input, row, diff)
      add(inputs[input] as Multiset, row, diff)
    }
    engine.commit()
    look(engine, inputs)
  }
}

/** Errors as (row, message). */
export function briefErrors(errors: Multiset): Multiset {
  const brief: Multiset = new Map()
  for (const { row, count } of errors.values()) add(brief, { row: row['row'], message: row['message'] }, count)
  return brief
}
