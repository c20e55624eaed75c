/** Random rows and change sequences, for properties over any operator. */
import fc from 'fast-check'
import type { ColumnType } from '../../runtime/data/column-type.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import type { Row } from './multiset.ts'

/** Values of a type, few enough that equal ones meet, with the ones at the edges. */
export function valueFor(type: ColumnType, spread = 4): fc.Arbitrary<unknown> {
  const value = notNull(type, spread)
  return type.nullable ? fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 4, arbitrary: value }) : value
}

function notNull(type: ColumnType, spread: number): fc.Arbitrary<unknown> {
  const small = fc.integer({ min: 0, max: spread })
  switch (type.kind) {
    case 'int32':
      return fc.oneof({ weight: 8, arbitrary: small }, { weight: 1, arbitrary: fc.constantFrom(-1, 0x7fffffff, -0x80000000, 1 << 21) })
    case 'int64':
      return fc.oneof(
        { weight: 6, arbitrary: small.map(BigInt) },
        { weight: 1, arbitrary: fc.constantFrom(-1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 33n) },
      )
    case 'timestamp':
      return fc.oneof({ weight: 6, arbitrary: small.map(BigInt) }, { weight: 1, arbitrary: fc.constantFrom(-1n, 10n ** 15n) })
    case 'float64':
      return fc.oneof(
        { weight: 4, arbitrary: small },
        { weight: 2, arbitrary: fc.constantFrom(-0, 0.1, 0.2, 1e300, -1e300, 5e-324) },
        { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
      )
    case 'bool':
      return fc.boolean()
    case 'text':
      return fc.constantFrom('', 'a', 'b', 'Rimini', 'a string of more than twelve', '\ufb00', '\u{1f600}')
    case 'decimal':
      return fc.constantFrom('0', '1.0', '1.00', '-3.25', '10')
    case 'bytes':
      return fc.constantFrom(new Uint8Array([]), new Uint8Array([1, 255]), new Uint8Array([2]))
    case 'json':
      return fc.constantFrom<unknown>({ a: 1 }, [1, 'x'], 'text', 3)
    case 'array':
      return fc.array(valueFor(type.element as ColumnType, spread), { maxLength: 2 })
  }
}

export function rowOf(columns: Columns, spread = 4): fc.Arbitrary<Row> {
  return fc.record(Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, valueFor(type, spread)])))
}

export interface InputChange {
  readonly input: number
  readonly row: Row
  readonly diff: number
}

/** Commits of changes to several inputs: any signs, or only such that no multiplicity ever is negative at a commit. */
export function commitsOf(
  columns: readonly Columns[],
  options: { readonly spread?: number; readonly commits?: number; readonly changes?: number; readonly diffs?: readonly number[] } = {},
): fc.Arbitrary<InputChange[][]> {
  const { spread = 4, commits = 6, changes = 8, diffs = [1, 1, 1, -1, 2, -2] } = options
  const change = fc
    .nat({ max: columns.length - 1 })
    .chain((input) =>
      fc.record({ input: fc.constant(input), row: rowOf(columns[input] as Columns, spread), diff: fc.constantFrom(...diffs) }),
    )
  return fc.array(fc.array(change, { maxLength: changes }), { minLength: 1, maxLength: commits })
}

/** Turns removals of what is not there into insertions, so that collections stay proper multisets at every commit. */
export function properly(commits: readonly InputChange[][], text: (row: Row) => string): InputChange[][] {
  const counts = new Map<string, number>()
  return commits.map((commit) =>
    commit.map(({ input, row, diff }) => {
      const key = `${input}|${text(row)}`
      const count = counts.get(key) ?? 0
      const possible = count + diff < 0 ? Math.abs(diff) : diff
      counts.set(key, count + possible)
      return { input, row, diff: possible }
    }),
  )
}
