/** Rows are added up by content, and no difference is lost, however rows and batches come. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RowCombiner } from '../../runtime/channel/row-combiner.ts'

type Row = readonly [low: number, high: number, difference: number]

function sums(rows: readonly Row[], width: number): Map<string, number> {
  const sum = new Map<string, number>()
  for (const [low, high, difference] of rows) {
    const name = width === 1 ? `${low}` : `${low},${high}`
    sum.set(name, (sum.get(name) ?? 0) + difference)
  }
  for (const [name, difference] of sum) if (difference === 0) sum.delete(name)
  return sum
}

/** Puts batches through a combiner and returns what comes out, and how many rows that are. */
function combined(batches: readonly (readonly Row[])[], width: 1 | 2, combiner = new RowCombiner(width)): { rows: Row[]; calls: number } {
  const rows: Row[] = []
  let calls = 0
  const finish = (): void => {
    const n = combiner.finish()
    calls++
    for (let i = 0; i < n; i++) {
      const words = combiner.columns[0]
      rows.push([words[width * i], width === 1 ? 0 : words[2 * i + 1], combiner.differences[i]])
    }
  }
  for (const batch of batches) {
    const column = Int32Array.from(batch.flatMap(([low, high]) => (width === 1 ? [low] : [low, high])))
    const differences = Int32Array.from(batch, ([, , difference]) => difference)
    for (let from = 0; from < batch.length; ) {
      from = combiner.add(column, differences, from, batch.length)
      if (combiner.isFull) finish()
    }
  }
  finish()
  return { rows, calls }
}

const word = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: -2, max: 9 }) }, fc.integer(), fc.constantFrom(1023, 1024, 4096))
const row = fc.tuple(word, fc.constantFrom(0, 0, 0, 1, -1), fc.constantFrom(1, 1, -1, 2, 0x7fffffff, -0x80000000))

describe.each([1, 2] as const)('of %i words', (width) => {
  test('differences add up', () => {
    fc.assert(
      fc.property(fc.array(fc.array(row, { maxLength: 50 }), { maxLength: 5 }), fc.integer({ min: 1, max: 500 }), (batches, repeat) => {
        const long = batches.map((batch) => Array.from({ length: repeat }, () => batch).flat())
        const combiner = new RowCombiner(width)
        for (let time = 0; time < 2; time++) {
          const { rows } = combined(long, width, combiner)
          expect(sums(rows, width)).toEqual(sums(long.flat(), width))
          for (const [, , difference] of rows) expect(difference).not.toBe(0)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('what is left of many rows of few values is few rows', () => {
    const batch = Array.from({ length: 10_000 }, (_, i): Row => [i % 37, 0, 1])
    const other = Array.from({ length: 3000 }, (_, i): Row => [5000 + (i % 7), 0, i % 2 === 0 ? 1 : -1])
    const { rows } = combined([batch, other], width)
    expect(rows.length).toBeLessThanOrEqual(37 + 7)
    expect(sums(rows, width)).toEqual(sums([...batch, ...other], width))
  })

  test('rows that do not repeat are left alone for a while', () => {
    const combiner = new RowCombiner(width)
    expect(combiner.wants(10)).toBe(true)
    combined([Array.from({ length: 20_000 }, (_, i): Row => [i * 3, 0, 1])], width, combiner)
    expect(combiner.wants(1 << 19)).toBe(false)
    expect(combiner.wants(1 << 19)).toBe(false)
    expect(combiner.wants(1)).toBe(true)
    combined([Array.from({ length: 20_000 }, (_, i): Row => [i % 100, 0, 1])], width, combiner)
    expect(combiner.wants(1)).toBe(true)
  })
})
