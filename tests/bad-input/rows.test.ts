/** Wrong rows and keys are refused whole, with what is wrong and what to do; odd but right ones are taken. */
import { describe, expect, test } from 'vitest'
import {
  array,
  bool,
  bytes,
  type ColumnType,
  count,
  decimal,
  embed,
  float64,
  int32,
  int64,
  job,
  json,
  nullable,
  table,
  text,
  timestamp,
} from '../../millrace.ts'
import { refused } from './refused.ts'

const HUGE = 2n ** 63n

describe('values that a column cannot hold', () => {
  const wrong: [ColumnType, unknown, string][] = [
    [
      int32,
      2 ** 31,
      'expected int32, got 2147483648 | An int32 is a whole number from -2147483648 to 2147483647; int64 and float64 take more.',
    ],
    [int32, -(2 ** 31) - 1, 'got -2147483649'],
    [int32, 1.5, 'got 1.5'],
    [int32, Number.NaN, 'got NaN'],
    [int32, '1', 'got "1" | Convert the string first: Number(value).'],
    [int32, 1n, 'got 1n | Declare the column int64 for bigints.'],
    [int32, null, 'got null | The column is not nullable: declare it nullable(...), or give a value.'],
    [int32, undefined, 'got nothing (undefined)'],
    [nullable(int32), undefined, 'got nothing (undefined) | Give null for "no value".'],
    [int64, HUGE, 'got 9223372036854775808n | The value is outside the 64 bits of the type.'],
    [int64, -HUGE - 1n, 'got -9223372036854775809n'],
    [int64, 1, 'got 1 | An int64 is a bigint: 5n, or BigInt(5).'],
    [float64, 'x', 'expected float64, got "x"'],
    [bool, 1, 'expected bool, got 1'],
    [text, '\ud800', 'has a lone surrogate | Text must be well-formed Unicode; String.prototype.toWellFormed() replaces lone surrogates.'],
    [text, 'a\udc00b', 'has a lone surrogate'],
    [text, 7, 'expected text, got 7'],
    [timestamp, 5, 'got 5 | A timestamp is a bigint of microseconds since 1970, or a Date.'],
    [timestamp, new Date(Number.NaN), 'got a Date'],
    [timestamp, -HUGE, 'The value is outside the 64 bits of the type.'],
    [decimal, '1e5', "A decimal is a string of digits with an optional sign and point, such as '-12.50'; exponents are not taken."],
    [decimal, 1.1, "A decimal is a string, such as '1.10': a number has lost its exact digits."],
    [bytes, [1], 'expected bytes, got an array of 1 | Bytes are given as a Uint8Array.'],
    [json(), undefined, 'leave out a property instead of setting it to undefined.'],
    [json(), { a: [1n] }, '1n at $.a[0] is no JSON value'],
    [array(int32), [1, 1.5], 'element 1: expected int32, got 1.5'],
    [array(int32), 'x', 'expected array<int32>, got "x"'],
  ]
  test.each(wrong.map(([type, value, message], i) => [`${i} ${type.kind} ${String(value)}`, type, value, message] as const))(
    '%s',
    (_, type, value, message) => {
      using app = embed(job('j', { t: table({ id: int32, c: type }) }, ({ t }) => ({ t })))
      const rows = [{ id: 1, c: value }] as never[]
      expect(refused(() => app.inputs.t.insertMany(rows))).toContain('BAD_ROW column "c" of row 0: ')
      expect(refused(() => app.inputs.t.insertMany(rows))).toContain(message)
      if (value !== undefined)
        expect(refused(() => app.inputs.t.insertColumns({ id: [1], c: [value] } as never))).toContain('column "c" of row 0')
      app.commit()
      expect(app.outputs.t.rows()).toEqual([])
    },
  )
})

