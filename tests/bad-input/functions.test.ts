/** What goes wrong on a row is an error of that row, with operator, line and row, and goes away with it; everything else goes on. */
import { describe, expect, test } from 'vitest'
import { type Collection, count, days, embed, float64, int32, int64, job, max, min, sum, table, timestamp } from '../../millrace.ts'
import { refused } from './refused.ts'

const MOST = 2n ** 63n - 1n
const columns = { k: int32, v: int64 }
type Rows = Collection<typeof columns>

describe('errors of rows', () => {
  const throwing = (row: { k: number }): never => {
    throw new RangeError(`not ${row.k}`)
  }
  const wrong: [string, (t: Rows) => Collection<never>, string, string][] = [
    ['map', (t) => t.map({ k: int32 }, (r) => (r.k === 0 ? throwing(r) : { k: r.k })) as never, 'map', 'RangeError: not 0'],
    [
      'map to another type',
      (t) => t.map({ k: int32 }, (r) => (r.k === 0 ? { k: 'x' } : r) as never) as never,
      'map',
      'the function gave a row that does not fit: column "k": expected int32, got "x"',
    ],
    [
      'map to nothing',
      (t) => t.map({ k: int32 }, (r) => (r.k === 0 ? undefined : r) as never) as never,
      'map',
      'the function gave a row that does not fit: expected an object, got undefined',
    ],
    [
      'map to a promise',
      (t) => t.map({ k: int32 }, (r) => (r.k === 0 ? Promise.resolve(r) : r) as never) as never,
      'map',
      'the function gave a promise: it must give its result at once',
    ],
    [
      'map without an end',
      (t) =>
        t.map({ k: int32 }, (r) => {
          const f = (): number => 1 + f()
          return { k: r.k === 0 ? f() : 1 }
        }) as never,
      'map',
      'RangeError: Maximum call stack size exceeded',
    ],
    ['filterRows', (t) => t.filterRows((r) => r.k > 0 || throwing(r)) as never, 'filter', 'RangeError: not 0'],
    [
      'filterRows to no answer',
      (t) => t.filterRows((r) => (r.k === 0 ? 'yes' : true) as never) as never,
      'filter',
      'the function returned "yes", not true or false',
    ],
    [
      'flatMap',
      (t) =>
        t.flatMap({ k: int32 }, function* (r) {
          yield { k: 1 }
          if (r.k === 0) throwing(r)
        }) as never,
      'flatMap',
      'RangeError: not 0',
    ],
    [
      'flatMap to no rows',
      (t) => t.flatMap({ k: int32 }, (r) => (r.k === 0 ? 5 : []) as never) as never,
      'flatMap',
      'the function returned 5, not rows',
    ],
    [
      'reduce',
      (t) => t.groupBy('k').reduce({ n: int32 }, (_, key) => (key.k === 0 ? throwing(key) : [{ n: 1 }])) as never,
      'reduce',
      'RangeError: not 0',
    ],
    [
      'threshold',
      (t) =>
        t
          .select((r) => ({ k: r.k }))
          .filter((r) => r.k.eq(0))
          .threshold((n) => {
            throw new RangeError(`not ${n - 1}`)
          }) as never,
      'threshold',
      'RangeError: not 0',
    ],
    ['inspect', (t) => t.inspect(({ row }) => void (row.k === 0 && throwing(row))) as never, 'inspect', 'RangeError: not 0'],
    ['division by zero', (t) => t.select((r) => ({ q: r.k.divide(r.k) })) as never, 'select', 'division by zero: 0 divide 0'],
    [
      'remainder by zero',
      (t) => t.select((r) => ({ q: r.v.modulo(r.k.toInt64()) })) as never,
      'select',
      'division by zero: 9223372036854775807 modulo 0',
    ],
    [
      'overflow',
      (t) => t.filter((r) => r.k.eq(0)).select((r) => ({ q: r.v.plus(1n) })) as never,
      'select',
      '9223372036854775807 plus 1 leaves the range of int64',
    ],
    ['a condition', (t) => t.filter((r) => r.k.divide(r.k).eq(1)) as never, 'filter', 'division by zero: 0 divide 0'],
    ['an order', (t) => t.topK(5, (r) => r.k.divide(r.k).desc()) as never, 'select', 'division by zero: 0 divide 0'],
    ['a join', (t) => t.join(t, 'k', (a, b) => ({ q: a.k.divide(b.k) })) as never, 'select', 'division by zero: 0 divide 0'],
    [
      'a sum',
      (t) =>
        t
          .concat(t)
          .groupBy('k')
          .aggregate((r) => ({ s: sum(r.v) })) as never,
      'aggregate',
      'the sum "s" leaves the range of int64',
    ],
  ]
  test.each(wrong)('%s', (_, define, operator, message) => {
    const j = job('j', { t: table(columns) }, ({ t }) => ({ x: define(t), t }))
    for (const development of [false, true]) {
      using app = embed(j, { development })
      const { x, t } = app.outputs
      app.inputs.t.insertMany([
        { k: 0, v: MOST },
        { k: 1, v: 1n },
      ])
      app.commit()
      const [error, ...more] = x.errors.rows()
      expect(more).toEqual([])
      expect(error).toMatchObject({ operator, message, source: null, position: null })
      expect(error.origin).toMatch(/^functions\.test\.ts:\d+$/)
      expect(error.row).toMatch(/k: 0/)
      expect(t.errors.rows()).toEqual([])
      const others = x.rows().length
      app.inputs.t.insert({ k: 2, v: 2n })
      app.inputs.t.remove({ k: 0, v: MOST })
      app.commit()
      expect(x.errors.rows()).toEqual([])
      if (operator !== 'threshold' && message !== '9223372036854775807 plus 1 leaves the range of int64')
        expect(x.rows().length).toBeGreaterThan(others - 1)
      expect(t.rows()).toHaveLength(2)
    }
  })

  test('everything can be thrown', () => {
    const thrown = [undefined, null, 's', {}, Symbol('x'), new Error('\ud800'), new Error('')]
    const j = job('j', { t: table({ k: int32 }) }, ({ t }) => ({
      x: t.map({ k: int32 }, ({ k }) => {
        throw thrown[k]
      }),
    }))
    using app = embed(j)
    app.inputs.t.insertMany(thrown.map((_, k) => ({ k })))
    app.commit()
    const messages = app.outputs.x.errors.rows().map((row) => row.message)
    expect(messages.sort()).toEqual([
      'Error',
      'Error: \ufffd',
      'threw "s"',
      'threw a symbol',
      'threw an object (Object)',
      'threw null',
      'threw undefined',
    ])
  })

  test('sums, the least and the greatest of extremes are exact', () => {
    const j = job('j', { t: table({ v: int64, f: float64, at: timestamp }) }, ({ t }) => ({
      all: t.groupBy().aggregate((r) => ({ s: sum(r.v), f: sum(r.f), least: min(r.v), most: max(r.v), n: count() })),
      valid: t.validFor((r) => r.at, days(1)),
    }))
    using app = embed(j)
    app.inputs.t.insertMany([
      { v: MOST, f: 1e308, at: MOST },
      { v: -MOST - 1n, f: 1e308, at: 0n },
      { v: -5n, f: -1e308, at: 0n },
    ])
    app.commit()
    expect(app.outputs.all.rows()).toEqual([{ s: -6n, f: 1e308, least: -MOST - 1n, most: MOST, n: 3n }])
    expect(app.outputs.valid.errors.rows()).toMatchObject([
      { message: '9223372036854775807 plus 86400000000 leaves the range of timestamp' },
    ])
  })
})

