import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as types from '../../runtime/data/column-type.ts'
import { type ColumnType, nullable } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { comparatorOf, compareValues, type OrderOptions } from '../../runtime/data/order.ts'
import { writeValue } from '../../runtime/data/value-codec.ts'
import { anyType, anyValueOf } from './values.ts'

const dictionary = new Dictionary()

function columnOf(type: ColumnType, values: readonly unknown[]): Int32Array {
  const column = new Int32Array(type.width * values.length)
  values.forEach((value, i) => {
    writeValue(type, value, column, i, dictionary)
  })
  return column
}

/** The values sorted, from a shuffled column. */
function sorted(type: ColumnType, values: readonly unknown[], options?: OrderOptions): unknown[] {
  const column = columnOf(type, values)
  const compare = comparatorOf(type, options)
  return values
    .map((_, i) => i)
    .sort((a, b) => compare(column, a, column, b, dictionary))
    .map((i) => values[i])
}

function expectOrder(type: ColumnType, values: readonly unknown[], options?: OrderOptions): void {
  expect(sorted(type, values.toReversed(), options)).toEqual(values)
  expect(sorted(type, [...values.slice(values.length >> 1), ...values.slice(0, values.length >> 1)], options)).toEqual(values)
}

describe('order', () => {
  it('is total: antisymmetric, transitive, and 0 for identical values only', () => {
    const triples = anyType.chain((type) =>
      fc.tuple(fc.constant(type), fc.array(anyValueOf(type), { minLength: 3, maxLength: 3 }), fc.boolean()),
    )
    fc.assert(
      fc.property(triples, ([type, values, nullsFirst]) => {
        const column = columnOf(type, values)
        for (const exact of [true, false]) {
          const compare = comparatorOf(type, { exact, nullsFirst })
          const at = (i: number, j: number) => Math.sign(compare(column, i, column, j, dictionary))
          for (const [i, j, k] of [
            [0, 1, 2],
            [1, 2, 0],
            [2, 0, 1],
          ] as const) {
            expect(at(i, i)).toBe(0)
            expect(at(i, j) + at(j, i)).toBe(0)
            if (at(i, j) <= 0 && at(j, k) <= 0) expect(at(i, k)).toBeLessThanOrEqual(0)
            if (at(i, j) === 0 && at(j, k) < 0) expect(at(i, k)).toBe(-1)
            if (exact) {
              const words = (row: number) => String(column.subarray(row * type.width, (row + 1) * type.width))
              expect(at(i, j) === 0).toBe(words(i) === words(j))
            }
          }
        }
        expect(Math.sign(compareValues(type, column, 0, column, 1, dictionary))).toBe(
          Math.sign(comparatorOf(type)(column, 0, column, 1, dictionary)),
        )
      }),
      { numRuns: 3000 },
    )
  })

  it('follows the values', () => {
    expectOrder(types.int32, [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1])
    expectOrder(nullable(types.int32), [-5, 0, 7, null])
    expectOrder(nullable(types.int32), [null, -5, 0, 7], { nullsFirst: true })
    expectOrder(types.int64, [-(2n ** 63n), -(2n ** 32n) - 1n, -(2n ** 32n), -1n, 0n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n])
    expectOrder(nullable(types.int64), [-1n, 0n, 2n ** 31n, null])
    expectOrder(nullable(types.timestamp), [1n - 2n ** 63n, -1n, 0n, 2n ** 31n, null])
    expectOrder(nullable(types.float64), [
      Number.NEGATIVE_INFINITY,
      -1.5,
      -5e-324,
      -0,
      0,
      5e-324,
      2,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      null,
    ])
    expectOrder(nullable(types.bool), [false, true, null])
    expectOrder(
      types.bytes,
      [[], [0], [0, 255], [1], [127], [128], [255]].map((values) => Uint8Array.from(values)),
    )
    expectOrder(types.decimal, ['-10.5', '-10', '-9.99', '-0.01', '0', '0.0', '0.001', '0.1', '0.10', '0.11', '9', '9.0', '10', '100.25'])
    expectOrder(nullable(types.array(nullable(types.int32))), [[], [1], [1, 1], [1, null], [2], [null], null])
  })

  it('sorts text as UTF-8 sorts, by code points', () => {
    expectOrder(types.text, [
      '',
      '\u0000',
      'A',
      'Z',
      'a',
      'aa',
      'b',
      'é',
      '\ud7ff',
      '\ue000',
      '\ufb00',
      '\uffff',
      '\u{10000}',
      '\u{1f600}',
      '\u{1f600}a',
      '\u{10ffff}',
    ])
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const column = columnOf(types.text, [a, b])
        expect(Math.sign(compareValues(types.text, column, 0, column, 1, dictionary))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
    )
  })

  it('sorts json as Postgres jsonb does', () => {
    const values = [
      null,
      '',
      'a',
      '\ufb00',
      '\u{1f600}',
      -1,
      0,
      2,
      10,
      false,
      true,
      [],
      [3],
      [1, 2],
      {},
      { b: 0 },
      { c: null },
      { a: 1, b: 1 },
      { a: 1, b: 2 },
    ]
    expectOrder(types.json(), values)
  })

  it('settles ties of elements only after all elements', () => {
    expectOrder(types.array(types.decimal), [
      ['1', '1'],
      ['1', '1.0'],
      ['1.0', '1'],
      ['1', '2.0'],
      ['1.0', '3'],
      ['1', '4'],
    ])
  })

  it('has ties where it is not exact', () => {
    const tie = (type: ColumnType, a: unknown, b: unknown) => {
      const column = columnOf(type, [a, b])
      expect(comparatorOf(type, { exact: false })(column, 0, column, 1, dictionary)).toBe(0)
      expect(comparatorOf(type)(column, 0, column, 1, dictionary)).toBeLessThan(0)
    }
    tie(types.float64, -0, 0)
    tie(types.decimal, '1', '1.0')
    tie(types.decimal, '-1.5', '-1.50')
    tie(types.array(types.decimal), ['1', '3'], ['1.0', '3'])
    tie(types.array(types.float64), [-0], [0])
  })
})
