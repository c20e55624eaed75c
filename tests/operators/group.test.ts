import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { proxyRow } from '../../operators/expression/proxy-row.ts'
import type { GroupOperator } from '../../operators/group-operator.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reduce } from '../../operators/reduce.ts'
import { topK } from '../../operators/top-k.ts'
import { type ColumnType, decimal, float64, int32, int64, json, nullable, text } from '../../runtime/data/column-type.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { compareDecoded } from '../../runtime/data/value-order.ts'
import { type Checked, check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import { reduced, topRows } from '../oracle/group.ts'
import { type Change, type Multiset, plain, type Row } from '../oracle/multiset.ts'

const columns = { k: nullable(int32), city: text, a: int32, b: nullable(int64), c: float64, d: nullable(decimal), j: nullable(json()) }
// biome-ignore lint/suspicious/noExplicitAny: expressions of any columns
const rowOf = (node: PlanNode): any => proxyRow(node.schema, 'test')
const few = { spread: 2, changes: 12 }

describe('reduce', () => {
  const fn = (rows: readonly Change[]) => {
    const total = rows.reduce((sum, { row, diff }) => sum + (row['a'] as number) * diff, 0)
    if (total === 3) throw new Error('three')
    return [
      { total, rows: rows.length },
      { total: 0, rows: 0 },
      { total: 0, rows: 0 },
    ]
  }
  const out = { total: float64, rows: int32 }

  it.each([['k'], ['city', 'k'], []])('by %s %s', (...keys: string[]) => {
    const both = (input: Multiset) =>
      reduced(input, keys, (rows) => {
        try {
          return fn(rows)
        } catch {
          throw new Error('Error: three')
        }
      })
    check(
      [columns],
      (input) => reduce(input, keys, out, fn),
      (input) => both(input).rows,
      {
        ...few,
        errors: (input) => both(input).errors,
      },
    )
  })

  it('a function that sees the order of the rows is found in development mode', () => {
    const engine = new Engine([{ k: int32, a: int32 }], (input) =>
      reduce(input, ['k'], { first: int32 }, ([one]) => [{ first: one?.row['a'] }]),
    )
    engine.change(0, { k: 1, a: 1 }, 1)
    engine.commit()
    expect(engine.output().size).toBe(1)
    engine.change(0, { k: 1, a: 2 }, 1)
    engine.commit()
    expect(engine.output().size).toBe(0)
    expect([...engine.errors.values()][0]?.row['message']).toMatch(/two different results/)
    engine.change(0, { k: 1, a: 2 }, -1)
    engine.commit()
    expect(engine.output().size).toBe(1)
    expect(engine.errors.size).toBe(0)
  })
})

const exact = (types: Columns) => (a: Row, b: Row) => {
  for (const [name, type] of Object.entries(types)) {
    const order = compareDecoded(type, a[name], b[name], true)
    if (order !== 0) return order
  }
  return 0
}

interface Order {
  readonly name: string
  readonly descending: boolean
  readonly nullsFirst: boolean
}

const byOrders = (types: Columns, orders: readonly Order[]) => (a: Row, b: Row) => {
  for (const { name, descending, nullsFirst } of orders) {
    const [x, y] = [a[name], b[name]]
    if (x === null || y === null) {
      if (x === y) continue
      return (x === null) === nullsFirst ? -1 : 1
    }
    const order = compareDecoded({ ...(types[name] as ColumnType), nullable: false }, x, y, false)
    if (order !== 0) return descending ? -order : order
  }
  return 0
}

function checkTop(
  types: Columns,
  keys: readonly string[],
  k: number,
  orders: readonly Order[],
  options: { offset?: number; ties?: boolean } = {},
  checked: Checked = {},
): void {
  check(
    [types],
    (input) => {
      const r = rowOf(input)
      const made = orders.map(({ name, descending, nullsFirst }) => {
        const order = descending ? r[name].desc() : r[name].asc()
        return nullsFirst ? order.nullsFirst() : order.nullsLast()
      })
      return topK(input, keys, k, made, options)
    },
    (input) => topRows(input, keys, k, byOrders(types, orders), exact(types), options),
    { ...few, ...checked },
  )
}

describe('topK', () => {
  it('shows the first rows of each group, by any columns, offsets and ties', () => {
    const order = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'city', 'k'), descending: fc.boolean(), nullsFirst: fc.boolean() })
    fc.assert(
      fc.property(
        fc.constantFrom(['k'], ['city', 'c'], []),
        fc.integer({ min: 1, max: 4 }),
        fc.array(order, { maxLength: 3 }),
        fc.record({ offset: fc.integer({ min: 0, max: 2 }), ties: fc.boolean() }),
        (keys, k, orders, options) => checkTop(columns, keys, k, orders, options, { runs: 6 }),
      ),
      { numRuns: 60 },
    )
  })

  it.each([true, false])('of one int32 beside the key (descending: %s)', (descending) => {
    const orders = [{ name: 'v', descending, nullsFirst: false }]
    const names = (types: Columns, keys: string[]) =>
      new Engine([types], (input) => topK(input, keys, 3, [rowOf(input).v.desc()])).dataflow.operators.map((one) => one.constructor.name)
    expect(names({ k: int32, v: int32 }, ['k'])).toContain('TopWordsOperator')
    checkTop({ k: int32, v: int32 }, ['k'], 3, orders, {}, { runs: 300 })
    checkTop({ v: int32, k: nullable(text) }, ['k'], 2, orders)
    checkTop({ v: int32, k: int64, l: text }, ['l', 'k'], 1, orders)
    checkTop({ v: int32 }, [], 2, orders, {}, { runs: 300 })
    checkTop({ k: int32, v: int32 }, ['k'], 3, orders, {}, { proper: true, changes: 40, spread: 9 })
  })

  it('orders by an expression', () => {
    const types = { k: int32, a: int32, b: int32 }
    check(
      [types],
      (input) => topK(input, ['k'], 2, [rowOf(input).a.modulo(3).asc(), rowOf(input).b.desc()]),
      (input) =>
        topRows(
          input,
          ['k'],
          2,
          (x, y) => ((x['a'] as number) % 3) - ((y['a'] as number) % 3) || (y['b'] as number) - (x['b'] as number),
          exact(types),
        ),
      few,
    )
  })

  it('counts rows, not values, and leaves a group alone that changes only behind its last row', () => {
    const engine = new Engine([{ k: int32, name: text, v: int32 }], (input) => topK(input, ['k'], 2, [rowOf(input).v.desc()]))
    const operator = engine.dataflow.operators.find((one) => one.name === 'topK') as GroupOperator
    for (let v = 0; v < 50; v++) engine.change(0, { k: 1, name: 'a', v }, 2)
    engine.commit()
    expect(plain(engine.output())).toEqual({ '{"k":1,"name":"a","v":49}': 2 })
    const before = operator.computed
    for (let v = 0; v < 48; v++) {
      engine.change(0, { k: 1, name: 'b', v }, 1)
      engine.change(0, { k: 1, name: 'a', v }, -2)
      engine.commit()
      expect(engine.last[0]).toEqual([])
    }
    expect(operator.computed).toBe(before)
    engine.change(0, { k: 1, name: 'a', v: 49 }, -1)
    engine.commit()
    expect(plain(engine.output())).toEqual({ '{"k":1,"name":"a","v":48}': 1, '{"k":1,"name":"a","v":49}': 1 })
  })

  it('refuses a k that is none', () => {
    for (const k of [0, -1, 1.5]) expect(() => new Engine([{ v: int32 }], (input) => topK(input, [], k, []))).toThrow(/whole numbers/)
  })
})