describe('functions that are not deterministic are named in development', () => {
  let n = 0
  const kinds: [string, string, (t: Rows) => Collection<never>][] = [
    ['map', 'map', (t) => t.map({ n: int32 }, () => ({ n: n++ })) as never],
    ['filterRows', 'filter', (t) => t.filterRows(() => n++ % 2 === 0) as never],
    ['flatMap', 'flatMap', (t) => t.flatMap({ n: int32 }, () => [{ n: n++ }]) as never],
    ['reduce', 'reduce', (t) => t.groupBy('k').reduce({ n: int32 }, () => [{ n: n++ }]) as never],
    ['threshold', 'threshold', (t) => t.threshold(() => n++) as never],
  ]
  test.each(kinds)('%s', (_, operator, define) => {
    using app = embed(
      job('j', { t: table(columns) }, ({ t }) => ({ x: define(t) })),
      { development: true },
    )
    app.inputs.t.insert({ k: 1, v: 1n })
    app.commit()
    const message = 'the function gave two different results for the same input: it must depend on nothing else'
    expect(app.outputs.x.errors.rows()).toMatchObject([{ operator, message, origin: expect.stringMatching(/^functions\.test\.ts:\d+$/) }])
    app.inputs.t.remove({ k: 1, v: 1n })
    app.commit()
    expect(app.outputs.x.errors.rows()).toEqual([])
    expect(app.outputs.x.multiset()).toEqual([])
  })
})

