import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Antichain } from '../../runtime/time/antichain.ts'
import { ChangeBatch } from '../../runtime/time/change-batch.ts'
import { MutableAntichain } from '../../runtime/time/mutable-antichain.ts'
import { TimeTable } from '../../runtime/time/time-table.ts'
import { minimal, type Time } from './region-graphs.ts'

const table = new TimeTable()
const toId = (time: Time): number => table.intern(time[0], time.slice(1))
const toTime = (id: number): Time => [table.outer(id), ...Array.from({ length: table.depth(id) }, (_, i) => table.coordinate(id, i + 1))]
const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => table.compare(a, b))
const minimalIds = (ids: readonly number[]): number[] => minimal(ids.map(toTime)).map(toId)

/** A 3 by 3 grid of times of depth 1 (outer, i). */
const grid = [0, 1, 2].flatMap((outer) => [0, 1, 2].map((i) => toId([outer, i])))

describe('Antichain', () => {
  test('every set of times of a 3 by 3 grid, inserted in three orders', () => {
    for (let set = 0; set < 1 << 9; set++) {
      const ids = grid.filter((_, i) => set & (1 << i))
      const expected = minimalIds(ids)
      const forward = new Antichain(table, ids)
      const backward = new Antichain(table, [...ids].reverse())
      const shuffled = new Antichain(table, [...ids.filter((_, i) => i % 2 === 1), ...ids.filter((_, i) => i % 2 === 0), ...ids])
      for (const antichain of [forward, backward, shuffled]) {
        expect(sorted(antichain.elements)).toEqual(expected)
        expect(antichain.equals(forward)).toBe(true)
      }
      expect(forward.isEmpty).toBe(ids.length === 0)
      for (const id of grid) {
        expect(forward.lessEqual(id)).toBe(ids.some((each) => table.lessEqual(each, id)))
        expect(forward.lessThan(id)).toBe(expected.some((each) => each !== id && table.lessEqual(each, id)))
        expect(forward.has(id)).toBe(expected.includes(id))
      }
      if (ids.length > 0) expect(forward.meet()).toBe(ids.reduce((a, b) => table.meet(a, b)))
      forward.clear()
      expect(forward.isEmpty).toBe(true)
    }
  })

  test('insert says whether it added; equals and dominates on all pairs of small antichains', () => {
    const small = grid.filter((id) => table.outer(id) < 2)
    const sets = Array.from({ length: 1 << small.length }, (_, set) => small.filter((_id, i) => set & (1 << i)))
    for (const a of sets)
      for (const b of sets) {
        const x = new Antichain(table, a)
        const y = new Antichain(table, b)
        expect(x.equals(y)).toBe(minimalIds(a).join() === minimalIds(b).join())
        expect(x.dominates(y)).toBe(b.every((id) => a.some((each) => table.lessEqual(each, id))))
        for (const id of b)
          expect(x.insert(id)).toBe(
            !a.some((each) => table.lessEqual(each, id)) && !b.slice(0, b.indexOf(id)).some((each) => table.lessEqual(each, id)),
          )
      }
  })
})

describe('ChangeBatch', () => {
  test('sums by time, whenever one looks', () => {
    const time = fc.oneof(fc.nat(6), fc.nat(2000), fc.constant(2 ** 52 + 1), fc.constant(2 ** 52))
    const change = fc.tuple(time, fc.integer({ min: -2, max: 2 }), fc.integer({ min: 0, max: 9 }))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300, size: 'max' }), (changes) => {
        const batch = new ChangeBatch()
        const model = new Map<number, number>()
        const check = (): void => {
          const expected = [...model].filter(([, delta]) => delta !== 0).sort(([a], [b]) => a - b)
          expect(batch.size).toBe(expected.length)
          expect(batch.isEmpty).toBe(expected.length === 0)
          expect(expected.map((_, i) => [batch.timeAt(i), batch.deltaAt(i)])).toEqual(expected)
        }
        for (const [at, delta, look] of changes) {
          batch.update(at, delta)
          model.set(at, (model.get(at) ?? 0) + delta)
          if (look === 0) check()
        }
        check()
        batch.clear()
        expect(batch.isEmpty).toBe(true)
        batch.update(3, 1)
        expect([batch.size, batch.timeAt(0), batch.deltaAt(0)]).toEqual([1, 3, 1])
      }),
      { numRuns: 100 },
    )
  })

  test('every sequence of three changes at two times', () => {
    const changes = [1, 2].flatMap((time) => [-1, 0, 1].map((delta) => [time, delta] as const))
    for (const a of changes)
      for (const b of changes)
        for (const c of changes) {
          const batch = new ChangeBatch()
          for (const [time, delta] of [a, b, c]) batch.update(time, delta)
          const expected = [1, 2]
            .map((time) => [time, [a, b, c].reduce((sum, [t, d]) => (t === time ? sum + d : sum), 0)])
            .filter(([, sum]) => sum !== 0)
          expect(Array.from({ length: batch.size }, (_, i) => [batch.timeAt(i), batch.deltaAt(i)])).toEqual(expected)
        }
  })
})

describe('MutableAntichain', () => {
  const check = (changes: readonly (readonly [number, number])[], everyStep: boolean): void => {
    const counts = new MutableAntichain(table)
    const model = new Map<number, number>()
    let frontier: number[] = []
    changes.forEach(([id, delta], step) => {
      const moved = counts.update(id, delta)
      model.set(id, (model.get(id) ?? 0) + delta)
      const expected = minimalIds([...model].filter(([, count]) => count > 0).map(([each]) => each))
      if (!moved && frontier.join() !== expected.join()) expect.fail('the frontier moved and update said it did not')
      if (everyStep || step === changes.length - 1) {
        const nonZero = [...model].filter(([, count]) => count !== 0)
        if (sorted(counts.frontier.elements).join() !== expected.join())
          expect.fail(`frontier ${counts.frontier.elements}, not ${expected}`)
        if (nonZero.some(([each, count]) => counts.count(each) !== count) || counts.size !== nonZero.length) expect.fail('counts differ')
      }
      frontier = expected
    })
  }

  test('every sequence of four changes at three times, two of them comparable', () => {
    const ids = [toId([1, 1]), toId([1, 2]), toId([2, 0])]
    const changes = ids.flatMap((id) => [-1, 1].map((delta) => [id, delta] as const))
    const extend = (prefix: (readonly [number, number])[]): void => {
      if (prefix.length === 4) check(prefix, true)
      else for (const change of changes) extend([...prefix, change])
    }
    extend([])
  })

  test('many times, counts below zero, looking seldom', () => {
    const id = fc.tuple(fc.nat(7), fc.nat(7)).map(toId)
    const change = fc.tuple(id, fc.constantFrom(-2, -1, 1, 1, 2))
    fc.assert(fc.property(fc.array(change, { maxLength: 150, size: 'max' }), fc.boolean(), check), { numRuns: 150 })
  })
})
