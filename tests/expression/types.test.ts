/** What the compiler accepts and refuses; each refusal is also an error at run time, for plain JavaScript. */
import { expect, expectTypeOf, test } from 'vitest'
import { type AggregatedColumns, aggregate, avg, count, countDistinct, max, min, sum } from '../../operators/expression/aggregate.ts'
import type { Expression } from '../../operators/expression/expression.ts'
import { days, greatest, least, literal, when } from '../../operators/expression/functions.ts'
import type { OrderBy } from '../../operators/expression/order-by.ts'
import { proxyRow, type RowExpressions } from '../../operators/expression/proxy-row.ts'
import { type SelectedColumns, type Selection, selectionSchema } from '../../operators/expression/selection.ts'
import { bool, bytes, decimal, float64, int32, int64, json, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { type Columns, type RowOf, Schema } from '../../runtime/data/schema.ts'
import { MillraceError } from '../../runtime/error.ts'

const columns = {
  id: int32,
  cents: int32,
  city: text,
  total: int64,
  rate: float64,
  price: decimal,
  paid: bool,
  at: timestamp,
  note: nullable(text),
  age: nullable(int32),
  frauds: nullable(int64),
  seen: nullable(timestamp),
  data: json<{ x: number }>(),
  raw: bytes,
}
const schema = new Schema(columns)
const o = proxyRow<typeof columns>(schema, 'orders')

function select<C extends Columns, S extends Selection>(_: C, f: (row: RowExpressions<C>) => S): RowOf<SelectedColumns<S>> {
  return f(proxyRow<C>(schema, 'orders')) as never
}

function refused(f: () => unknown, code = 'COLUMN_TYPE'): void {
  let error: unknown
  try {
    f()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(MillraceError)
  expect((error as MillraceError).code).toBe(code)
}

test('columns have the types of the schema', () => {
  expectTypeOf(o.cents).toEqualTypeOf<Expression<number, 'int32'>>()
  expectTypeOf(o.note).toEqualTypeOf<Expression<string | null, 'text'>>()
  expectTypeOf(o.data).toEqualTypeOf<Expression<{ x: number }, 'json'>>()
})

test('results are widened, and null if an operand can be', () => {
  expectTypeOf(o.cents.plus(1)).toEqualTypeOf<Expression<number, 'int32'>>()
  expectTypeOf(o.cents.plus(o.total)).toEqualTypeOf<Expression<bigint, 'int64'>>()
  expectTypeOf(o.total.times(o.rate)).toEqualTypeOf<Expression<number, 'float64'>>()
  expectTypeOf(o.age.divide(o.cents)).toEqualTypeOf<Expression<number | null, 'int32'>>()
  expectTypeOf(o.cents.minus(o.frauds)).toEqualTypeOf<Expression<bigint | null, 'int64'>>()
  expectTypeOf(o.total.modulo(7)).toEqualTypeOf<Expression<bigint, 'int64'>>()
  expectTypeOf(o.at.plus(days(30))).toEqualTypeOf<Expression<bigint, 'timestamp'>>()
  expectTypeOf(o.at.minus(o.seen)).toEqualTypeOf<Expression<bigint | null, 'int64'>>()
  expectTypeOf(o.at.minus(5n)).toEqualTypeOf<Expression<bigint, 'timestamp'>>()
  expectTypeOf(o.cents.gt(100)).toEqualTypeOf<Expression<boolean, 'bool'>>()
  expectTypeOf(o.age.gt(100)).toEqualTypeOf<Expression<boolean | null, 'bool'>>()
  expectTypeOf(o.age.gt(1).and(o.paid)).toEqualTypeOf<Expression<boolean | null, 'bool'>>()
  expectTypeOf(o.age.isNull()).toEqualTypeOf<Expression<boolean, 'bool'>>()
  expectTypeOf(o.frauds.orElse(0)).toEqualTypeOf<Expression<bigint, 'int64'>>()
  expectTypeOf(o.age.orElse(o.frauds)).toEqualTypeOf<Expression<bigint | null, 'int64'>>()
  expectTypeOf(o.note.orElse('')).toEqualTypeOf<Expression<string, 'text'>>()
  expectTypeOf(o.note.length()).toEqualTypeOf<Expression<number | null, 'int32'>>()
  expectTypeOf(o.city.slice(0, 3)).toEqualTypeOf<Expression<string, 'text'>>()
  expectTypeOf(o.at.truncate('day')).toEqualTypeOf<Expression<bigint, 'timestamp'>>()
  expectTypeOf(o.price.toText()).toEqualTypeOf<Expression<string, 'text'>>()
  expectTypeOf(o.data.orElse(o.data)).toEqualTypeOf<Expression<{ x: number }, 'json'>>()
})

test('choices and literals', () => {
  expectTypeOf(literal(1)).toEqualTypeOf<Expression<number, 'int32'>>()
  expectTypeOf(literal(1.5, float64)).toEqualTypeOf<Expression<number, 'float64'>>()
  expectTypeOf(literal('1.50', decimal)).toEqualTypeOf<Expression<string, 'decimal'>>()
  expectTypeOf(literal(null, int32)).toEqualTypeOf<Expression<number | null, 'int32'>>()
  expectTypeOf(when(o.paid, 1, 0)).toEqualTypeOf<Expression<number, 'int32'>>()
  expectTypeOf(when(o.paid, o.total, 0)).toEqualTypeOf<Expression<bigint, 'int64'>>()
  expectTypeOf(when(o.paid, o.cents, null)).toEqualTypeOf<Expression<number | null, 'int32'>>()
  expectTypeOf(when(o.paid, 'yes', o.note)).toEqualTypeOf<Expression<string | null, 'text'>>()
  expectTypeOf(least(o.cents, o.age, 5)).toEqualTypeOf<Expression<number, 'int32'>>()
  expectTypeOf(greatest(o.age, o.frauds)).toEqualTypeOf<Expression<bigint | null, 'int64'>>()
  expectTypeOf(o.cents.desc()).toEqualTypeOf<OrderBy>()
})

test('a selection gives the row type', () => {
  const row = select(columns, (r) => ({ id: r.id, euros: r.cents.divide(100), frauds: r.frauds.orElse(0), note: r.note }))
  expectTypeOf(row).toEqualTypeOf<{ id: number; euros: number; frauds: bigint; note: string | null }>()
  const all = select(columns, (r) => ({ ...r, euros: r.cents.divide(100) }))
  expectTypeOf(all.city).toEqualTypeOf<string>()
  expectTypeOf(all.euros).toEqualTypeOf<number>()
  expect(selectionSchema({ ...o }).signature).toBe(schema.signature)
})

test('aggregates give the row type', () => {
  const spec = {
    n: count(),
    cents: sum(o.cents),
    rate: sum(o.rate),
    ages: sum(o.age),
    mean: avg(o.total),
    least: min(o.price),
    last: max(o.seen),
    cities: countDistinct(o.city),
    worst: aggregate({
      inputs: [o.cents, o.note],
      type: text,
      compute: (rows) => {
        expectTypeOf<(typeof rows)[number]['values']>().toEqualTypeOf<readonly [number, string | null]>()
        return rows.map(({ values: [cents, note], multiplicity }) => `${cents * multiplicity}${note}`).join()
      },
    }),
  }
  expectTypeOf<RowOf<AggregatedColumns<typeof spec>>>().toEqualTypeOf<{
    n: bigint
    cents: bigint
    rate: number
    ages: bigint | null
    mean: number
    least: string
    last: bigint | null
    cities: bigint
    worst: string
  }>()
})

test('refused: a misspelt column', () => {
  // @ts-expect-error
  refused(() => o.cetns, 'UNKNOWN_COLUMN')
})

test('refused: operands of another kind', () => {
  // @ts-expect-error text with a number
  refused(() => o.city.eq(3))
  // @ts-expect-error a number with text
  refused(() => o.cents.gt('3'))
  // @ts-expect-error text column with number column
  refused(() => o.city.eq(o.cents))
  // @ts-expect-error number column with text column
  refused(() => o.cents.lt(o.city))
  // @ts-expect-error timestamp with number column
  refused(() => o.at.gt(o.cents))
  // @ts-expect-error int32 with a bigint
  refused(() => o.cents.gt(3n))
  // @ts-expect-error arithmetic on text
  refused(() => o.city.plus(1))
  // @ts-expect-error arithmetic with text
  refused(() => o.cents.plus('1'))
  // @ts-expect-error arithmetic with a text column
  refused(() => o.cents.plus(o.city))
  // @ts-expect-error decimals are only compared
  refused(() => o.price.plus('1'))
  // @ts-expect-error a timestamp times a number
  refused(() => o.at.times(2))
  // @ts-expect-error timestamps are not added
  refused(() => o.at.plus(o.at))
  // @ts-expect-error a timestamp plus a double
  refused(() => o.at.plus(o.rate))
  // @ts-expect-error not a condition
  refused(() => o.paid.and(o.cents))
  // @ts-expect-error not a condition
  refused(() => o.cents.and(o.paid))
  // @ts-expect-error not a condition
  refused(() => o.cents.not())
  // @ts-expect-error text operation on a number
  refused(() => o.cents.lower())
  // @ts-expect-error a number concatenated
  refused(() => o.city.concat(o.cents))
  // @ts-expect-error json has no order
  refused(() => o.data.lt(o.data))
  // @ts-expect-error bytes have no order here
  refused(() => o.raw.desc())
  // @ts-expect-error another kind instead of null
  refused(() => o.age.orElse('none'))
  // @ts-expect-error branches of two kinds
  refused(() => when(o.paid, o.cents, o.city))
  // @ts-expect-error branches of two kinds
  refused(() => when(o.paid, 1, 'x'))
  // @ts-expect-error the condition is a number
  refused(() => when(o.cents, 1, 2))
  // @ts-expect-error operands of two kinds
  refused(() => least(o.cents, o.city))
  // @ts-expect-error no such cast
  refused(() => o.paid.toInt32())
  // @ts-expect-error no such unit
  refused(() => o.at.truncate('year'))
  // @ts-expect-error not a value of the type
  refused(() => literal('x', int32))
})

test('refused: aggregates over the wrong type', () => {
  // @ts-expect-error
  refused(() => sum(o.city))
  // @ts-expect-error
  refused(() => sum(o.at))
  // @ts-expect-error
  refused(() => avg(o.paid))
  // @ts-expect-error
  refused(() => min(o.data))
  // @ts-expect-error
  refused(() => max(o.raw))
})

test('refused: what is no expression', () => {
  // @ts-expect-error
  refused(() => selectionSchema({ id: 1 }))
  // @ts-expect-error
  refused(() => o.cents > 100)
})

test('refused at run time: numbers that the column cannot hold', () => {
  refused(() => o.cents.gt(1.5))
  refused(() => o.cents.plus(2 ** 31))
  refused(() => o.total.gt(0.5))
  refused(() => o.total.gt(2n ** 63n))
  refused(() => o.at.gt(-(2n ** 63n)))
  refused(() => o.city.eq('\ud800'))
  refused(() => o.price.gt('1e5'))
  refused(() => o.at.gt(new Date(Number.NaN)))
})
