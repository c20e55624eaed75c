import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TimeTable } from '../../runtime/time/time-table.ts'

type Time = readonly [outer: number, ...inner: number[]]

const coordinate = fc.integer({ min: 0, max: 4 })
/** Outer times near 2^53 and apart by less than 2^32 show a hash or an equality that drops bits. */
const outer = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: 3 }).map((i) => 1_760_000_000_000_000 + i * 2 ** 32),
)
const timeOf = (depth: number): fc.Arbitrary<Time> =>
  fc.tuple(outer, fc.array(coordinate, { minLength: depth, maxLength: depth })).map(([o, inner]) => [o, ...inner] as const)
const depths = fc.integer({ min: 1, max: 3 })
const pair = depths.chain((depth) => fc.tuple(timeOf(depth), timeOf(depth)))

const intern = (table: TimeTable, [o, ...inner]: Time): number => table.intern(o, inner)
const read = (table: TimeTable, id: number): Time => [
  table.outer(id),
  ...Array.from({ length: table.depth(id) }, (_, i) => table.coordinate(id, i + 1)),
]
const lessEqual = (a: Time, b: Time): boolean => a.every((x, i) => x <= b[i])

describe('TimeTable', () => {
  test('ids are equal exactly if the times are, through growth, release and reuse', () => {
    const anyTime = depths.chain(timeOf)
    const command = fc.oneof(
      { weight: 8, arbitrary: anyTime.map((time) => ({ time, release: -1 })) },
      { weight: 1, arbitrary: outer.map((release) => ({ time: [0, 0] as Time, release })) },
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 400 }), (commands) => {
        const table = new TimeTable()
        const model = new Map<string, number>()
        for (const { time, release } of commands) {
          if (release >= 0) {
            table.release(release)
            for (const key of [...model.keys()]) {
              const o = JSON.parse(key)[0]
              if (o > 0 && o <= release) model.delete(key)
            }
          } else {
            const id = intern(table, time)
            expect(id).toBeGreaterThan(0)
            expect(model.get(JSON.stringify(time)) ?? id).toBe(id)
            model.set(JSON.stringify(time), id)
          }
          expect(table.size).toBe(model.size)
        }
        expect(new Set(model.values()).size).toBe(model.size)
        for (const [key, id] of model) {
          expect(read(table, id)).toEqual(JSON.parse(key))
          expect(intern(table, JSON.parse(key))).toBe(id)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('thousands of outer times that agree in their low 32 bits keep their ids', () => {
    const table = new TimeTable()
    const ids = Array.from({ length: 4_000 }, (_, i) => table.intern2(i * 2 ** 32, 1, 2))
    expect(new Set(ids).size).toBe(ids.length)
    ids.forEach((id, i) => {
      if (table.intern2(i * 2 ** 32, 1, 2) !== id || table.outer(id) !== i * 2 ** 32) expect.fail(`outer time ${i} lost its id`)
    })
  })

  test('a release takes out exactly its own times and hides no other', () => {
    const table = new TimeTable()
    const ids = new Map<string, number>()
    for (let i = 0; i < 60; i++) for (let o = 0; o < 12; o++) ids.set(`${o} ${i}`, table.intern2(o, i, o))
    for (let o = 1; o < 12; o++) {
      table.release(o)
      for (let i = 0; i < 60; i++) ids.delete(`${o} ${i}`)
      expect(table.size).toBe(ids.size)
      for (const [key, id] of ids) {
        const [outerTime, i] = key.split(' ').map(Number)
        if (table.intern2(outerTime, i, outerTime) !== id) expect.fail(`${key} is hidden after the release of ${o}`)
      }
    }
  })

  test('the fixed forms of intern agree with the general one', () => {
    const table = new TimeTable()
    expect(table.intern1(7, 1)).toBe(table.intern(7, [1]))
    expect(table.intern2(7, 1, 0)).toBe(table.intern(7, [1, 0]))
    expect(table.intern3(7, 1, 0, 0)).toBe(table.intern(7, [1, 0, 0]))
    expect(new Set([table.intern1(7, 1), table.intern2(7, 1, 0), table.intern3(7, 1, 0, 0)]).size).toBe(3)
    expect(() => table.intern(7, [])).toThrow(/1 to 3/)
    expect(() => table.intern(7, [1, 2, 3, 4])).toThrow(/1 to 3/)
    expect(() => table.intern(7, [-1])).toThrow(/below 0/)
    expect(() => table.intern(7, [2 ** 31])).toThrow(/int32/)
    expect(() => table.intern(Infinity, [0])).toThrow(/unbounded/)
  })

  test('order and lattice, against the definition', () => {
    const table = new TimeTable()
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const x = intern(table, a)
        const y = intern(table, b)
        expect(table.lessEqual(x, y)).toBe(lessEqual(a, b))
        if (lessEqual(a, b)) expect(table.compare(x, y)).toBeLessThanOrEqual(0)
        expect(table.compare(x, y) === 0).toBe(x === y)
        expect(Math.sign(table.compare(x, y))).toBe(-Math.sign(table.compare(y, x)) + 0)
        for (let repeat = 0; repeat < 2; repeat++) {
          expect(read(table, table.join(x, y))).toEqual(a.map((c, i) => Math.max(c, b[i])))
          expect(table.join(y, x)).toBe(table.join(x, y))
        }
        expect(read(table, table.meet(x, y))).toEqual(a.map((c, i) => Math.min(c, b[i])))
        expect(table.meet(y, x)).toBe(table.meet(x, y))
      }),
      { numRuns: 500 },
    )
  })

  test('compare sorts every depth lexicographically', () => {
    const table = new TimeTable()
    fc.assert(
      fc.property(
        depths.chain((depth) => fc.array(timeOf(depth), { maxLength: 12 })),
        (times) => {
          const sorted = times.map((time) => intern(table, time)).sort((a, b) => table.compare(a, b))
          const lexicographic = (a: Time, b: Time): number => a.map((c, i) => c - b[i]).find((d) => d !== 0) ?? 0
          expect(sorted.map((id) => read(table, id))).toEqual([...times].sort(lexicographic))
        },
      ),
    )
  })

  test('enter, leave, increment, rebase', () => {
    const table = new TimeTable()
    fc.assert(
      fc.property(depths.chain(timeOf), coordinate, (time, by) => {
        const id = intern(table, time)
        if (time.length < 4) expect(read(table, table.enter(id))).toEqual([...time, 0])
        else expect(() => table.enter(id)).toThrow(/nest at most 3/)
        if (time.length > 2) expect(read(table, table.leave(id))).toEqual(time.slice(0, -1))
        else expect(table.leave(id)).toBe(time[0])
        expect(read(table, table.increment(id, by))).toEqual(time.with(-1, (time.at(-1) as number) + by))
        expect(table.increment(id)).toBe(table.increment(id, 1))
        expect(read(table, table.rebase(id))).toEqual(time.with(0, 0))
        expect(read(table, table.enterOuter(time[0]))).toEqual([time[0], 0])
      }),
      { numRuns: 500 },
    )
  })

  test('a join after a release never answers with a freed id', () => {
    const table = new TimeTable()
    const base = table.intern1(0, 5)
    const before = table.intern1(10, 1)
    expect(read(table, table.join(base, before))).toEqual([10, 5])
    table.release(10)
    const reused = table.intern1(11, 1)
    const other = table.intern1(12, 9)
    expect(read(table, table.join(base, reused))).toEqual([11, 5])
    expect(read(table, table.join(base, other))).toEqual([12, 9])
  })

  test('a sliding window of outer times reuses its ids', () => {
    const table = new TimeTable()
    for (let outerTime = 1; outerTime < 2_000; outerTime++) {
      for (let i = 0; i < 20; i++) table.intern2(outerTime, i, i)
      // Out of order now and then, as when a worker is behind.
      if (outerTime > 5) table.intern2(outerTime - 2, 30, 0)
      if (outerTime > 3) table.release(outerTime - 3)
    }
    expect(Math.max(table.intern1(5_000, 0), table.intern1(5_000, 1))).toBeLessThan(150)
  })
})
