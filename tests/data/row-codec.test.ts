import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type Batch, BatchPool } from '../../runtime/data/batch.ts'
import * as types from '../../runtime/data/column-type.ts'
import { type ColumnType, nullable } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { forceGeneration } from '../../runtime/data/kernel.ts'
import { RowCodec, rowCodec } from '../../runtime/data/row-codec.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { lookupOnly } from '../../runtime/data/value-codec.ts'
import { MillraceError } from '../../runtime/error.ts'
import { anyType, anyValueOf } from './values.ts'

afterEach(() => forceGeneration(undefined))

const names = fc.uniqueArray(
  fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('__proto__', 'a"b', "it's", '\u2028', ']:', 'constructor')),
  { minLength: 1, maxLength: 4 },
)

/** Object with own properties only, '__proto__' included. */
function rowOf(entries: [string, unknown][]): Record<string, unknown> {
  return Object.fromEntries(entries)
}

const schemaAndRows = names
  .chain((columnNames) => fc.tuple(...columnNames.map((name) => fc.tuple(fc.constant(name), anyType))))
  .chain((columns) =>
    fc.record({
      schema: fc.constant(new Schema(Object.fromEntries(columns))),
      rows: fc.array(
        fc.tuple(...columns.map(([name, type]) => anyValueOf(type).map((value) => [name, value] as [string, unknown]))).map(rowOf),
        {
          maxLength: 20,
        },
      ),
    }),
  )

function words(batch: Batch): number[][] {
  return batch.columns.map((column, k) => [...column.subarray(0, batch.n * (batch.widths[k] as number))])
}

describe.each([true, false])('row codec (generated: %s)', (generated) => {
  it('brings rows back, whatever their types', () => {
    forceGeneration(generated)
    fc.assert(
      fc.property(schemaAndRows, ({ schema, rows }) => {
        const codec = new RowCodec(schema)
        const dictionary = new Dictionary()
        const batch = new BatchPool(schema.widths).take(0, rows.length)
        codec.writeRows(rows, 0, rows.length, batch, -3, dictionary)
        expect(batch.n).toBe(rows.length)
        const read = codec.readRows(batch, 0, batch.n, dictionary)
        expect(read).toEqual(rows.map((row) => ({ row, diff: -3 })))
        rows.forEach((row, i) => {
          expect(codec.readRow(batch, i, dictionary)).toEqual(row)
          expect(Object.keys(read[i]?.row as object)).toEqual(Object.keys(row))
          expect(codec.checkRow(row)).toBeNull()
        })
        // Identical values have identical words, written again or by columns.
        const before = words(batch)
        batch.n = 0
        codec.writeRows(
          read.map((change) => change.row),
          0,
          rows.length,
          batch,
          1,
          dictionary,
        )
        expect(words(batch)).toEqual(before)
        batch.n = 0
        const columns = Object.fromEntries(schema.names.map((name) => [name, rows.map((row) => row[name])]))
        codec.writeColumns(
          columns,
          0,
          rows.length,
          batch,
          rows.map((_, i) => i),
          dictionary,
        )
        expect(words(batch)).toEqual(before)
        expect([...batch.differences.subarray(0, batch.n)]).toEqual(rows.map((_, i) => i))
      }),
      { numRuns: 400 },
    )
  })

  it('refuses every wrong value, names row and column, and leaves the batch as it was', () => {
    forceGeneration(generated)
    const wrong: [ColumnType, unknown[]][] = [
      [types.int32, ['abc', 1.5, 2 ** 31, -(2 ** 31) - 1, Number.NaN, null, undefined, 5n, true, {}, Symbol('s'), { valueOf: () => 5 }]],
      [types.int64, [5, 2n ** 63n, -(2n ** 63n) - 1n, 'x', null]],
      [types.timestamp, [5, 2n ** 63n, -(2n ** 63n), new Date(Number.NaN), '2024-01-01', null]],
      [types.float64, ['1', 1n, null, undefined]],
      [types.bool, [0, 1, 'true', null]],
      [types.text, [5, '\ud800', null, undefined, ['x']]],
      [types.decimal, [1.5, '1e5', '']],
      [types.bytes, ['abc', [1]]],
      [types.json(), [undefined, () => 1]],
      [types.array(types.int32), [[1.5], 'x', null]],
    ]
    for (const [type, values] of wrong) {
      for (const variant of [type, nullable(type as ColumnType<unknown>)]) {
        const schema = new Schema({ id: types.int32, x: variant })
        const codec = new RowCodec(schema)
        const good = { id: 1, x: null }
        for (const value of values) {
          if (variant.nullable && value === null) continue
          const batch = new BatchPool(schema.widths).take(0, 10)
          const dictionary = new Dictionary()
          const rows = [{ id: 0, x: value }]
          if (variant.nullable) rows.unshift(good, good)
          const row = rows.length - 1
          let caught: unknown
          try {
            codec.writeRows(rows, 0, rows.length, batch, 1, dictionary)
          } catch (error) {
            caught = error
          }
          expect(caught, `${variant.kind} ${String(value)}`).toBeInstanceOf(MillraceError)
          expect((caught as MillraceError).code).toBe('BAD_ROW')
          expect((caught as MillraceError).message).toContain(`column "x" of row ${row}: expected ${type.kind}`)
          expect(batch.n).toBe(0)
          expect(codec.checkRow(rows[row])).toContain('column "x": expected')
          expect(() => codec.writeColumns({ id: [1, 1, 0], x: rows.map((r) => r.x) }, 0, rows.length, batch, 1, dictionary)).toThrow(
            `column "x" of row ${row}: expected ${type.kind}`,
          )
          expect(batch.n).toBe(0)
        }
      }
    }
  })

  it('says what the user may have meant', () => {
    forceGeneration(generated)
    const schema = new Schema({ accountId: types.int32, cents: types.int64 })
    const codec = new RowCodec(schema)
    const dictionary = new Dictionary()
    const batch = new BatchPool(schema.widths).take(0, 10)
    expect(() => codec.writeRows([{ acountId: 1, cents: 1n }], 0, 1, batch, 1, dictionary)).toThrow('Did you mean "acountId"?')
    expect(() => codec.writeRows([{ accountId: 1, cents: 5 }], 0, 1, batch, 1, dictionary)).toThrow('BigInt(5)')
    expect(() => codec.writeRows([{ accountId: 1, cents: 5n }, null as never], 0, 2, batch, 1, dictionary)).toThrow(
      'row 1: expected an object, got null',
    )
    expect(codec.checkRow({ accountId: 1, cents: 1n, extra: 1 })).toBe('there is no column "extra" (accountId, cents).')
    expect(codec.checkRow({ acountId: 1, cents: 1n })).toContain('Did you mean "accountId"?')
    expect(codec.checkRow({ accountId: 1 })).toBe('column "cents": expected int64, got nothing (undefined)')
    expect(codec.checkRow('x')).toBe('expected an object, got "x"')
    expect(() => codec.writeColumns({ accountId: [1] }, 0, 1, batch, 1, dictionary)).toThrow('column "cents" is missing')
    expect(() => codec.writeColumns({ accountId: [1, 2], cents: [1n] }, 0, 2, batch, 1, dictionary)).toThrow(
      'column "cents" has 1 rows, expected 2',
    )
    expect(() => codec.writeColumns({ accountId: [1], cents: [1n] }, 0, 1, batch, [], dictionary)).toThrow('0 differences')
    expect(() => codec.writeColumns({ accountId: [1], cents: [1n] }, 0, 1, batch, [2 ** 31], dictionary)).toThrow('difference of row 0')
    expect(batch.n).toBe(0)
    codec.writeRows([{ accountId: 1, cents: 1n, extra: 'ignored' }], 0, 1, batch, 1, dictionary)
    expect(batch.n).toBe(1)
  })
})

