/** Values of the scalar column types from text: number tokens of JSON, strings, fields of CSV. */
import { bad, shown } from './bad-value.ts'

const WHOLE = /^-?(?:0|[1-9]\d*)$/
const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** An exponent would let a few characters ask for gigabytes of digits. */
const MAXIMUM_DECIMAL_EXPONENT = 1000

const INT64_MINIMUM = -(1n << 63n)
const INT64_MAXIMUM = (1n << 63n) - 1n

export function parseInt32(text: string): number {
  if (!WHOLE.test(text)) bad(`${shown(text)} is not a whole number`)
  const value = Number(text)
  if (value > 0x7fffffff || value < -0x80000000) bad(`${shown(text)} is out of the range of int32 (-2147483648 to 2147483647)`)
  return value | 0
}

export function parseInt64(text: string): bigint {
  if (!WHOLE.test(text)) bad(`${shown(text)} is not a whole number`)
  // Twenty characters hold every int64; more would make BigInt slow, quadratically.
  const value = text.length <= 20 ? BigInt(text) : null
  if (value === null || value > INT64_MAXIMUM || value < INT64_MINIMUM) bad(`${shown(text)} is out of the range of int64`)
  return value
}

/** Whole microseconds since 1970. */
export function parseMicroseconds(text: string): bigint {
  if (!WHOLE.test(text)) bad(`${shown(text)} is not a whole number of microseconds`)
  const value = parseInt64(text)
  // The column's null is this value.
  if (value === INT64_MINIMUM) bad(`${shown(text)} is out of the range of timestamp`)
  return value
}

export function parseFloat64(text: string): number {
  if (!FLOAT.test(text)) bad(`${shown(text)} is not a number`)
  const value = Number(text)
  if (!Number.isFinite(value)) bad(`${shown(text)} is out of the range of float64`)
  return value
}

/** Keeps the digits as they are ('1.10'); an exponent is written out. */
export function parseDecimal(text: string): string {
  const match = DECIMAL.exec(text)
  if (match === null) return bad(`${shown(text)} is not a decimal number`)
  const [, sign, whole, fraction = '', exponent] = match
  if (exponent === undefined) return text
  const shift = Number(exponent)
  if (Math.abs(shift) > MAXIMUM_DECIMAL_EXPONENT) bad(`the exponent of ${shown(text)} is beyond ${MAXIMUM_DECIMAL_EXPONENT}`)
  const digits = whole + fraction
  const point = whole.length + shift
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0')
  const before = padded.slice(0, Math.max(1, point)).replace(/^0+(?=\d)/, '')
  const after = padded.slice(Math.max(1, point))
  return `${sign}${before}${after === '' ? '' : `.${after}`}`
}

export function parseBool(text: string): boolean {
  switch (text.toLowerCase()) {
    case 'true':
    case 't':
    case '1':
      return true
    case 'false':
    case 'f':
    case '0':
      return false
    default:
      return bad(`${shown(text)} is not a bool (true, false)`)
  }
}
