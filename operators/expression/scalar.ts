/** Operations on single values that compiled and interpreted expressions share, and the messages of failed ones. */
import type { Kind } from '../../runtime/data/column-type.ts'
import { decimal } from '../../runtime/data/column-type.ts'
import { encode, INT64_MAX, INT64_MIN, shownValue } from '../../runtime/data/value-encoding.ts'
import { compareDecimals } from '../../runtime/data/value-order.ts'

export function outOfRange(op: string, kind: Kind, a: unknown, b?: unknown): string {
  return b === undefined ? `${op} of ${a} leaves the range of ${kind}` : `${a} ${op} ${b} leaves the range of ${kind}`
}

export function divisionByZero(op: string, a: unknown): string {
  return `division by zero: ${a} ${op} 0`
}

export function badCast(value: unknown, kind: Kind): string {
  return `${shownValue(value)} cannot become ${kind}`
}

/** The order of decimals by value; both in their encoded form. */
export function compareDecimal(a: string, b: string): number {
  return compareDecimals(a, b, false)
}

const SURROGATE = /[\ud800-\udfff]/

export function textLength(s: string): number {
  if (!SURROGATE.test(s)) return s.length
  let n = 0
  for (const _ of s) n++
  return n
}

/** As String.slice, in code points, so that no pair of surrogates is cut. */
export function textSlice(s: string, start: number, end?: number): string {
  return SURROGATE.test(s) ? Array.from(s).slice(start, end).join('') : s.slice(start, end)
}

export function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest < 0.5) return floor
  if (rest > 0.5) return Math.ceil(x)
  return floor % 2 === 0 ? floor : Math.ceil(x)
}

const INTEGER = /^\s*([+-]?\d{1,30})\s*$/
const FLOAT = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/
const SPECIAL_FLOAT = /^\s*([+-]?Infinity|NaN)\s*$/

/** The int64 of a text, or null. */
export function parseLong(s: string): bigint | null {
  const match = INTEGER.exec(s)
  if (match === null) return null
  const digits = match[1] as string
  const value = BigInt(digits.startsWith('+') ? digits.slice(1) : digits)
  return value >= INT64_MIN && value <= INT64_MAX ? value : null
}

/** The int32 of a text, or null. */
export function parseInteger(s: string): number | null {
  const value = INTEGER.test(s) ? Number(s) : Number.NaN
  return value === (value | 0) ? value | 0 : null
}

/** The double of a text, or null; a number too large for a double is none. */
export function parseFloat64(s: string): number | null {
  if (SPECIAL_FLOAT.test(s)) return Number(s)
  const value = FLOAT.test(s) ? Number(s) : Number.NaN
  return Number.isFinite(value) ? value : null
}

/** The encoded decimal of a text, or null. */
export function parseDecimal(s: string): string | null {
  try {
    return encode(decimal, s.trim())
  } catch {
    return null
  }
}

const ISO = /^(\d{4}-\d\d-\d\d|[+-]\d{6}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$/

/** Microseconds since 1970 of ISO 8601 text, or null. Without an offset it is UTC. */
export function parseTimestamp(s: string): bigint | null {
  const match = ISO.exec(s.trim())
  if (match === null) return null
  const [, date, minute = '00:00', second = '00', fraction = '', offset = 'Z'] = match
  const zone = offset === 'Z' || offset.includes(':') ? offset : `${offset.slice(0, 3)}:${offset.slice(3)}`
  const milliseconds = Date.parse(`${date}T${minute}:${second}.000${zone}`)
  if (Number.isNaN(milliseconds)) return null
  // Date.parse takes February 30 for March 1 or 2.
  const day = Date.parse(`${date}T00:00:00.000Z`)
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(date as string)) return null
  return BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, '0'))
}

/** ISO 8601 in UTC, or null beyond the years that a Date has (271821 BC to 275760). */
export function timestampText(microseconds: bigint): string | null {
  let fraction = microseconds % 1_000_000n
  if (fraction < 0n) fraction += 1_000_000n
  const date = new Date(Number((microseconds - fraction) / 1000n))
  if (Number.isNaN(date.getTime())) return null
  const digits = String(fraction).padStart(6, '0')
  return date.toISOString().replace(/000Z$/, `${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`)
}

/** An int64 from its words. */
export function longOf(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0)
}

export function longText(low: number, high: number): string {
  const value = high * 4294967296 + (low >>> 0)
  return Number.isSafeInteger(value) ? String(value) : String(longOf(low, high))
}