describe('rows of another shape', () => {
  const j = job('j', { t: table({ k: int32, s: text }), keyed: table({ k: int32, v: text }, { key: 'k' }) }, ({ t, keyed }) => ({
    t,
    keyed: keyed.keyBy('k'),
  }))
  const attempts: [string, (app: ReturnType<typeof embed<(typeof j)['inputs'], (typeof j)['outputs']>>) => unknown, string][] = [
    ['no row', (app) => app.inputs.t.insert(null as never), 'BAD_ROW row 0: expected an object, got null'],
    ['a number', (app) => app.inputs.t.insert(5 as never), 'row 0: expected an object, got 5'],
    [
      'no array',
      (app) => app.inputs.t.insertMany(new Set() as never),
      'BAD_ROW insertMany takes an array, not an object (Set) | Write Array.from',
    ],
    ['nothing', (app) => app.inputs.t.removeMany(undefined as never), 'BAD_ROW removeMany takes an array, not undefined'],
    [
      'misspelt',
      (app) => app.inputs.t.insert({ kk: 1, s: '' } as never),
      'column "k" of row 0: expected int32, got nothing (undefined) | The row has no "k". Did you mean "kk"?',
    ],
    [
      'a getter that throws',
      (app) =>
        app.inputs.t.insert({
          k: 1,
          get s(): string {
            throw new Error('no')
          },
        }),
      'BAD_ROW column "s" of row 0: reading it threw Error: no',
    ],
    [
      'an unknown column',
      (app) => app.inputs.t.insertColumns({ k: [1], s: ['a'], z: [1] } as never),
      'UNKNOWN_COLUMN There is no column "z" in t (k, s).',
    ],
    ['a missing column', (app) => app.inputs.t.insertColumns({ k: [1] } as never), 'BAD_ROW column "s" is missing'],
    ['no columns', (app) => app.inputs.t.insertColumns(null as never), 'BAD_ROW columns is an object, not null'],
    ['a column that is none', (app) => app.inputs.t.insertColumns({ k: 5, s: ['a'] } as never), 'BAD_ROW column "k" is no array of values'],
    [
      'uneven columns',
      (app) => app.inputs.t.insertColumns({ k: [1, 2], s: ['a'] }),
      'the columns have different lengths: "s" has 1 rows, another 2',
    ],
    ['too few differences', (app) => app.inputs.t.insertColumns({ k: [1, 2], s: ['a', 'b'] }, [1]), 'there are 1 differences, expected 2'],
    ['half a difference', (app) => app.inputs.t.insertColumns({ k: [1], s: ['a'] }, [1.5]), 'difference of row 0: expected int32, got 1.5'],
    [
      'a huge difference',
      (app) => app.inputs.t.insertColumns({ k: [1], s: ['a'] }, [2 ** 31]),
      'difference of row 0: expected int32, got 2147483648',
    ],
    [
      'a wrong upsert',
      (app) =>
        app.inputs.keyed.upsertMany([
          { k: 1, v: '' },
          { k: 'x', v: '' },
        ] as never),
      'column "k" of row 1: expected int32, got "x"',
    ],
    ['upserts of nothing', (app) => app.inputs.keyed.upsertMany({} as never), 'upsertMany takes an array'],
    [
      'a key of nothing',
      (app) => app.inputs.keyed.delete(null as never),
      'BAD_ROW a key of keyed is an object, not null | Give { k: ... }.',
    ],
    [
      'a key without its column',
      (app) => app.inputs.keyed.delete({} as never),
      'BAD_ROW key column "k": expected int32, got nothing (undefined)',
    ],
    [
      'one wrong key of several',
      (app) => app.inputs.keyed.deleteMany([{ k: 7 }, { k: 'x' } as never]),
      'key column "k": expected int32, got "x"',
    ],
    ['a rejected row that is none', (app) => app.inputs.t.reject(undefined as never), 'Give { source, position, excerpt, message }.'],
    [
      'a rejected row without a message',
      (app) => app.inputs.t.reject({ source: '', position: '', excerpt: '' } as never),
      'message of a rejected row is text, not undefined',
    ],
    [
      'reading a key that is none',
      (app) => app.outputs.keyed.get(7 as never),
      'BAD_ROW a key of keyed is an object | Write get({ k: ... }).',
    ],
    ['reading a key of another type', (app) => app.outputs.keyed.get({ k: '7' } as never), 'key column "k": expected int32, got "7"'],
    ['scanning another column', (app) => app.outputs.keyed.scan({ prefix: { v: '' } as never }), 'NOT_KEYED'],
    ['scanning fewer than none', (app) => app.outputs.keyed.scan({ limit: -1 }), 'CONFIG the limit of a scan is -1'],
  ]
  test.each(attempts)('%s', (_, attempt, message) => {
    using app = embed(j)
    app.inputs.keyed.upsert({ k: 7, v: 'stays' })
    expect(refused(() => attempt(app))).toContain(message)
    app.inputs.t.insert({ k: 1, s: 'good' })
    app.commit()
    expect(app.outputs.t.rows()).toEqual([{ k: 1, s: 'good' }])
    expect(app.outputs.keyed.rows()).toEqual([{ k: 7, v: 'stays' }])
    expect(app.outputs.t.errors.rows()).toEqual([])
  })

  test('properties without a column are found in development', () => {
    using app = embed(j, { development: true })
    expect(refused(() => app.inputs.t.insert({ k: 1, s: '', ss: '' } as never))).toContain(
      'UNKNOWN_COLUMN There is no column "ss" in t (k, s). | Did you mean "s"?',
    )
    expect(refused(() => app.inputs.keyed.upsert({ k: 1, v: '', w: 1 } as never))).toContain('There is no column "w" in keyed')
    app.commit()
    expect(app.outputs.t.rows()).toEqual([])
  })
})

