import { describe, expect, it } from 'vitest'
import { aggregate } from '../../operators/aggregate.ts'
import { avg, count, countDistinct, max, min, sum, aggregate as userAggregate } from '../../operators/expression/aggregate.ts'
import { proxyRow } from '../../operators/expression/proxy-row.ts'
import { ExtremeAccumulator } from '../../operators/extreme-accumulator.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { bool, type ColumnType, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { compareDecoded } from '../../runtime/data/value-order.ts'
import * as oracle from '../oracle/aggregate.ts'
import { check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import type { Multiset } from '../oracle/multiset.ts'
import { plain } from '../oracle/multiset.ts'

const columns = {
  k: nullable(int32),
  city: text,
  a: int32,
  b: nullable(int64),
  c: nullable(float64),
  d: float64,
  e: nullable(text),
  f: timestamp,
  g: nullable(int32),
  h: int64,
  i: decimal,
  j: bool,
}
// biome-ignore lint/suspicious/noExplicitAny: expressions of any columns
const rowOf = (node: PlanNode): any => proxyRow(node.schema, 'test')
const order = (type: ColumnType) => (a: unknown, b: unknown) => compareDecoded({ ...type, nullable: false }, a, b, true)

/** Checks aggregates of one grouping, with their definitions. */
function checkAll(
  keys: readonly string[],
  specs: (row: ReturnType<typeof rowOf>) => Record<string, { spec: never }>,
  shown: Record<string, oracle.Shown>,
  options: Parameters<typeof check>[3] = {},
): void {
  const plan = (input: PlanNode) => {
    const made = Object.entries(specs(rowOf(input))).map(([name, one]) => [name, one.spec] as const)
    return aggregate(input, keys, Object.fromEntries(made))
  }
  const both = (input: Multiset) => oracle.aggregated(input, keys, shown)
  check([columns], plan, (input) => both(input).rows, { errors: (input) => both(input).errors, spread: 2, changes: 12, ...options })
}

const signs = [
  ['any signs', {}],
  ['proper multisets', { proper: true }],
  ['only insertions', { appendOnly: true, diffs: [1, 2] }],
] as const

describe.each(signs)('aggregates, %s', (_, options) => {
  it('count', () => {
    checkAll(['k'], () => ({ n: count() }) as never, { n: oracle.count }, options)
    checkAll(['city', 'd'], () => ({ n: count() }) as never, { n: oracle.count }, options)
    checkAll([], () => ({ n: count() }) as never, { n: oracle.count }, options)
    checkAll(['a'], (r) => ({ n: count(r.c), m: count(r.a) }) as never, { n: oracle.countOf('c'), m: oracle.count }, options)
  })

  it('sum', () => {
    const specs = (r: ReturnType<typeof rowOf>) =>
      ({ a: sum(r.a), b: sum(r.b), c: sum(r.c), d: sum(r.d), g: sum(r.g), h: sum(r.h) }) as never
    const shown = {
      a: oracle.integerSum('a', 'a', false),
      b: oracle.integerSum('b', 'b', true),
      c: oracle.floatSum('c', true),
      d: oracle.floatSum('d', false),
      g: oracle.integerSum('g', 'g', true),
      h: oracle.integerSum('h', 'h', false),
    }
    checkAll(['city'], specs, shown, options)
    checkAll([], specs, shown, options)
  })

  it('avg', () => {
    checkAll(
      ['j'],
      (r) => ({ a: avg(r.a), b: avg(r.b), c: avg(r.c), h: avg(r.h) }) as never,
      { a: oracle.average('a', false), b: oracle.average('b', false), c: oracle.average('c', true), h: oracle.average('h', false) },
      options,
    )
  })

  it('min and max, of each type', () => {
    checkAll(
      ['k'],
      (r) => ({ a: max(r.a), b: min(r.b), c: max(r.c), d: min(r.d), e: max(r.e), f: min(r.f) }) as never,
      {
        a: oracle.extreme('a', 1, false, order(int32)),
        b: oracle.extreme('b', -1, true, order(int64)),
        c: oracle.extreme('c', 1, true, order(float64)),
        d: oracle.extreme('d', -1, false, order(float64)),
        e: oracle.extreme('e', 1, true, order(text)),
        f: oracle.extreme('f', -1, false, order(timestamp)),
      },
      options,
    )
    checkAll(
      ['city'],
      (r) => ({ g: max(r.g), i: min(r.i), j: max(r.j), a: min(r.a.plus(0)) }) as never,
      {
        g: oracle.extreme('g', 1, true, order(int32)),
        i: oracle.extreme('i', -1, false, order(decimal)),
        j: oracle.extreme('j', 1, false, order(bool)),
        a: oracle.extreme('a', -1, false, order(int32)),
      },
      options,
    )
    checkAll(['city'], (r) => ({ a: min(r.a) }) as never, { a: oracle.extreme('a', -1, false, order(int32)) }, { ...options, runs: 400 })
    checkAll([], (r) => ({ a: max(r.a) }) as never, { a: oracle.extreme('a', 1, false, order(int32)) }, options)
  })

  it('countDistinct and a mix of all', () => {
    checkAll(
      ['k'],
      (r) => ({ n: count(), c: countDistinct(r.c), a: countDistinct(r.a), m: max(r.a), s: sum(r.a) }) as never,
      {
        n: oracle.count,
        c: oracle.countDistinct('c'),
        a: oracle.countDistinct('a'),
        m: oracle.extreme('a', 1, false, order(int32)),
        s: oracle.integerSum('a', 's', false),
      },
      options,
    )
  })

  it("a user's aggregate", () => {
    const longest = (r: ReturnType<typeof rowOf>) =>
      userAggregate({
        inputs: [r.e, r.a],
        type: nullable(text),
        compute: (rows) => {
          const texts = rows.map(({ values: [e, a], multiplicity }) => `${e ?? '-'} ${a} ${multiplicity}`).sort()
          if (texts.length > 3) throw new Error('too many')
          return texts.join()
        },
      })
    const shown: oracle.Shown = (rows) => {
      const tuples = new Map<string, number>()
      for (const { row, count } of rows)
        tuples.set(`${row['e'] ?? '-'} ${row['a']}`, (tuples.get(`${row['e'] ?? '-'} ${row['a']}`) ?? 0) + count)
      const texts = [...tuples]
        .filter(([, m]) => m !== 0)
        .map(([text, m]) => `${text} ${m}`)
        .sort()
      if (texts.length > 3) throw new Error('Error: too many')
      return texts.join()
    }
    checkAll(['j'], (r) => ({ u: longest(r), n: count() }) as never, { u: shown, n: oracle.count }, options)
  })
})

describe('aggregate', () => {
  it('a sum outside int64 is an error of the group until it fits again; other groups stay', () => {
    const engine = new Engine([columns], (input) => aggregate(input, ['city'], { total: sum(rowOf(input).h).spec as never }, 'job.ts:3'))
    const row = { k: 1, city: 'a', a: 1, b: null, c: null, d: 0, e: null, f: 0n, g: null, h: 2n ** 63n - 1n, i: '1', j: true }
    engine.change(0, row, 1)
    engine.change(0, { ...row, city: 'b', h: 5n }, 1)
    engine.commit()
    expect(plain(engine.output())).toEqual({ '{"city":"a","total":"9223372036854775807n"}': 1, '{"city":"b","total":"5n"}': 1 })
    engine.change(0, { ...row, a: 2 }, 3)
    engine.commit()
    expect(plain(engine.output())).toEqual({ '{"city":"b","total":"5n"}': 1 })
    expect([...engine.errors.values()]).toEqual([
      {
        row: {
          operator: 'aggregate',
          origin: 'job.ts:3',
          row: '{ city: "a" }',
          message: 'the sum "total" leaves the range of int64',
          source: null,
          position: null,
        },
        count: 1,
      },
    ])
    engine.change(0, { ...row, a: 2 }, -3)
    engine.commit()
    expect(plain(engine.output())).toEqual({ '{"city":"a","total":"9223372036854775807n"}': 1, '{"city":"b","total":"5n"}': 1 })
    expect(engine.errors.size).toBe(0)
  })

  it('emits a group again only when its row is different', () => {
    const engine = new Engine([{ k: int32, a: int32 }], (input) => aggregate(input, ['k'], { most: max(rowOf(input).a).spec as never }))
    engine.change(0, { k: 1, a: 5 }, 1)
    engine.commit()
    engine.change(0, { k: 1, a: 4 }, 1)
    engine.change(0, { k: 1, a: 5 }, 1)
    engine.commit()
    expect(engine.last[0]).toEqual([])
  })

  it('max reads a group again only when its greatest was removed', () => {
    const engine = new Engine([{ k: int32, a: int32 }], (input) => aggregate(input, ['k'], { most: max(rowOf(input).a).spec as never }))
    const operator = engine.dataflow.operators.find((one) => one.name === 'aggregate') as unknown as { accumulators: ExtremeAccumulator[] }
    const [greatest] = operator.accumulators as [ExtremeAccumulator]
    expect(greatest).toBeInstanceOf(ExtremeAccumulator)
    for (let a = 0; a < 100; a++) engine.change(0, { k: 1, a }, 1)
    engine.commit()
    for (let a = 0; a < 99; a++) {
      engine.change(0, { k: 1, a }, -1)
      engine.commit()
    }
    expect(greatest.rescans).toBe(0)
    engine.change(0, { k: 1, a: 99 }, -1)
    engine.change(0, { k: 1, a: 7 }, 1)
    engine.commit()
    expect(greatest.rescans).toBe(1)
    expect(plain(engine.output())).toEqual({ '{"k":1,"most":7}': 1 })
  })

  it('append-only collections keep no arrangement for max', () => {
    const plan = (input: PlanNode) => aggregate(input, ['k'], { most: max(rowOf(input).a).spec as never })
    const names = (appendOnly: boolean) =>
      new Engine([{ k: int32, a: int32 }], plan, { appendOnly }).dataflow.operators.map((one) => one.name)
    expect(names(false)).toContain('arrange')
    expect(names(true)).not.toContain('arrange')
  })

  it('an emptied group disappears, and a column name clash is refused', () => {
    const engine = new Engine([{ k: int32 }], (input) => aggregate(input, ['k'], { n: count().spec as never }))
    engine.change(0, { k: 1 }, 1)
    engine.commit()
    engine.change(0, { k: 1 }, -1)
    engine.commit()
    expect(engine.output().size).toBe(0)
    expect(() => new Engine([{ k: int32 }], (input) => aggregate(input, ['k'], { k: count().spec as never }))).toThrow(/both sides/)
    expect(() => new Engine([{ k: int32 }], (input) => aggregate(input, ['kk'], { n: count().spec as never }))).toThrow(/no column "kk"/)
  })
})
