/** Values that people write into URLs. */
import { expect, test } from 'vitest'
import { bool, bytes, type ColumnType, decimal, float64, int32, int64, nullable, timestamp } from '../../runtime/data/column-type.ts'
import { MillraceError } from '../../runtime/error.ts'
import { parseText } from '../../worker/process/query-value.ts'

const right: [ColumnType, string, unknown][] = [
  [int32, '-2147483648', -2147483648],
  [int64, '9223372036854775807', 2n ** 63n - 1n],
  [float64, '-Infinity', Number.NEGATIVE_INFINITY],
  [float64, '1.5e3', 1500],
  [bool, 'false', false],
  [nullable(int32), 'null', null],
  [decimal, '1.10', '1.10'],
  [timestamp, '1700000000000000', 1_700_000_000_000_000n],
  [timestamp, '2026-01-31T12:30:00.5Z', 1_769_862_600_500_000n],
  // What a plus in a URL becomes.
  [timestamp, '2026-01-31T14:30:00.5 02:00', 1_769_862_600_500_000n],
  [bytes, '-_8', Uint8Array.of(0xfb, 0xff)],
  [bytes, ' /8=', Uint8Array.of(0xfb, 0xff)],
]
test.each(right)('%o from %j', (type, text, value) => {
  expect(parseText(type, text)).toEqual(value)
})

const wrong: [ColumnType, string, RegExp][] = [
  [int32, '2147483648', /out of the range of int32/],
  [int32, '1.5', /not a whole number/],
  [int64, '9223372036854775808', /out of the range of int64/],
  [float64, '0x10', /not a number/],
  [bool, '1', /^write true or false\.$/],
  [timestamp, '2026-02-30', /there is no time 2026-02-30/],
  [timestamp, '2026-01-31T12:30:00', /neither Z nor an offset/],
  [timestamp, 'yesterday', /such as 2026-01-31T12:30:00/],
  [bytes, '%%', /write base64/],
]
test.each(wrong)('%o not from %j', (type, text, hint) => {
  let caught: unknown
  try {
    parseText(type, text)
  } catch (error) {
    caught = error
  }
  expect(caught).toBeInstanceOf(MillraceError)
  const { code, message, hint: given } = caught as MillraceError
  expect([code, message]).toEqual(['COLUMN_TYPE', expect.stringMatching(`^expected ${type.kind}, got ${JSON.stringify(text)}`)])
  expect(given).toMatch(hint)
})
