/** The head of a trace against a map of sums: keys with few values and with many, and the work that a change costs. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Segments } from '../../runtime/trace/segments.ts'

/** Words read a change: the probes of a table that is at most half full, and what doubling it and its pool costs. */
const READS = 40

type Change = readonly [key: number, value: number, difference: number]

function apply(segments: Segments, changes: readonly Change[]): void {
  const column = (at: 0 | 1 | 2) => Int32Array.from(changes, (change) => change[at])
  segments.apply(column(0), column(1), column(2), changes.length)
}

function content(segments: Segments, key: number): [number, number][] {
  const found: [number, number][] = []
  segments.forEach(key, (value, difference) => found.push([value, difference]))
  return found.sort(([a], [b]) => a - b)
}

/** `count` values of a key, each once; the key's neighbours get a value each. */
function insertions(count: number): Change[] {
  return Array.from({ length: count }, (_, value): Change => [1, value, 1]).concat([
    [0, 7, 1],
    [2, 7, 5],
  ])
}

test('a key with any number of values has them, each with its difference', () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 20_000 }))
  const phase = fc.record({
    count: size,
    first: fc.integer({ min: 0, max: 500 }),
    difference: fc.constantFrom(1, 1, -1, 2, -3),
  })
  fc.assert(
    fc.property(fc.array(phase, { maxLength: 6 }), (phases) => {
      const segments = new Segments(4)
      const sums = new Map<number, number>()
      for (const { count, first, difference } of phases) {
        apply(
          segments,
          Array.from({ length: count }, (_, i): Change => [1, first + i, difference]),
        )
        for (let value = first; value < first + count; value++) sums.set(value, (sums.get(value) ?? 0) + difference)
        const expected = [...sums].filter(([, sum]) => sum !== 0).sort(([a], [b]) => a - b)
        expect(segments.lengthOf(1)).toBe(expected.length)
        // As text: deep comparison of long arrays takes seconds.
        expect(content(segments, 1).join(' ')).toBe(expected.join(' '))
        expect(segments.negatives).toBe(expected.filter(([, sum]) => sum < 0).length)
      }
    }),
    { numRuns: 30 },
  )
})

test('a key grows to many values and shrinks to none, and its neighbours keep theirs', () => {
  const segments = new Segments(4)
  const all = insertions(70_000)
  apply(segments, all)
  expect(segments.lengthOf(1)).toBe(70_000)
  expect(content(segments, 1).join(' ')).toBe(Array.from({ length: 70_000 }, (_, value) => `${value},1`).join(' '))
  apply(
    segments,
    all.filter(([key]) => key === 1).map(([key, value]): Change => [key, value, -1]),
  )
  expect(content(segments, 1)).toEqual([])
  expect(segments.records[4]).toBe(0)
  expect(content(segments, 0)).toEqual([[7, 1]])
  expect(content(segments, 2)).toEqual([[7, 5]])
})

test('a change of a key costs as little with 40,000 values as with 10,000', () => {
  const few = reads(insertions(10_000))
  const many = reads(insertions(40_000))
  expect(many / few).toBeLessThan(6)
  expect(many / 40_000).toBeLessThan(READS)
})

test('values fed in the order in which another segment has them cost no more', () => {
  const source = new Segments(4)
  apply(source, insertions(40_000))
  const inOrder: Change[] = []
  source.forEach(1, (value, difference) => inOrder.push([1, value, difference]))
  expect(reads(inOrder) / 40_000).toBeLessThan(READS)
})

/** How many words of its pool a new head reads to take these changes. */
function reads(changes: readonly Change[]): number {
  const segments = new Segments(4)
  let count = 0
  const counting = <A extends Int32Array>(array: A): A =>
    new Proxy(array, {
      get(target, name) {
        if (typeof name === 'string' && /^\d+$/.test(name)) count++
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  let pool = counting(segments.pool)
  Object.defineProperty(segments, 'pool', {
    get: () => pool,
    set(next: typeof pool) {
      pool = counting(next)
    },
  })
  apply(segments, changes)
  return count
}
