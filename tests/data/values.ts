/** Random types and values of them, for the tests of this folder. */
import fc from 'fast-check'
import {
  array,
  bool,
  bytes,
  type ColumnType,
  decimal,
  float64,
  int32,
  int64,
  json,
  nullable,
  text,
  timestamp,
} from '../../runtime/data/column-type.ts'

const scalars: readonly ColumnType[] = [int32, int64, float64, bool, text, timestamp, decimal, bytes, json()]

const anyScalar = fc.constantFrom(...scalars)
const maybeNullable = (type: fc.Arbitrary<ColumnType>) =>
  fc.tuple(type, fc.boolean()).map(([t, isNullable]) => (isNullable ? nullable(t) : t))

export const anyType: fc.Arbitrary<ColumnType> = maybeNullable(
  fc.oneof(
    { weight: 5, arbitrary: anyScalar },
    { weight: 1, arbitrary: maybeNullable(anyScalar).map((t) => array(t) as ColumnType) },
    { weight: 1, arbitrary: maybeNullable(maybeNullable(anyScalar).map((t) => array(t) as ColumnType)).map((t) => array(t) as ColumnType) },
  ),
)

const digits = (maxLength: number) => fc.string({ unit: fc.constantFrom('0', '0', '1', '9'), maxLength })

function notNull(type: ColumnType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'int32':
      return fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 }))
    case 'int64':
      return fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.bigInt({ min: -3n, max: 3n }),
        fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n),
      )
    case 'timestamp':
      return fc.oneof(fc.bigInt({ min: 1n - 2n ** 63n, max: 2n ** 63n - 1n }), fc.bigInt({ min: -3n, max: 3n }))
    case 'float64':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, 1, Number.NaN, 1.5))
    case 'bool':
      return fc.boolean()
    case 'text':
      return fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'a', '\u{1f600}', '\ufb00', 'n'))
    case 'decimal':
      return fc.tuple(fc.boolean(), digits(5), digits(4)).map(([minus, whole, fraction]) => {
        const value = `${whole.replace(/^0+/, '') || '0'}${fraction === '' ? '' : `.${fraction}`}`
        return minus && /[19]/.test(value) ? `-${value}` : value
      })
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 })
    case 'json':
      return fc
        .oneof(fc.constant(null), fc.jsonValue({ noUnicodeString: false } as object))
        .map((value) => JSON.parse(JSON.stringify(value)))
    case 'array':
      return fc.array(anyValueOf(type.element as ColumnType), { maxLength: 4 })
  }
}

export function anyValueOf(type: ColumnType): fc.Arbitrary<unknown> {
  // JSON null in a nullable column is the column's null.
  return type.nullable ? fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 4, arbitrary: notNull(type) }) : notNull(type)
}