describe('row codec', () => {
  it('takes typed arrays as columns, also parts of them', () => {
    const schema = new Schema({
      i: types.int32,
      l: types.int64,
      ln: nullable(types.int64),
      t: types.timestamp,
      f: nullable(types.float64),
      b: nullable(types.bool),
      s: types.text,
    })
    const codec = rowCodec(schema)
    for (const n of [3, 40]) {
      const dictionary = new Dictionary()
      const index = Array.from({ length: n + 2 }, (_, i) => i)
      const longs = new BigInt64Array(new ArrayBuffer(8 * (n + 3)), 8)
      index.forEach((i) => {
        longs[i] = BigInt(i) - 2n ** 40n
      })
      const columns = {
        i: Int32Array.from(index),
        l: longs,
        ln: longs,
        t: longs,
        f: Float64Array.from(index, (i) => (i === 1 ? Number.NaN : i / 2)),
        b: Uint8Array.from(index, (i) => i % 3),
        s: index.map((i) => `s${i}`),
      }
      const batch = new BatchPool(schema.widths).take(0, 2 * n + 1)
      codec.writeColumns(columns, 1, n + 1, batch, Int32Array.from(index), dictionary)
      codec.writeColumns(columns, 0, n, batch, 7, dictionary)
      const row = (i: number) => ({
        i,
        l: longs[i],
        ln: longs[i],
        t: longs[i],
        f: i === 1 ? Number.NaN : i / 2,
        b: [false, true, null][i % 3],
        s: `s${i}`,
      })
      const expected = [
        ...index.slice(1, n + 1).map((i) => ({ row: row(i), diff: i })),
        ...index.slice(0, n).map((i) => ({ row: row(i), diff: 7 })),
      ]
      expect(codec.readRows(batch, 0, batch.n, dictionary)).toEqual(expected)
      // The NaN whose bits mean null stays a NaN.
      const nan = new Float64Array(new Int32Array([1, 0x7ff80001, 0, 0]).buffer)
      batch.n = 0
      codec.writeColumns({ ...columns, f: nan }, 0, 1, batch, 1, dictionary)
      expect(codec.readRow(batch, 0, dictionary).f).toBeNaN()
    }
    const batch = new BatchPool(schema.widths).take(0, 16)
    const least = BigInt64Array.of(-(2n ** 63n))
    const columns = { i: [1], l: least, ln: least, t: [0n], f: [0], b: [null], s: [''] }
    codec.writeColumns(columns, 0, 1, batch, 1, new Dictionary())
    expect(() => codec.writeColumns({ ...columns, t: least }, 0, 1, batch, 1, new Dictionary())).toThrow(
      'column "t" of row 0: expected timestamp',
    )
    expect(() => codec.writeColumns({ ...columns, b: Uint8Array.of(3) }, 0, 1, batch, 1, new Dictionary())).toThrow(
      'column "b" of row 0: expected bool?, got 3',
    )
  })

  it('writes the words of the table in column-type.ts', () => {
    const cases: [ColumnType, unknown, number[]][] = [
      [types.int32, -5, [-5]],
      [nullable(types.int32), -5, [-5, 0]],
      [nullable(types.int32), null, [0, 1]],
      [types.bool, true, [1]],
      [nullable(types.bool), null, [2]],
      [nullable(types.text), null, [0]],
      [types.text, 'x', [1]],
      [nullable(types.decimal), null, [0]],
      [types.int64, -(2n ** 32n) + 5n, [5, -1]],
      [nullable(types.int64), 2n ** 33n, [0, 2, 0]],
      [nullable(types.int64), null, [0, 0, 1]],
      [types.timestamp, new Date(5), [5000, 0]],
      [nullable(types.timestamp), null, [0, -0x80000000]],
      [types.float64, -0, [0, -0x80000000]],
      [types.float64, Number.NaN, [0, 0x7ff80000]],
      [nullable(types.float64), null, [1, 0x7ff80001]],
    ]
    for (const interpreted of [false, true]) {
      for (const [type, value, expected] of cases) {
        const schema = new Schema({ x: type })
        const batch = new BatchPool(schema.widths).take(0, 1)
        for (const column of batch.columns) column.fill(99)
        new RowCodec(schema, interpreted).writeRows([{ x: value }], 0, 1, batch, 1, new Dictionary())
        expect(words(batch)).toEqual([expected])
      }
    }
  })

  it('makes one NaN of all', () => {
    const odd = new Float64Array(new Int32Array([1, 0x7ff80001, 7, -1]).buffer)
    for (const interpreted of [false, true]) {
      const schema = new Schema({ x: nullable(types.float64) })
      const batch = new BatchPool(schema.widths).take(0, 3)
      const codec = new RowCodec(schema, interpreted)
      codec.writeRows([{ x: odd[0] }, { x: odd[1] }, { x: 0 / 0 }], 0, 3, batch, 1, new Dictionary())
      expect(words(batch)).toEqual([[0, 0x7ff80000, 0, 0x7ff80000, 0, 0x7ff80000]])
    }
  })

  it('shares codecs by signature, but not those that validate', () => {
    expect(rowCodec(new Schema({ a: types.int32 }))).toBe(rowCodec(new Schema({ a: types.int32 })))
    const validating = (valid: boolean) =>
      rowCodec(
        new Schema({
          a: types.json((value) => {
            if (!valid) throw new Error('never')
            return value
          }),
        }),
      )
    expect(validating(true).checkRow({ a: 1 })).toBeNull()
    expect(validating(false).checkRow({ a: 1 })).toContain('never')
  })

  it('reads batches that show the columns of another', () => {
    const schema = new Schema({ f: types.float64, l: types.int64 })
    const dictionary = new Dictionary()
    const batch = new BatchPool(schema.widths).take(0, 4)
    rowCodec(schema).writeRows([{ f: 1.5, l: 7n }], 0, 1, batch, 1, dictionary)
    const shown = new BatchPool([2, 2], true).take(0, 0)
    shown.columns = [batch.columns[1] as Int32Array, batch.columns[0] as Int32Array]
    shown.differences = batch.differences
    shown.n = 1
    expect(rowCodec(new Schema({ x: types.int64, y: types.float64 })).readRows(shown, 0, 1, dictionary)).toEqual([
      { row: { x: 7n, y: 1.5 }, diff: 1 },
    ])
  })

  it('writes keys, and looks strings up without adding them', () => {
    const codec = rowCodec(new Schema({ city: types.text, id: types.int32 }))
    const dictionary = new Dictionary()
    const key = [new Int32Array(1), new Int32Array(1)]
    codec.writeKey({ id: 5, city: 'Rimini' }, ['id', 'city'], key, 0, lookupOnly(dictionary))
    expect(key.map((column) => column[0])).toEqual([5, -1])
    expect(dictionary.live).toBe(0)
    codec.writeKey({ id: 5, city: 'Rimini' }, ['id', 'city'], key, 0, dictionary)
    expect(key.map((column) => column[0])).toEqual([5, dictionary.find('Rimini')])
    expect(() => codec.writeKey({ id: 'x' }, ['id'], key, 0, dictionary)).toThrow('key column "id": expected int32, got "x"')
    expect(() => codec.writeKey({ id: 5 }, ['idd'], key, 0, dictionary)).toThrow('Did you mean "id"?')
  })
})
