import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { proxyRow } from '../../operators/expression/proxy-row.ts'
import { PendingRows } from '../../operators/pending-rows.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { validBetween, validFor } from '../../operators/valid-between.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import { int32, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { Engine } from '../oracle/engine.ts'
import { add, type Multiset, plain } from '../oracle/multiset.ts'
import { validAt } from '../oracle/temporal.ts'

// biome-ignore lint/suspicious/noExplicitAny: expressions of any columns
const rowOf = (node: PlanNode): any => proxyRow(node.schema, 'test')
const columns = { id: int32, name: text, from: nullable(timestamp), until: nullable(timestamp) }

const bound = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: -3n, max: 40n }) },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom(2n ** 40n, 2n ** 60n, -(2n ** 60n), 2n ** 53n) },
)
const change = fc.record({
  row: fc.record({ id: fc.nat({ max: 2 }), name: fc.constantFrom('a', 'b'), from: bound, until: bound }),
  diff: fc.constantFrom(1, 1, -1, 2),
})
const steps = fc.array(
  fc.record({
    by: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 5 }) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 41 }) }),
    changes: fc.array(change, { maxLength: 6 }),
  }),
  {
    maxLength: 20,
  },
)

describe('validBetween', () => {
  it.each([
    ['from', 'until'],
    ['from', null],
    [null, 'until'],
  ])('shows rows from %s until %s, at every time', (from, until) => {
    fc.assert(
      fc.property(steps, (all) => {
        const engine = new Engine([columns], (input) =>
          validBetween(input, from === null ? null : rowOf(input)[from], until === null ? null : rowOf(input)[until]),
        )
        const input: Multiset = new Map()
        let time = 0
        for (const { by, changes } of all) {
          time += by
          for (const { row, diff } of changes) {
            engine.change(0, row, diff)
            add(input, row, diff)
          }
          engine.commit(time)
          expect(plain(engine.output())).toEqual(plain(validAt(input, time, from, until)))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('needs no input for an expiry, and forgets what a correction cancels', () => {
    const engine = new Engine([columns], (input) => validFor(input, rowOf(input).from, 30n))
    const pendingOf = () =>
      (engine.dataflow.operators.find((one) => one.name === 'validBetween') as unknown as { pending: PendingRows }).pending
    const row = { id: 1, name: 'a', from: 10n, until: null }
    engine.change(0, row, 1)
    engine.change(0, { ...row, id: 2, from: 5n }, 1)
    engine.commit(10)
    expect(engine.output().size).toBe(2)
    engine.commit(34)
    expect(engine.output().size).toBe(2)
    engine.commit(36)
    expect(engine.output().size).toBe(1)
    engine.change(0, row, -1)
    engine.commit(38)
    expect(engine.output().size).toBe(0)
    expect(pendingOf().size).toBe(0)
    engine.commit(100)
    expect(engine.output().size).toBe(0)
    expect(engine.times).toEqual([10, 36, 38])
  })

  it('a bound that overflows is an error of its row, one that is no timestamp is refused', () => {
    const engine = new Engine([columns], (input) => validFor(input, rowOf(input).from, 30n))
    engine.change(0, { id: 1, name: 'a', from: 2n ** 63n - 5n, until: null }, 1)
    engine.commit()
    expect([...engine.errors.values()][0]?.row['message']).toMatch(/leaves the range of timestamp/)
    expect(() => new Engine([columns], (input) => validBetween(input, rowOf(input).id, null))).toThrow(/timestamp, not int32/)
  })

  it('takes out in slices what is due at once', () => {
    const engine = new Engine([columns], (input) => validBetween(input, null, rowOf(input).until))
    const rows = Array.from({ length: 50_000 }, (_, id) => ({ id, name: 'a', from: null, until: 100n }))
    engine.changeAll(0, rows, 1)
    engine.commit(1)
    expect(engine.output().size).toBe(50_000)
    const before = engine.dataflow.activations
    engine.commit(200)
    expect(engine.output().size).toBe(0)
    expect(engine.dataflow.activations - before).toBeGreaterThan(3)
  })
})

describe('pending rows', () => {
  it('come out in the order of their times, however far apart, and leave nothing behind', () => {
    const pending = new PendingRows([1], 0)
    const out = new BatchPool([1]).take(0, 16)
    const due = [3, 2 ** 52, 7, 2 ** 33 + 1, 2 ** 33, 8, 2 ** 31, 2 ** 32]
    for (const [i, time] of due.entries()) pending.add([Int32Array.of(i)], 0, 1, time)
    pending.flush()
    const order: number[] = []
    for (const time of [2, 3, 7, 100, 2 ** 31, 2 ** 32, 2 ** 33, 2 ** 52]) {
      out.n = 0
      expect(pending.notBefore).toBeLessThanOrEqual(Math.min(...due.filter((_, i) => !order.includes(i))))
      expect(pending.take(time, out, 100)).toBe(true)
      expect(pending.notBefore).toBeGreaterThan(time)
      order.push(...out.columns[0].subarray(0, out.n))
    }
    expect(order).toEqual([0, 2, 5, 6, 7, 4, 3, 1])
    expect(pending.size).toBe(0)
  })

  it('memory follows what waits, not what was cancelled', () => {
    const pending = new PendingRows([1], 0)
    for (let i = 0; i < 200_000; i++) {
      pending.add([Int32Array.of(i)], 0, 1, 1000 + i)
      pending.flush()
      pending.add([Int32Array.of(i)], 0, -1, 1000 + i)
      pending.flush()
    }
    expect(pending.size).toBe(0)
    expect(pending.bytes).toBeLessThan(1 << 18)
  })
})
