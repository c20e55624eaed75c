import { afterEach, describe, expect, test } from 'vitest'
import { aggregate, aggregateSchema, count, max, sum } from '../../operators/expression/aggregate.ts'
import { compileFilterProjection, compilePredicate, compileProjection, pickedColumn } from '../../operators/expression/compile.ts'
import { days, greatest, hours, least, literal, minutes, seconds, when } from '../../operators/expression/functions.ts'
import { generateLoop } from '../../operators/expression/generate-kernel.ts'
import type { Typed } from '../../operators/expression/kinds.ts'
import { proxyRow } from '../../operators/expression/proxy-row.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { bool, bytes, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { forceGeneration } from '../../runtime/data/kernel.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { encode } from '../../runtime/data/value-encoding.ts'
import { batchOf, type Row, rowsOf, TestTexts } from './rows.ts'

afterEach(() => forceGeneration(undefined))

const columns = {
  id: int32,
  b: int32,
  l: int64,
  f: float64,
  city: text,
  at: timestamp,
  age: nullable(int32),
  paid: nullable(bool),
  price: decimal,
  raw: bytes,
}
const schema = new Schema(columns)
const o = proxyRow<typeof columns>(schema, 'orders')

const base = { id: 7, b: 2, l: 5n, f: 0.5, city: 'Rimini', at: 0n, age: null, paid: null, price: '1.10', raw: '\u0001' }
const row = (change: Partial<Record<keyof typeof columns, Row[number]>> = {}): Row => {
  const merged = { ...base, ...change }
  return schema.names.map((name) => merged[name as keyof typeof base])
}

/** The value of an expression for one row, or its error; compiled and interpreted alike. */
function value(e: Typed<unknown, Kind>, change: Parameters<typeof row>[0] = {}): unknown {
  const results = [true, false].map((generated) => {
    forceGeneration(generated)
    const texts = new TestTexts()
    const output = new BatchPool([e.type.width]).take(0, 0)
    const errors: string[] = []
    const input = batchOf(schema, [row(change)], texts)
    compileProjection([e], schema).run(input, input, 0, 1, output, texts, (_, message) => errors.push(message))
    return errors.length > 0 ? `error: ${errors.join()}` : rowsOf([e.type as ColumnType], output, texts)[0]?.[0]
  })
  expect(results[0]).toEqual(results[1])
  return results[0]
}

describe('rows', () => {
  test('an unknown column names the collection, its columns, and the closest one', () => {
    const accounts = proxyRow(new Schema({ accountId: int32, ownerId: int32 }), 'accounts') as Record<string, unknown>
    expect(() => accounts.acountId).toThrow('There is no column "acountId" in accounts (accountId, ownerId).\n  Did you mean "accountId"?')
    expect(() => accounts.zzz).toThrow(/^There is no column "zzz" in accounts \(accountId, ownerId\)\.$/)
  })

  test('a row can be spread, awaited and printed', async () => {
    expect(Object.keys({ ...o })).toEqual(schema.names)
    expect(await o).toBe(o)
    expect(JSON.parse(JSON.stringify(o.id.node))).toEqual({
      op: 'column',
      args: [],
      type: { kind: 'int32', nullable: false, width: 1 },
      name: 'id',
      side: 0,
    })
  })

  test('a column may have the name of a method or of Object', () => {
    // biome-ignore lint/suspicious/noThenProperty: a user's column may have this name
    const odd = { plus: int32, toString: text, then: int32, __proto: int32 }
    const r = proxyRow<typeof odd>(new Schema(odd), 'odd')
    expect([r.plus.node.name, r.toString.node.name, r.then.node.name]).toEqual(['plus', 'toString', 'then'])
  })
})

