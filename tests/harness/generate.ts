/** A random scenario of one seed. */
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { families } from './program.ts'
import type { ChangeSpec, CommitSpec, FaultSpec, InputSpec, OperatorSpec, Scenario } from './scenario.ts'
import { palettes } from './values.ts'

/** Numbers that an operator's family may read. */
const OPERATOR_NUMBERS = 16
const WORKERS = [1, 2, 3, 5, 8]

/** Families whose state cannot be stored so far. */
const UNSTORED = ['aggregate', 'reach', 'label', 'valid']

export interface Wanted {
  readonly workers?: number
  readonly families?: readonly string[]
  readonly faults?: boolean
}

export function generate(seed: number, wanted: Wanted = {}): Scenario {
  const random = new SeededRandom(seed)
  const below = (bound: number): number => random.below(bound)
  const list = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
  const names = wanted.families ?? Object.keys(families).filter((name) => wanted.faults !== true || !UNSTORED.includes(name))
  const proper = below(2) === 0
  const inputs = list(1 + below(3), (): InputSpec => {
    const kind = (['table', 'table', 'keyed', 'stream'] as const)[below(4)]
    return { kind, types: list(1 + below(3), () => below(palettes.length)) }
  })
  const operators = list(
    2 + below(9),
    (i): OperatorSpec => ({
      family: names[below(names.length)],
      // Later operators mostly read what came just before them, so that programs get deep.
      args: [below(3) > 0 ? inputs.length + i - 1 : below(100), ...list(OPERATOR_NUMBERS, () => below(1000))].map((n) => Math.max(n, 0)),
    }),
  )
  const counts = new Map<string, number>()
  const change = (): ChangeSpec => {
    const input = below(inputs.length)
    const { kind, types } = inputs[input]
    const values = types.map((type) => below(below(4) === 0 ? palettes[type].values.length : 4))
    let diff = kind === 'stream' ? 1 + below(2) : [1, 1, 1, -1, 2, -2][below(6)]
    const name = `${input} ${values.join()}`
    const before = counts.get(name) ?? 0
    if (proper && before + diff < 0) diff = -diff
    counts.set(name, before + diff)
    return { input, values, diff }
  }
  const faults = (): FaultSpec[] => {
    if (wanted.faults !== true) return []
    return list(below(3), (): FaultSpec => {
      const kind = (['cut', 'cut', 'crash', 'evict'] as const)[below(4)]
      if (kind === 'crash') return { kind, workers: WORKERS[below(WORKERS.length)] }
      return kind === 'evict' ? { kind, seed: below(1000) } : { kind }
    })
  }
  const size = [4, 12, 40][below(3)]
  return {
    inputs,
    operators,
    outputs: [inputs.length + operators.length - 1, ...list(below(3), () => below(100))],
    commits: list(
      1 + below(8),
      (): CommitSpec => ({
        changes: list(below(size), change),
        actions: [0, 3, 20, 200][below(4)],
        step: below(4) === 0 ? 1 + below(1000) : 1,
        faults: faults(),
      }),
    ),
    workers: wanted.workers ?? WORKERS[below(WORKERS.length)],
    seed: below(0x7fffffff),
    forceHash: below(4) === 0,
    interpret: below(6) === 0,
    collect: below(4) === 0,
  }
}
