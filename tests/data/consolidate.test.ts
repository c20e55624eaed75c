import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type Batch, BatchPool } from '../../runtime/data/batch.ts'
import { consolidate } from '../../runtime/data/consolidate.ts'
import { forceGeneration } from '../../runtime/data/kernel.ts'

afterEach(() => forceGeneration(undefined))

function batchOf(widths: readonly number[], rows: number[][], differences: number[], times: number[] | null): Batch {
  const batch = new BatchPool(widths).take(7, rows.length)
  let at = 0
  widths.forEach((width, c) => {
    rows.forEach((row, i) => {
      batch.columns[c]?.set(row.slice(at, at + width), i * width)
    })
    at += width
  })
  batch.differences.set(differences)
  if (times !== null) batch.useTimes().set(times)
  batch.n = rows.length
  return batch
}

function contents(batch: Batch): [string, number][] {
  return Array.from({ length: batch.n }, (_, i) => {
    const words = batch.columns.flatMap((column, c) => {
      const width = batch.widths[c] as number
      return [...column.subarray(i * width, (i + 1) * width)]
    })
    return [`${words}@${batch.times === null ? '' : batch.times[i]}`, batch.differences[i] as number]
  })
}

/** The definition: per row the sum of its differences, without zeros, in order of first appearance. */
function consolidated(entries: [string, number][]): [string, number][] {
  const sums = new Map<string, number>()
  for (const [row, difference] of entries) sums.set(row, (sums.get(row) ?? 0) + difference)
  return [...sums].filter(([, sum]) => sum !== 0)
}

const cases = fc
  .record({ widths: fc.array(fc.constantFrom(1, 2, 3), { maxLength: 3 }), timed: fc.boolean(), most: fc.constantFrom(3, 12, 100, 3000) })
  .chain(({ widths, timed, most }) => {
    const words = widths.reduce((a, b) => a + b, 0)
    const word = most > 100 ? fc.integer({ min: 0, max: 9 }) : fc.constantFrom(0, 1, -1)
    return fc.record({
      widths: fc.constant(widths),
      timed: fc.constant(timed),
      rows: fc.array(
        fc.record({ row: fc.array(word, { minLength: words, maxLength: words }), d: fc.integer({ min: -2, max: 2 }), t: fc.nat(2) }),
        {
          maxLength: most,
          size: 'max',
        },
      ),
    })
  })

describe.each([true, false])('consolidate (generated: %s)', (generated) => {
  it('equals the definition for every size of batch', () => {
    forceGeneration(generated)
    fc.assert(
      fc.property(cases, ({ widths, timed, rows }) => {
        const batch = batchOf(
          widths,
          rows.map(({ row }) => row),
          rows.map(({ d }) => d),
          timed ? rows.map(({ t }) => t) : null,
        )
        const before = contents(batch)
        consolidate(batch)
        expect(contents(batch)).toEqual(consolidated(before))
      }),
      { numRuns: 200 },
    )
  })

  it('keeps 300,000 different rows', () => {
    forceGeneration(generated)
    const n = 300_000
    const batch = new BatchPool([1, 1]).take(0, n)
    for (let i = 0; i < n; i++) {
      ;(batch.columns[0] as Int32Array)[i] = Math.imul(i, 0x9e3779b1)
      ;(batch.columns[1] as Int32Array)[i] = i % 7
      batch.differences[i] = 1
    }
    batch.n = n
    consolidate(batch)
    expect(batch.n).toBe(n)
  })

  it('refuses a sum beyond int32', () => {
    forceGeneration(generated)
    for (const n of [2, 20]) {
      const rows = Array.from({ length: n }, () => [1])
      const batch = batchOf([1], rows, [0x7fffffff, ...Array<number>(n - 1).fill(1)], null)
      expect(() => consolidate(batch)).toThrow('more than int32')
    }
  })
})