describe('values', () => {
  test('arithmetic', () => {
    expect(value(o.id.divide(2))).toBe(3)
    expect(value(o.id.negate().divide(2))).toBe(-3)
    expect(value(o.id.negate().modulo(4))).toBe(-3)
    expect(value(o.id.times(o.l))).toBe(35n)
    expect(value(o.l.plus(o.f))).toBe(5.5)
    expect(value(o.age.plus(1))).toBe(null)
    expect(value(o.l.plus(1), { l: 2n ** 62n })).toBe(2n ** 62n + 1n)
    expect(value(o.l.times(3), { l: 2n ** 53n - 1n })).toBe(3n * (2n ** 53n - 1n))
    expect(value(o.l.divide(10), { l: -(2n ** 63n) })).toBe(-(2n ** 63n) / 10n)
    expect(value(o.l.divide(2n ** 53n - 1n), { l: 2n ** 53n - 2n })).toBe(0n)
  })

  test('what has no result is an error of the row', () => {
    expect(value(o.id.plus(1), { id: 2 ** 31 - 1 })).toBe('error: 2147483647 plus 1 leaves the range of int32')
    expect(value(o.id.negate(), { id: -(2 ** 31) })).toBe('error: negate of -2147483648 leaves the range of int32')
    expect(value(o.id.divide(-1), { id: -(2 ** 31) })).toMatch('leaves the range of int32')
    expect(value(o.l.times(2), { l: 2n ** 62n })).toBe('error: 4611686018427387904 times 2 leaves the range of int64')
    expect(value(o.at.minus(1), { at: -(2n ** 63n) + 1n })).toMatch('leaves the range of timestamp')
    expect(value(o.id.divide(o.b), { b: 0 })).toBe('error: division by zero: 7 divide 0')
    expect(value(o.l.modulo(0))).toBe('error: division by zero: 5 modulo 0')
    expect(value(o.f.divide(0))).toBe('error: division by zero: 0.5 divide 0')
    expect(value(o.city.toInt32())).toBe('error: "Rimini" cannot become int32')
    expect(value(o.f.toInt64(), { f: Number.NaN })).toBe('error: NaN cannot become int64')
    expect(value(o.l.toInt32(), { l: 2n ** 31n })).toBe('error: 2147483648n cannot become int32')
  })

  test('and, or, when and orElse evaluate no more than they need', () => {
    expect(value(o.b.ne(0).and(o.id.divide(o.b).gt(1)), { b: 0 })).toBe(false)
    expect(value(o.b.eq(0).or(o.id.divide(o.b).gt(1)), { b: 0 })).toBe(true)
    expect(value(when(o.b.eq(0), -1, o.id.divide(o.b)), { b: 0 })).toBe(-1)
    expect(value(o.age.orElse(o.id.divide(o.b)), { b: 0, age: 1 })).toBe(1)
    expect(value(o.age.orElse(o.id.divide(o.b)), { b: 0 })).toMatch('division by zero')
  })

  test('three-valued logic', () => {
    const truth = [true, false, null].flatMap((paid) =>
      [true, false, null].map((other) => {
        const right = literal(other as boolean, nullable(bool))
        return [value(o.paid.and(right), { paid }), value(o.paid.or(right), { paid })]
      }),
    )
    expect(truth).toEqual([
      [true, true],
      [false, true],
      [null, true],
      [false, true],
      [false, false],
      [false, null],
      [null, true],
      [false, null],
      [null, null],
    ])
    expect(value(o.paid.not())).toBe(null)
    expect(value(when(o.paid, 1, 2))).toBe(2)
  })

  test('comparisons', () => {
    expect(value(o.f.eq(Number.NaN), { f: Number.NaN })).toBe(true)
    expect(value(o.f.gt(Number.POSITIVE_INFINITY), { f: Number.NaN })).toBe(true)
    expect(value(o.f.eq(0), { f: -0 })).toBe(true)
    expect(value(o.price.eq('1.1'))).toBe(true)
    expect(value(o.price.lt('1.09'))).toBe(false)
    expect(value(o.city.lt('\ud83d\ude00'), { city: '\uffee' })).toBe(true)
    expect(value(o.raw.eq(new Uint8Array([1])))).toBe(true)
    expect(value(o.l.gt(o.id))).toBe(false)
    expect(value(o.l.eq(2n ** 53n), { l: 2n ** 53n + 1n })).toBe(false)
    expect(value(o.l.lt(-(2n ** 63n)), { l: 2n ** 63n - 1n })).toBe(false)
    expect(value(o.at.gt(new Date(-1)))).toBe(true)
  })

  test('text by code points', () => {
    expect(value(o.city.length(), { city: 'a\ud83d\ude00b' })).toBe(3)
    expect(value(o.city.slice(1, 2), { city: 'a\ud83d\ude00b' })).toBe('\ud83d\ude00')
    expect(value(o.city.slice(-2))).toBe('ni')
    expect(value(o.city.concat('!').upper())).toBe('RIMINI!')
  })

  test('timestamps', () => {
    const at = BigInt(Date.UTC(2024, 1, 29, 13, 45, 10)) * 1000n + 5n
    expect(value(o.at.truncate('day').toText(), { at })).toBe('2024-02-29T00:00:00.000Z')
    expect(value(o.at.truncate('week').toText(), { at })).toBe('2024-02-26T00:00:00.000Z')
    expect(value(o.at.truncate('hour').toText(), { at: -1n })).toBe('1969-12-31T23:00:00.000Z')
    expect(value(o.at.toText(), { at })).toBe('2024-02-29T13:45:10.000005Z')
    expect(value(o.at.plus(days(30)).minus(o.at), { at })).toBe(days(30))
    expect([days(1), hours(24), minutes(1440), seconds(86400), seconds(0.5)]).toEqual([...Array(4).fill(86_400_000_000n), 500_000n])
    const parse = (city: string) => value(o.city.toTimestamp(), { city })
    expect(parse('1970-01-01T01:00:00.000001+01:00')).toBe(1n)
    expect(parse('1970-01-02 00:00')).toBe(days(1))
    expect(parse('1970-02-30')).toMatch('cannot become timestamp')
    expect(parse('today')).toMatch('cannot become timestamp')
  })
})

