import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { forceGeneration } from '../../runtime/data/kernel.ts'
import { WordTable } from '../../runtime/data/word-table.ts'

afterEach(() => {
  WordTable.forceHash = null
  forceGeneration(undefined)
})

const variants = [
  { name: 'generated', generated: true, hash: null },
  { name: 'generated, one hash for all', generated: true, hash: 77 },
  { name: 'interpreted', generated: false, hash: null },
  { name: 'interpreted, one hash for all', generated: false, hash: -1 },
]

function tableOf(widths: number[], variant: (typeof variants)[number]): WordTable {
  WordTable.forceHash = variant.hash
  forceGeneration(variant.generated)
  return new WordTable(widths)
}

function columnsOf(rows: number[][], widths: number[]): Int32Array[] {
  let at = 0
  return widths.map((width) => {
    const column = Int32Array.from(rows.flatMap((row) => row.slice(at, at + width)))
    at += width
    return column
  })
}

function wordsAt(table: WordTable, id: number): number[] {
  const from = id * table.stride + table.offset
  return [...table.arena.subarray(from, from + table.stride - table.offset)]
}

const word = fc.oneof(fc.constantFrom(0, 1, -1, 0x7fffffff, -0x80000000), fc.integer({ min: 0, max: 20 }))
const widthsAndRows = fc.array(fc.constantFrom(1, 2, 3), { minLength: 1, maxLength: 3 }).chain((widths) => {
  const words = widths.reduce((a, b) => a + b, 0)
  const row = fc.tuple(fc.array(word, { minLength: words, maxLength: words }), fc.constantFrom(-1, 1, 1, 2))
  return fc.record({ widths: fc.constant(widths), batches: fc.array(fc.array(row, { maxLength: 60 }), { maxLength: 12 }) })
})

describe.each(variants)('word table ($name)', (variant) => {
  it('gives equal rows one id and different rows different ids', () => {
    fc.assert(
      fc.property(widthsAndRows, ({ widths, batches }) => {
        const table = tableOf(widths, variant)
        const ids = new Map<string, number>()
        for (const batch of batches) {
          const rows = batch.map(([row]) => row)
          const out = new Int32Array(rows.length + 1)
          const found = new Int32Array(rows.length)
          table.find(columnsOf(rows, widths), rows.length, found)
          rows.forEach((row, i) => {
            expect(found[i]).toBe(ids.get(String(row)) ?? -1)
          })
          table.lookupOrInsert(columnsOf(rows, widths), rows.length, out, 1)
          rows.forEach((row, i) => {
            const id = out[i + 1] as number
            expect(wordsAt(table, id)).toEqual(row)
            expect(ids.get(String(row)) ?? id).toBe(id)
            ids.set(String(row), id)
          })
        }
        expect(table.count).toBe(ids.size)
        expect(new Set(ids.values()).size).toBe(ids.size)
        expect(Math.max(-1, ...ids.values())).toBeLessThan(table.capacity)
      }),
      { numRuns: variant.hash === null ? 100 : 40 },
    )
  })

  it('counts rows, and frees exactly those whose count is 0 at reap', () => {
    fc.assert(
      fc.property(widthsAndRows, fc.array(fc.boolean()), ({ widths, batches }, reaps) => {
        const table = tableOf(widths, variant)
        const counts = new Map<string, number>()
        const ids = new Map<string, number>()
        batches.forEach((batch, b) => {
          const rows = batch.map(([row]) => row)
          const out = new Int32Array(rows.length)
          table.put(columnsOf(rows, widths), rows.length, Int32Array.from(batch.map(([, d]) => d)), out)
          batch.forEach(([row, d], i) => {
            const key = String(row)
            counts.set(key, (counts.get(key) ?? 0) + d)
            expect(ids.get(key) ?? out[i]).toBe(out[i])
            ids.set(key, out[i] as number)
          })
          if (reaps[b] !== true) return
          table.reap()
          for (const [key, count] of counts) {
            if (count !== 0) continue
            counts.delete(key)
            ids.delete(key)
          }
          expect(table.count).toBe(counts.size)
        })
        for (const [key, id] of ids) {
          expect(String(wordsAt(table, id))).toBe(key)
          expect(table.arena[id * table.stride]).toBe(counts.get(key))
        }
        const live: number[] = []
        table.forEachLive((id) => live.push(id))
        expect(live).toEqual([...ids.values()].sort((a, b) => a - b))
      }),
      { numRuns: variant.hash === null ? 100 : 40 },
    )
  })

  it('sweeps the ids that are not live, and reuses them', () => {
    const table = tableOf([2], variant)
    const n = variant.hash === null ? 3000 : 600
    const rows = Array.from({ length: n }, (_, i) => [i, -i])
    const out = new Int32Array(n)
    table.lookupOrInsert(columnsOf(rows, [2]), n, out)
    const live = new Uint8Array(table.capacity)
    for (let i = 0; i < n; i += 3) live[out[i] as number] = 1
    expect(table.releaseUnless(live)).toBe(n - Math.ceil(n / 3))
    const found = new Int32Array(n)
    table.find(columnsOf(rows, [2]), n, found)
    for (let i = 0; i < n; i++) expect(found[i]).toBe(i % 3 === 0 ? out[i] : -1)
    const top = table.top
    table.lookupOrInsert(columnsOf(rows, [2]), n, out)
    expect(table.top).toBe(top)
    expect(new Set(out).size).toBe(n)
  })
})

describe('word table', () => {
  it('finds every row after many releases', () => {
    const table = new WordTable([1, 1])
    const ids = new Map<number, number>()
    const out = new Int32Array(1)
    let state = 12345
    for (let step = 0; step < 40_000; step++) {
      state = (Math.imul(state, 1103515245) + 12345) | 0
      const key = (state >>> 8) % 500
      const row = [Int32Array.of(key), Int32Array.of(-key)]
      table.find(row, 1, out)
      expect(out[0]).toBe(ids.get(key) ?? -1)
      if (ids.has(key)) {
        table.release(ids.get(key) as number)
        ids.delete(key)
      } else {
        table.lookupOrInsert(row, 1, out)
        ids.set(key, out[0] as number)
      }
    }
    expect(table.count).toBe(ids.size)
    expect(table.top).toBeLessThanOrEqual(500)
  })

  it('refuses a count beyond int32 and a second release', () => {
    const table = new WordTable([1])
    const out = new Int32Array(2)
    const columns = [Int32Array.of(5, 5)]
    expect(() => table.put(columns, 2, Int32Array.of(0x7fffffff, 1), out)).toThrow('more than 2^31 - 1 times')
    table.release(out[0] as number)
    expect(() => table.release(out[0] as number)).toThrow('invariant')
  })

  it('keeps ids in order of arrival, and bounds the dying list', () => {
    const table = new WordTable([1])
    const n = 10_000
    const out = new Int32Array(n)
    table.lookupOrInsert([Int32Array.from({ length: n }, (_, i) => i)], n, out)
    expect([...out]).toEqual(Array.from({ length: n }, (_, i) => i))
    const store = new WordTable([1])
    for (let round = 0; round < 10_000; round++) store.put([Int32Array.of(1, 1)], 2, Int32Array.of(1, -1), out)
    expect(store.dying.length).toBeLessThan(4096)
    expect(store.reap()).toBe(1)
  })
})
