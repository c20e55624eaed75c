/** What each case must reach on one worker, and what the others did when the goals were set (2 shared cores, Node 20). */
import type { EngineName } from './child.ts'
import type { Result } from './runner.ts'

export type Figure = 'us_per_round' | 'p50_us' | 'updates_per_s' | 'load_ms'

export interface Goal {
  /** The case's name: workload and arguments. */
  readonly name: string
  readonly figure: Figure
  readonly reach: number
  /** The same figure of other engines, measured together with each other when the goal was set. */
  readonly others: { readonly [E in EngineName]?: number }
}

const M = 1_000_000

export const goals: readonly Goal[] = [
  goal('degrees 100000 1000000 1 1000', 'us_per_round', 9, { 'db-ivm': 14, d2ts: 88, handrolled: 3.6 }),
  goal('degrees 100000 1000000 1 20000', 'us_per_round', 2.5, { 'db-ivm': 20, handrolled: 1.2 }),
  goal('degrees 100000 1000000 1000 100', 'updates_per_s', 9 * M, { 'db-ivm': 0.37 * M, d2ts: 0.04 * M, handrolled: 7.7 * M }),
  goal('degrees 100000 1000000 1000 100', 'load_ms', 80, { 'db-ivm': 1060, d2ts: 4079, handrolled: 126 }),
  goal('degrees 100000 1000000 100000 5', 'updates_per_s', 15 * M, { 'db-ivm': 0.62 * M, d2ts: 0.08 * M, handrolled: 8.2 * M }),
  goal('degrees 1000000 10000000 1000 100', 'updates_per_s', 4 * M, { handrolled: 1.9 * M }),
  goal('join 100000 200000 1 1000', 'us_per_round', 14, { 'db-ivm': 30, d2ts: 72, handrolled: 6.5 }),
  goal('join 100000 200000 1 20000', 'us_per_round', 4, { 'db-ivm': 19, handrolled: 2.2 }),
  goal('join 100000 200000 1000 400', 'updates_per_s', 3 * M, { 'db-ivm': 0.21 * M, handrolled: 1.6 * M }),
  goal('join 100000 200000 100000 5', 'updates_per_s', 6 * M, { 'db-ivm': 0.19 * M, d2ts: 0.08 * M, handrolled: 1.8 * M }),
  goal('wide 100000 200000 1000 50', 'updates_per_s', 0.8 * M, { 'db-ivm': 0.08 * M, handrolled: 0.34 * M }),
  goal('words 100000 1000000 1000 100', 'updates_per_s', 2 * M, { 'db-ivm': 0.44 * M, d2ts: 0.03 * M, handrolled: 1.6 * M }),
  goal('topk 10000 500000 1000 50', 'updates_per_s', 2 * M, { 'db-ivm': 0.11 * M, d2ts: 0.02 * M, handrolled: 1.6 * M }),
  goal('reach 100000 200000 1 50', 'p50_us', 60, {}),
  goal('reach 100000 200000 1 50', 'us_per_round', 130, { handrolled: 26_000 }),
  goal('reach 100000 200000 100 10', 'updates_per_s', 35_000, { handrolled: 11_000 }),
]

function goal(name: string, figure: Figure, reach: number, others: Goal['others']): Goal {
  return { name, figure, reach, others }
}

export function figureOf(result: Result, figure: Figure): number {
  return figure === 'us_per_round' ? (1000 * result.rounds_ms) / (result.args[3] as number) : result[figure]
}

/** How many times better than `other` a value is. */
export function advantage(figure: Figure, ours: number, other: number): number {
  return figure === 'updates_per_s' ? ours / other : other / ours
}