describe('runs', () => {
  const texts = new TestTexts()
  const rows = Array.from({ length: 10 }, (_, i) => row({ id: i, b: i % 3, city: `c${i % 2}` }))
  const input = batchOf(schema, rows, texts)
  const widths = (es: readonly Typed<unknown, Kind>[]) => es.map((e) => e.type.width)

  for (const generated of [true, false]) {
    test(`failed rows are reported and left out, the others go on; output is appended (${generated})`, () => {
      forceGeneration(generated)
      const expressions = [o.id, o.id.divide(o.b)]
      const output = new BatchPool(widths(expressions)).take(0, 0)
      const failed: number[] = []
      const projection = compileProjection(expressions, schema)
      projection.run(input, input, 0, 4, output, texts, (at) => failed.push(at))
      projection.run(input, input, 4, 10, output, texts, (at) => failed.push(at))
      expect(failed).toEqual([0, 3, 6, 9])
      expect(rowsOf([int32, int32], output, texts)).toEqual([
        [1, 1],
        [2, 1],
        [4, 4],
        [5, 2],
        [7, 7],
        [8, 4],
      ])
      expect(Array.from(output.differences.slice(0, output.n))).toEqual([2, 3, 5, 6, 8, 9])
    })

    test(`times of rows go along (${generated})`, () => {
      forceGeneration(generated)
      const timed = batchOf(schema, rows, texts)
      timed.useTimes().set(rows.map((_, i) => 100 + i))
      const output = new BatchPool([1]).take(0, 0)
      const even = compileFilterProjection(o.id.modulo(2).eq(0), [o.id], schema)
      even.run(timed, timed, 0, 6, output, texts, () => {})
      even.run(timed, timed, 6, 10, output, texts, () => {})
      expect(Array.from(output.times?.slice(0, output.n) ?? [])).toEqual([100, 102, 104, 106, 108])
    })

    test(`rows with times join rows of the batch's one time (${generated})`, () => {
      forceGeneration(generated)
      const timed = batchOf(schema, rows, texts)
      timed.useTimes().set(rows.map((_, i) => 100 + i))
      const output = new BatchPool([1]).take(7, 0)
      const ids = compileProjection([o.id], schema)
      ids.run(input, input, 0, 2, output, texts, () => {})
      for (let k = 0; k < 3; k++) ids.run(timed, timed, 0, 10, output, texts, () => {})
      const ten = rows.map((_, i) => 100 + i)
      expect(Array.from(output.times?.slice(0, output.n) ?? [])).toEqual([7, 7, ...ten, ...ten, ...ten])
    })

    test(`text literals are interned at each run (${generated})`, () => {
      forceGeneration(generated)
      const predicate = compilePredicate(o.city.eq('c1'), schema)
      const selection = new Int32Array(10)
      for (const filler of [0, 3]) {
        const other = new TestTexts()
        for (let i = 0; i < filler; i++) other.intern(`filler ${i}`)
        const batch = batchOf(schema, rows, other)
        const n = predicate.run(batch, 0, 10, selection, other, () => {})
        expect(Array.from(selection.slice(0, n))).toEqual([1, 3, 5, 7, 9])
      }
    })
  }

  test('columns may come from another batch than the differences', () => {
    const picked = new Schema({ x: int32 })
    const x = proxyRow<{ x: typeof int32 }>(picked, 'picked').x
    const output = new BatchPool([1]).take(0, 0)
    const b = input.columns[1] as Int32Array
    compileProjection([x.plus(1)], picked).run(input, { columns: [b], floats: [null] }, 0, 3, output, texts, () => {})
    expect(Array.from(output.columns[0]?.slice(0, 3) ?? [])).toEqual([1, 2, 3])
  })

  test('both sides of a join', () => {
    const left = new Schema({ k: int32, v: int32 })
    const right = new Schema({ k: int32, w: float64 })
    const a = proxyRow<{ k: typeof int32; v: typeof int32 }>(left, 'left')
    const b = proxyRow<{ k: typeof int32; w: typeof float64 }>(right, 'right', 1)
    const both = new Schema({ k: int32, v: int32, k2: int32, w: float64 })
    const joined = batchOf(both, [[1, 2, 3, 4.5]], texts)
    const output = new BatchPool([1, 1, 2]).take(0, 0)
    compileProjection([b.k, a.v, b.w.plus(a.k)], [left, right]).run(joined, joined, 0, 1, output, texts, () => {})
    expect(rowsOf([int32, int32, float64], output, texts)).toEqual([[3, 2, 5.5]])
    expect([pickedColumn(b.w, [left, right]), pickedColumn(a.v, [left, right]), pickedColumn(a.v.plus(1), [left, right])]).toEqual([
      3, 1, -1,
    ])
    expect(() => compileProjection([b.k], left)).toThrow('of the other side of a join')
    expect(() => compileProjection([a.v], right)).toThrow('There is no column "v"')
    expect(() => compileProjection([o.id], new Schema({ id: text }))).toThrow('another type')
  })

  test('one shape, one kernel: literals and column positions are not in the code', () => {
    const shape = (e: Typed<unknown, Kind>) => {
      const seen: number[] = []
      const { slots, parameters } = generateLoop(e.node, null, (node) => schema.indexOf(node.name as string))
      seen.push(...slots)
      return { slots: seen, parameters: parameters.map((p) => p.value) }
    }
    expect(shape(o.id.gt(5))).toEqual({ slots: [0], parameters: [5] })
    expect(shape(o.b.gt(99))).toEqual({ slots: [1], parameters: [99] })
  })

  test('with the real dictionary, also after it dropped what no row holds', () => {
    const dictionary = new Dictionary()
    const cities = new Schema({ city: text })
    const city = proxyRow<{ city: typeof text }>(cities, 'cities').city
    const output = new BatchPool([1]).take(0, 0)
    const batch = batchOf(cities, [['Rimini']], dictionary)
    compileProjection([city.concat(' (RN)')], cities).run(batch, batch, 0, 1, output, dictionary, () => {})
    expect(dictionary.get(output.columns[0]?.[0] as number)).toBe('Rimini (RN)')
  })

  test('a filter takes only a condition, and an expression has a bound', () => {
    expect(() => compilePredicate(o.id, schema)).toThrow('A filter takes a condition, not a value of kind int32.')
    let e = o.id.plus(1)
    for (let i = 0; i < 14; i++) e = e.plus(e)
    expect(() => compileProjection([e], schema)).toThrow('more than 10000 parts')
  })
})

