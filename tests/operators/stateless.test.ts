import { describe, expect, it } from 'vitest'
import { concat } from '../../operators/concat.ts'
import { literal, when } from '../../operators/expression/functions.ts'
import { proxyRow } from '../../operators/expression/proxy-row.ts'
import { filter } from '../../operators/filter.ts'
import { filterRows } from '../../operators/filter-rows.ts'
import { flatMap } from '../../operators/flat-map.ts'
import { map } from '../../operators/map.ts'
import { negate } from '../../operators/negate.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { select } from '../../operators/select.ts'
import { array, bool, bytes, decimal, float64, int32, int64, json, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import { add, type Multiset, multiset, plain, type Row } from '../oracle/multiset.ts'
import { concatenated, filtered, flatMapped, mapped, negated } from '../oracle/stateless.ts'

const orders = { id: int32, city: text, cents: nullable(int64), at: timestamp, price: float64 }
const everything = {
  a: int32,
  b: nullable(int32),
  c: int64,
  d: nullable(int64),
  e: nullable(float64),
  f: nullable(bool),
  g: nullable(text),
  h: nullable(timestamp),
  i: decimal,
  j: bytes,
  k: json(),
  l: nullable(array(int32)),
}
// biome-ignore lint/suspicious/noExplicitAny: expressions of any columns
const rowOf = (node: PlanNode): any => proxyRow(node.schema, 'test')

describe('select', () => {
  it('picks columns, of every type, without an operator', () => {
    const picks = (input: PlanNode) => {
      const r = rowOf(input)
      return select(input, { x: r.l, c: r.c, again: r.c, e: r.e, a: r.a, b: r.b, k: r.k })
    }
    const engine = new Engine([everything], picks)
    expect(engine.dataflow.operators.map((operator) => operator.name)).toEqual(['input0', 'output0'])
    check([everything], picks, (input) =>
      mapped(input, (r) => ({ x: r['l'], c: r['c'], again: r['c'], e: r['e'], a: r['a'], b: r['b'], k: r['k'] })),
    )
  })

  it('computes, and makes errors of rows without a result', () => {
    const failed = (r: Row) => (r['a'] as number) + 1 > 0x7fffffff
    check(
      [{ a: int32, b: text }],
      (input) => select(input, { next: rowOf(input).a.plus(1), b: rowOf(input).b }),
      (input) =>
        mapped(
          filtered(input, (r) => !failed(r)),
          (r) => ({ next: (r['a'] as number) + 1, b: r['b'] }),
        ),
      {
        errors: (input) =>
          mapped(filtered(input, failed), (r) => ({
            row: `{ a: 2147483647, b: ${JSON.stringify(r['b'])} }`,
            message: '2147483647 plus 1 leaves the range of int32',
          })),
      },
    )
  })

  it('fuses with its neighbours', () => {
    const chain = (input: PlanNode) => {
      const big = filter(input, rowOf(input).id.ge(1))
      const named = select(big, { city: rowOf(big).city.concat('!'), id: rowOf(big).id, rest: rowOf(big).cents })
      const few = filter(named, rowOf(named).city.ne('a!'))
      return select(few, { label: rowOf(few).city.upper(), id: rowOf(few).id })
    }
    const engine = new Engine([orders], chain)
    expect(engine.dataflow.operators).toHaveLength(3)
    check([orders], chain, (input) =>
      mapped(
        filtered(input, (r) => (r['id'] as number) >= 1 && r['city'] !== 'a'),
        (r) => ({ label: `${r['city']}!`.toUpperCase(), id: r['id'] }),
      ),
    )
  })

  it('does not fuse over an error: what fails in the first step fails whatever the second does', () => {
    const failed = (r: Row) => r['id'] === 0
    const chain = (input: PlanNode) => {
      const divided = select(input, { part: literal(10).divide(rowOf(input).id), id: rowOf(input).id })
      return [filter(divided, rowOf(divided).id.gt(0)), filter(divided, rowOf(divided).id.gt(2))]
    }
    const engine = new Engine([{ id: int32 }], chain)
    for (const id of [0, 1, 2, 5]) engine.change(0, { id }, 3)
    engine.commit()
    expect(plain(engine.output(0))).toEqual({ '{"part":10,"id":1}': 3, '{"part":5,"id":2}': 3, '{"part":2,"id":5}': 3 })
    expect(plain(engine.output(1))).toEqual({ '{"part":2,"id":5}': 3 })
    expect([...engine.errors.values()]).toEqual([
      {
        row: { operator: 'select', origin: '', row: '{ id: 0 }', message: 'division by zero: 10 divide 0', source: null, position: null },
        count: 3,
      },
    ])
    engine.change(0, { id: 0 }, -3)
    engine.commit()
    expect(engine.errors.size).toBe(0)
    expect(failed({ id: 0 })).toBe(true)
  })
})

describe('filter', () => {
  it('keeps what is true, not what is null', () => {
    check(
      [orders],
      (input) => filter(input, rowOf(input).cents.gt(1n)),
      (input) => filtered(input, (r) => r['cents'] !== null && (r['cents'] as bigint) > 1n),
    )
    const twice = (input: PlanNode) => {
      const first = filter(input, rowOf(input).cents.gt(1n))
      return filter(first, rowOf(first).id.ge(0))
    }
    const positive = (r: Row) => r['cents'] !== null && (r['cents'] as bigint) > 1n && (r['id'] as number) >= 0
    check([orders], twice, (input) => filtered(input, positive))
    const both = (input: PlanNode) => {
      const first = filter(input, rowOf(input).cents.gt(1n))
      return filter(first, when(rowOf(first).id.gt(2), rowOf(first).cents.lt(4n), rowOf(first).cents.isNotNull()))
    }
    check([orders], both, (input) =>
      filtered(
        input,
        (r) => r['cents'] !== null && (r['cents'] as bigint) > 1n && ((r['id'] as number) <= 2 || (r['cents'] as bigint) < 4n),
      ),
    )
  })
})

describe('user functions', () => {
  const odd = (r: Row) => (r['id'] as number) % 2 !== 0

  it.each([true, false])('map, filter and flatMap (development mode: %s)', (checkDeterminism) => {
    const label = (r: Row) => ({ id: r['id'] as number, label: `${r['city']} ${r['cents']}` })
    check(
      [orders],
      (input) => map(input, { id: int32, label: text }, label),
      (input) => mapped(input, label),
      { checkDeterminism },
    )
    check(
      [orders],
      (input) => filterRows(input, odd),
      (input) => filtered(input, odd),
      { checkDeterminism },
    )
    const letters = (r: Row) => Array.from(r['city'] as string, (letter) => ({ letter }))
    check(
      [orders],
      (input) => flatMap(input, { letter: text }, letters),
      (input) => flatMapped(input, letters),
      { checkDeterminism },
    )
    check(
      [everything],
      (input) => map(input, everything, (r) => ({ ...r }) as never),
      (input) => input,
      { checkDeterminism },
    )
  })

  it.each([true, false])(
    'what they throw, and rows that do not fit, are errors of their rows (development mode: %s)',
    (checkDeterminism) => {
      const fn = function* (r: Row) {
        yield { n: 7 }
        if (r['id'] === 1) throw new RangeError('one is too small')
        yield { n: r['id'] === 2 ? 0.5 : (r['id'] as number) }
      }
      const good = (r: Row) => r['id'] !== 1 && r['id'] !== 2
      check(
        [{ id: int32 }],
        (input) => flatMap(input, { n: int32 }, fn),
        (input) => flatMapped(filtered(input, good), fn),
        {
          checkDeterminism,
          errors: (input) => {
            const out: Multiset = new Map()
            for (const { row, count } of input.values()) {
              if (row['id'] === 1) add(out, { row: '{ id: 1 }', message: 'RangeError: one is too small' }, count)
              if (row['id'] === 2) {
                add(
                  out,
                  { row: '{ id: 2 }', message: 'the function gave a row that does not fit: column "n": expected int32, got 0.5' },
                  count,
                )
              }
            }
            return out
          },
        },
      )
    },
  )

  it('a function that depends on more than its row is found in development mode', () => {
    let calls = 0
    const engine = new Engine([{ id: int32 }], (input) => map(input, { n: int32 }, () => ({ n: calls++ }), 'job.ts:7'))
    engine.change(0, { id: 1 }, 1)
    engine.commit()
    expect(engine.output().size).toBe(0)
    const [error] = [...engine.errors.values()]
    expect(error?.row).toMatchObject({ operator: 'map', origin: 'job.ts:7', row: '{ id: 1 }' })
    expect(error?.row['message']).toMatch(/two different results/)
  })
})

describe('concat and negate', () => {
  it('add and negate multiplicities, whatever the layout of the inputs', () => {
    const plan = (a: PlanNode, b: PlanNode) => concat([a, negate(select(b, { id: rowOf(b).n, city: rowOf(b).name })), a])
    check(
      [
        { id: int32, city: text },
        { name: text, n: int32 },
      ],
      plan,
      (a, b) => concatenated(a, negated(mapped(b, (r) => ({ id: r['n'], city: r['name'] }))), a),
      { diffs: [1, -1, 3] },
    )
  })

  it('refuse collections of different columns', () => {
    expect(() => new Engine([{ a: int32 }, { b: int32 }], (a, b) => concat([a, b]))).toThrow(/different columns/)
  })

  it('a multiplicity that has no negation is an error', () => {
    const engine = new Engine([{ a: int32 }], (a) => negate(a))
    engine.change(0, { a: 1 }, -0x80000000)
    expect(() => engine.commit()).toThrow(/negation/)
  })

  it('definitions agree with themselves', () => expect(plain(concatenated(multiset(), negated(multiset())))).toEqual({}))
})
