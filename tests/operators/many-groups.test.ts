/** More groups change at one time than aggregates emit at once: nothing is left out, and what comes next is not mixed up with it. */
import { afterEach, expect, test } from 'vitest'
import { count, embed, int32, job, max, sum, table } from '../../millrace.ts'
import { AccumulateOperator } from '../../operators/accumulate.ts'

const GROUPS = 10_000
const { mostMarks } = AccumulateOperator
afterEach(() => {
  AccumulateOperator.mostMarks = mostMarks
})

interface Shown {
  readonly k: number
  readonly n: bigint
  readonly total: bigint
}

const counted = job('counted', { rows: table({ k: int32, x: int32 }) }, ({ rows }) => {
  const counts = rows.groupBy('k').aggregate(() => ({ n: count() }))
  return {
    counts,
    sums: rows.groupBy('k').aggregate((row) => ({ n: count(), total: sum(row.x) })),
    most: rows.groupBy('k').aggregate((row) => ({ most: max(row.x) })),
    histogram: counts.groupBy('n').aggregate(() => ({ groups: count() })),
  }
})

test.each([mostMarks, 15_000, 1])('of counts, sums and maxima, over several times, with %i marks', (marks) => {
  AccumulateOperator.mostMarks = marks
  using app = embed(counted)
  const { counts, sums, most, histogram } = app.outputs
  const state = new Map<number, number[]>()
  const change = (k: number, x: number, isThere: boolean): void => {
    const values = state.get(k) ?? []
    if (isThere) {
      values.push(x)
      app.inputs.rows.insert({ k, x })
    } else {
      values.splice(values.indexOf(x), 1)
      app.inputs.rows.remove({ k, x })
    }
    if (values.length === 0) state.delete(k)
    else state.set(k, values)
  }
  const check = (): void => {
    const shown: Shown[] = [...state].map(([k, values]) => ({
      k,
      n: BigInt(values.length),
      total: BigInt(values.reduce((all, one) => all + one, 0)),
    }))
    const byKey = (a: { readonly k: number }, b: { readonly k: number }): number => a.k - b.k
    expect([...sums.rows()].sort(byKey)).toEqual([...shown].sort(byKey))
    expect([...counts.rows()].sort(byKey)).toEqual(shown.map(({ k, n }) => ({ k, n })).sort(byKey))
    expect([...most.rows()].sort(byKey)).toEqual([...state].map(([k, values]) => ({ k, most: Math.max(...values) })).sort(byKey))
    const groups = new Map<bigint, bigint>()
    for (const { n } of shown) groups.set(n, (groups.get(n) ?? 0n) + 1n)
    expect(new Map([...histogram.rows()].map((row) => [row.n, row.groups]))).toEqual(groups)
  }
  for (let k = 0; k < GROUPS; k++) for (let x = 0; x <= k % 3; x++) change(k, x, true)
  app.commit()
  check()
  for (let k = 0; k < GROUPS; k++) {
    if (k % 3 === 0) change(k, 0, false)
    else if (k % 3 === 1) change(k, 7, true)
    else {
      change(k, 2, false)
      change(k, 2, true)
    }
  }
  app.commit()
  check()
  for (let k = GROUPS; k < 2 * GROUPS; k += 2) change(k, k, true)
  for (let k = 1; k < GROUPS; k += 3) change(k, 1, false)
  app.commit()
  check()
  for (const [k, values] of [...state]) for (const x of [...values]) change(k, x, false)
  app.commit()
  check()
  expect([...histogram.rows()]).toEqual([])
})