describe('specifications', () => {
  test('least and greatest are null only if all operands can be', () => {
    expect(least(o.age, 5).type.nullable).toBe(false)
    expect(least(o.b, o.age).type.nullable).toBe(false)
    expect(greatest(o.age, o.age).type.nullable).toBe(true)
  })

  test('aggregates as data', () => {
    expect(sum(o.age).spec).toEqual({ op: 'sum', inputs: [o.age.node], type: nullable(int64) })
    expect(count(o.age).spec.op).toBe('countNotNull')
    expect(aggregateSchema({ n: count(), last: max(o.at), mean: sum(o.f) }).signature).toBe('"n":int64,"last":timestamp,"mean":float64')
    const spread = aggregate({
      inputs: [o.id, o.city],
      type: int32,
      compute: (rows) => rows.reduce((n, { values: [id], multiplicity }) => n + id * multiplicity, 0),
    })
    expect(spread.spec.compute?.([{ values: [3, 'x'], multiplicity: 2 }])).toBe(6)
  })

  test('orders: null is greatest unless told otherwise', () => {
    expect([o.age.asc().nulls, o.age.desc().nulls, o.age.desc().nullsLast().nulls, o.age.asc().nullsFirst().nulls]).toEqual([
      'last',
      'first',
      'last',
      'first',
    ])
    expect(o.age.desc().descending).toBe(true)
  })

  test('literals of decimals and bytes are encoded as columns are', () => {
    expect(literal('+01.50', decimal).node.value).toBe(encode(decimal, '+01.50'))
    expect(literal(new Uint8Array([255]), bytes).node.value).toBe('\u00ff')
  })
})
