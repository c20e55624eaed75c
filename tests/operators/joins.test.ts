import { describe, expect, it } from 'vitest'
import { antijoin, join, leftJoin, nullableSchema, outerJoin, rightJoin, semijoin } from '../../operators/equi-join.ts'
import { proxyRow } from '../../operators/expression/proxy-row.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { bool, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { forceGeneration } from '../../runtime/data/kernel.ts'
import { check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import { antijoined, joined, outerJoined, type Pairs, semijoined } from '../oracle/join.ts'
import type { Row } from '../oracle/multiset.ts'

// biome-ignore lint/suspicious/noExplicitAny: expressions of any columns
const rowOf = (node: PlanNode, side = 0): any => proxyRow(node.schema, 'test', side)
// biome-ignore lint/suspicious/noExplicitAny: expressions of any columns
const missing = (node: PlanNode, side: number): any => proxyRow(nullableSchema(node.schema), 'test', side)
const few = { spread: 2, changes: 10 }
const a = { k: nullable(int32), x: int32, s: text }
const b = { n: nullable(int32), y: nullable(int64), f: float64, t: timestamp }
const on: Pairs = [['k', 'n']]

describe('join', () => {
  it('pairs rows with equal keys; null equals nothing', () => {
    const all = (l: Row, r: Row) => ({ ...l, y: r['y'], f: r['f'], t: r['t'] })
    check(
      [a, b],
      (l, r) => join(l, r, on),
      (l, r) => joined(l, r, on, all),
      few,
    )
    check(
      [a, b],
      (l, r) => join(l, r, on, { s: rowOf(l).s, y: rowOf(r, 1).y }),
      (l, r) => joined(l, r, on, (x, y) => ({ s: x['s'], y: y['y'] })),
      few,
    )
    check(
      [a, b],
      (l, r) => join(l, r, on, { z: rowOf(l).x.minus(0).eq(rowOf(r, 1).n), y: rowOf(r, 1).y }),
      (l, r) => joined(l, r, on, (x, y) => ({ z: x['x'] === y['n'], y: y['y'] })),
      few,
    )
  })

  it('with itself', () => {
    check(
      [{ src: int32, dst: int32 }],
      (e) => join(e, e, [['dst', 'src']], { from: rowOf(e).src, to: rowOf(e, 1).dst }),
      (e) => joined(e, e, [['dst', 'src']], (x, y) => ({ from: x['src'], to: y['dst'] })),
      few,
    )
  })

  it('on several keys, of every kind of type', () => {
    const left = { i: int32, c: text, v: int32 }
    const right = { j: int64, d: nullable(text), w: bool }
    const pairs: Pairs = [
      ['i', 'j'],
      ['c', 'd'],
    ]
    check(
      [left, right],
      (l, r) => join(l, r, pairs),
      (l, r) => joined(l, r, pairs, (x, y) => ({ ...x, w: y['w'] })),
      few,
    )
    const floats = { f: float64, v: int32 }
    check(
      [floats, { g: nullable(float64), w: int32 }],
      (l, r) => join(l, r, [['f', 'g']]),
      (l, r) => joined(l, r, [['f', 'g']], (x, y) => ({ ...x, w: y['w'] })),
      few,
    )
    check(
      [{ d: decimal }, { e: decimal, w: int32 }],
      (l, r) => join(l, r, [['d', 'e']]),
      (l, r) =>
        joined(
          new Map([...l].map(([key, { row, count }]) => [key, { row: { ...row, value: Number(row['d']) }, count }])),
          new Map([...r].map(([key, { row, count }]) => [key, { row: { ...row, value: Number(row['e']) }, count }])),
          [['value', 'value']],
          (x, y) => ({ d: x['d'], w: y['w'] }),
        ),
      few,
    )
  })
})

describe('whole numbers as keys', () => {
  const types = { int32, int64, nullableInt32: nullable(int32), nullableInt64: nullable(int64) }
  const names = Object.keys(types) as (keyof typeof types)[]
  const pairs = names.flatMap((mine) => names.map((theirs) => [mine, theirs] as const))

  it.each(pairs)('%s with %s gives the key of either side', (mine, theirs) => {
    const left = { k: types[mine], x: int32 }
    const right = { n: types[theirs], y: text }
    const both = (l: PlanNode, r: PlanNode) => join(l, r, on, { y: rowOf(r, 1).y, n: rowOf(r, 1).n, k: rowOf(l).k, x: rowOf(l).x })
    const definition = (l: Row, r: Row) => ({ y: r['y'], n: r['n'], k: l['k'], x: l['x'] })
    for (const generated of [true, false]) {
      forceGeneration(generated)
      check([left, right], both, (l, r) => joined(l, r, on, definition), { ...few, runs: 12 })
      check(
        [left, right],
        (l, r) => outerJoin(l, r, on),
        (l, r) => {
          const wide = mine.endsWith('64') || theirs.endsWith('64')
          const key = (value: unknown) => (value !== null && wide ? BigInt(value as number) : value)
          const rows = (x: Row | null, y: Row | null) => ({
            k: key(x?.['k'] ?? y?.['n'] ?? null),
            x: x?.['x'] ?? null,
            y: y?.['y'] ?? null,
          })
          return outerJoined(l, r, on, { left: true, right: true }, rows)
        },
        { ...few, runs: 12 },
      )
    }
    forceGeneration(undefined)
  })
})

describe('semijoin and antijoin', () => {
  it('split the left side by whether there is a match', () => {
    check(
      [a, b],
      (l, r) => semijoin(l, r, on),
      (l, r) => semijoined(l, r, on),
      few,
    )
    check(
      [a, b],
      (l, r) => antijoin(l, r, on),
      (l, r) => antijoined(l, r, on),
      few,
    )
    const floats = [
      { f: float64, v: int32 },
      { g: float64, w: int32 },
    ]
    check(
      floats,
      (l, r) => semijoin(l, r, [['f', 'g']]),
      (l, r) => semijoined(l, r, [['f', 'g']]),
      few,
    )
  })

  it('share what they keep of both sides', () => {
    const engine = new Engine([a, b], (l, r) => [join(l, r, on), semijoin(l, r, on), antijoin(l, r, on), leftJoin(l, r, on)])
    const count = (name: string) => engine.dataflow.operators.filter((one) => one.name === name).length
    expect(count('distinct')).toBe(1)
    expect(count('arrange')).toBe(3)
  })
})

describe('outer joins', () => {
  const sides = (l: Row | null, r: Row | null) => ({ x: l?.['x'] ?? null, y: r?.['y'] ?? null, f: r === null ? null : r['f'] })

  it('add rows without a match, with nulls', () => {
    const both = { left: true, right: true }
    const leftOnly = { left: true, right: false }
    const rightOnly = { left: false, right: true }
    check(
      [a, b],
      (l, r) => leftJoin(l, r, on, { x: rowOf(l).x, y: missing(r, 1).y, f: missing(r, 1).f }),
      (l, r) => outerJoined(l, r, on, leftOnly, sides),
      few,
    )
    check(
      [a, b],
      (l, r) => rightJoin(l, r, on, { x: missing(l, 0).x, y: rowOf(r, 1).y, f: rowOf(r, 1).f }),
      (l, r) => outerJoined(l, r, on, rightOnly, sides),
      few,
    )
    check(
      [a, b],
      (l, r) => outerJoin(l, r, on, { x: missing(l, 0).x, y: missing(r, 1).y, f: missing(r, 1).f }),
      (l, r) => outerJoined(l, r, on, both, sides),
      few,
    )
  })

  it('compute with what is missing', () => {
    check(
      [a, b],
      (l, r) => leftJoin(l, r, on, { x: rowOf(l).x, y: missing(r, 1).y.orElse(7n), z: missing(r, 1).f.isNull() }),
      (l, r) => outerJoined(l, r, on, { left: true, right: false }, (x, y) => ({ x: x?.['x'], y: y?.['y'] ?? 7n, z: y === null })),
      few,
    )
  })

  it('without a projection have the key of whichever side is there', () => {
    const rest = (l: Row | null, r: Row | null) => ({ y: r?.['y'] ?? null, f: r === null ? null : r['f'], t: r?.['t'] ?? null, l })
    const using = (l: Row | null, r: Row | null) => {
      const { y, f, t } = rest(l, r)
      return { k: l?.['k'] ?? r?.['n'] ?? null, x: l?.['x'] ?? null, s: l?.['s'] ?? null, y, f, t }
    }
    check(
      [a, b],
      (l, r) => outerJoin(l, r, on),
      (l, r) => outerJoined(l, r, on, { left: true, right: true }, using),
      few,
    )
    check(
      [a, b],
      (l, r) => leftJoin(l, r, on),
      (l, r) => outerJoined(l, r, on, { left: true, right: false }, using),
      few,
    )
    check(
      [a, b],
      (l, r) => rightJoin(l, r, on),
      (l, r) => outerJoined(l, r, on, { left: false, right: true }, using),
      few,
    )
  })

  it('refuse a clash of names and unknown keys', () => {
    const same = [
      { k: int32, v: int32 },
      { k: int32, v: int32 },
    ]
    expect(() => new Engine(same, (l, r) => leftJoin(l, r, [['k', 'k']]))).toThrow(/Both sides/)
    expect(() => new Engine(same, (l, r) => join(l, r, [['kk', 'k']]))).toThrow(/no column "kk"/)
    expect(() => new Engine(same, (l, r) => join(l, r, []))).toThrow(/needs a key/)
  })
})