test.each([20, undefined])('a loop without an end stops after %s iterations, is named, and goes on', (maxIterations) => {
  const j = job('j', { t: table({ k: int32 }) }, ({ t }) => ({
    x: t.iterate((v) => v.select((r) => ({ k: r.k.plus(1) })), maxIterations === undefined ? {} : { maxIterations }),
    settled: t.iterate((v) => v.concat(v.select((r) => ({ k: r.k.divide(2) }))).distinct()),
    t,
  }))
  using app = embed(j)
  app.inputs.t.insert({ k: 4 })
  app.commit()
  const most = maxIterations ?? 10_000
  const errors = app.outputs.x.errors.rows()
  expect(errors[0]).toMatchObject({
    operator: 'iterate',
    row: `{ k: ${most + 3} }`,
    message: `the row still changes after ${most} iterations (maxIterations); the loop was stopped there`,
  })
  expect(errors[0].origin).toMatch(/^functions\.test\.ts:\d+$/)
  expect(app.outputs.settled.rows()).toEqual([{ k: 0 }, { k: 1 }, { k: 2 }, { k: 4 }])
  app.inputs.t.insert({ k: 1 })
  app.commit()
  expect(app.outputs.t.rows()).toHaveLength(2)
  app.inputs.t.removeMany([{ k: 4 }, { k: 1 }])
  app.commit()
  expect(app.outputs.x.errors.rows()).toEqual([])
  expect(app.outputs.x.rows()).toEqual([])
})

describe('multiplicities beyond int32 stop the app, which says why from then on', () => {
  const wrong: [string, number, number, (t: Collection<{ k: typeof int32 }>) => Collection<never>, string][] = [
    ['rows', 2 ** 31 - 1, 2, (t) => t as never, 'the multiplicity of a row left the range of int32 | Sum such rows with a column instead.'],
    [
      'distinct',
      2 ** 31 - 1,
      2,
      (t) => t.distinct() as never,
      'a row is present more than 2^31 - 1 times | Count such rows with a column instead.',
    ],
    [
      'counts',
      2 ** 31 - 1,
      2,
      (t) => t.groupBy('k').aggregate(() => ({ n: count() })) as never,
      'a group has more than 2^31 - 1 rows on one worker',
    ],
    [
      'joins',
      2 ** 16,
      1,
      (t) => t.join(t, 'k') as never,
      'the multiplicity of a joined row left the range of int32 | Count the rows of a side',
    ],
    ['negations', -(2 ** 31), 1, (t) => t.negate() as never, 'the multiplicity -2^31 has no negation'],
  ]
  test.each(wrong)('%s', (_, difference, times, define, message) => {
    using app = embed(job('j', { t: table({ k: int32 }) }, ({ t }) => ({ x: define(t) })))
    const said = refused(() => {
      for (let i = 0; i < times; i++) {
        app.inputs.t.insertColumns({ k: [1] }, [difference])
        app.commit()
      }
    })
    expect(said).toContain(`OVERFLOW ${message}`)
    expect(refused(() => app.commit())).toContain(`CLOSED the app j stopped: MillraceError: ${message.split(' | ')[0]}`)
  })
})