test('what was never inserted can be removed; it is seen, named in development, and mended by its insertion', () => {
  const j = job('j', { t: table({ k: int32 }) }, ({ t }) => ({ t, once: t.distinct() }))
  for (const development of [false, true]) {
    using app = embed(j, { development })
    app.inputs.t.remove({ k: 1 })
    app.inputs.t.insert({ k: 2 })
    app.commit()
    expect(refused(() => app.outputs.t.rows())).toContain(
      'BAD_ROW t has the row {"k":1} -1 times: more was removed than inserted | Run with embed(job, {',
    )
    expect(app.outputs.t.multiset()).toEqual([
      { row: { k: 1 }, multiplicity: -1 },
      { row: { k: 2 }, multiplicity: 1 },
    ])
    expect(app.outputs.once.rows()).toEqual([{ k: 2 }])
    const errors = development
      ? [{ operator: 'input', origin: 't', row: '{ k: 1 }', message: 'removed from t once more than it was inserted' }]
      : []
    expect(app.outputs.once.errors.rows()).toMatchObject(errors)
    app.inputs.t.insert({ k: 1 })
    app.commit()
    expect(app.outputs.t.rows()).toEqual([{ k: 2 }])
    expect(app.outputs.once.errors.rows()).toEqual([])
  }
})

describe('keys of every type', () => {
  const keys: [string, ColumnType, unknown, unknown, unknown][] = [
    ['int32', int32, -(2 ** 31), 2 ** 31 - 1, -(2 ** 31)],
    ['int64', int64, HUGE - 1n, -HUGE, HUGE - 1n],
    ['float64, NaN', float64, Number.NaN, 0, Number.NaN],
    ['float64, zeros', float64, -0, Number.POSITIVE_INFINITY, 0],
    ['bool', bool, true, false, true],
    ['empty text', text, '', '\u0000', ''],
    ['decimal', decimal, '1.0', '2', '1.00'],
    ['bytes', bytes, new Uint8Array(0), Uint8Array.of(0), new Uint8Array(0)],
    ['json', json(), { a: 1, b: 2 }, [], { b: 2, a: 1 }],
    ['array', array(nullable(text)), [null], [''], [null]],
  ]
  test.each(keys)('%s', (_, type, one, other, again) => {
    const j = job(
      'j',
      { t: table({ k: type, v: int32 }, { key: 'k' }), u: table({ k: nullable(type as typeof text) as ColumnType }) },
      ({ t, u }) => ({
        t: t.keyBy('k'),
        counts: u
          .groupBy('k')
          .aggregate(() => ({ n: count() }))
          .keyBy('k'),
        joined: u.join(t, 'k' as never),
      }),
    )
    using app = embed(j)
    app.inputs.t.upsertMany([
      { k: one, v: 1 },
      { k: other, v: 2 },
      { k: again, v: 3 },
    ])
    app.inputs.u.insertMany([{ k: one }, { k: other }, { k: null }, { k: again }])
    app.commit()
    expect(app.outputs.t.get({ k: one })).toMatchObject({ v: 3 })
    expect(app.outputs.counts.get({ k: again })).toMatchObject({ n: 2n })
    expect(app.outputs.counts.get({ k: null })).toMatchObject({ n: 1n })
    expect(app.outputs.joined.rows()).toHaveLength(3)
    app.inputs.t.delete({ k: again })
    app.commit()
    expect(app.outputs.t.get({ k: one })).toBeUndefined()
    expect(app.outputs.joined.rows()).toHaveLength(1)
  })
})

test('a row of a megabyte, as a key, a value and an error', () => {
  const long = 'x'.repeat(1 << 20)
  const j = job('j', { t: table({ k: text, j: json(), y: bytes }, { key: 'k' }) }, ({ t }) => ({
    t: t.keyBy('k'),
    failing: t.map({ k: text }, ({ k }) => {
      if (k.length > 5) throw new Error('too long')
      return { k }
    }),
  }))
  using app = embed(j)
  app.inputs.t.upsertMany([
    { k: long, j: { long }, y: new Uint8Array(1 << 20) },
    { k: 'a', j: 1, y: new Uint8Array(0) },
  ])
  app.commit()
  expect(app.outputs.t.get({ k: long })?.y).toHaveLength(1 << 20)
  expect(app.outputs.failing.rows()).toEqual([{ k: 'a' }])
  const [error] = app.outputs.failing.errors.rows()
  expect(error.row?.length).toBeLessThan(3000)
  app.inputs.t.delete({ k: long })
  app.commit()
  expect(app.outputs.failing.errors.rows()).toEqual([])
})

test('a hundred columns, and names that are words of JavaScript', () => {
  const kinds = [int32, text, nullable(int64), float64, json()]
  const names = Array.from({ length: 100 }, (_, i) => `c${i}`)
  const columns = Object.fromEntries(names.map((name, i) => [name, kinds[i % 5]])) as Record<string, ColumnType>
  const j = job('j', { t: table(columns), u: table(columns, { key: ['c0', 'c1'] }) }, ({ t, u }) => ({
    t: t.keyBy('c0', 'c1', 'c7'),
    joined: t.join(u, ['c0', 'c1'] as never, (a, b) => ({
      ...Object.fromEntries(names.map((name) => [`a${name}`, a[name]])),
      ...Object.fromEntries(names.map((name) => [`b${name}`, b[name]])),
    })),
    once: t.distinct(),
  }))
  using app = embed(j)
  const row = (v: number) => Object.fromEntries(names.map((name, i) => [name, [v, `t${v}`, BigInt(v), v / 2, { v }][i % 5]]))
  for (let v = 0; v < 50; v++) {
    app.inputs.t.insert(row(v))
    app.inputs.u.upsert(row(v))
  }
  app.commit()
  expect(app.outputs.t.get({ c0: 7, c1: 't7', c7: 7n })).toEqual(row(7))
  expect(Object.keys(app.outputs.joined.rows()[49])).toHaveLength(200)
  expect(app.outputs.once.rows()).toHaveLength(50)

  const odd = { constructor: int32, toString: text, '': int32, 'a b': text, '`"$\\': int32 }
  const k = job('k', { t: table(odd) }, ({ t }) => ({ t: t.keyBy('constructor', ''), s: t.select((r) => ({ x: r['`"$\\'].plus(1) })) }))
  using oddApp = embed(k)
  oddApp.inputs.t.insert({ constructor: 1, toString: 'x', '': 2, 'a b': 'y', '`"$\\': 3 } as never)
  oddApp.commit()
  expect(oddApp.outputs.t.get({ constructor: 1, '': 2 } as never)).toMatchObject({ 'a b': 'y' })
  expect(oddApp.outputs.s.rows()).toEqual([{ x: 4 }])
})
