/**
 * Values of columns in URLs and in JSON.
 *
 * | type      | in JSON                                                         | in a URL                                  |
 * |-----------|-----------------------------------------------------------------|-------------------------------------------|
 * | int32     | number                                                          | digits                                    |
 * | int64     | number up to 2^53 - 1 either way, else a string of digits       | digits                                    |
 * | float64   | number; "NaN", "Infinity", "-Infinity"                          | as JavaScript writes them                 |
 * | bool      | true, false                                                     | true, false                               |
 * | text      | string                                                          | as it is                                  |
 * | timestamp | "2026-01-31T12:30:00.123456Z", always six digits and UTC        | the same, fewer digits, or microseconds   |
 * | decimal   | string, with the digits as they are                             | digits                                    |
 * | bytes     | base64                                                          | base64 or base64url                       |
 * | json      | itself                                                          | JSON                                      |
 * | array     | array                                                           | JSON                                      |
 */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { typeName } from '../../runtime/data/schema.ts'
import { encode } from '../../runtime/data/value-encoding.ts'
import { MillraceError } from '../../runtime/error.ts'

const LARGEST_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const INT64_MINIMUM = -(1n << 63n)
const INT64_MAXIMUM = (1n << 63n) - 1n
/** Milliseconds that a Date can hold, either way. */
const LAST_DATE = 8_640_000_000_000_000n

export type JsonEncoder = (value: unknown) => unknown

/** What JSON.stringify gets for values of a type. */
export function jsonEncoder(type: ColumnType): JsonEncoder {
  const notNull = notNullEncoder(type)
  return type.nullable ? (value) => (value === null ? null : notNull(value)) : notNull
}

function notNullEncoder(type: ColumnType): JsonEncoder {
  switch (type.kind) {
    case 'int64':
      return (value) => {
        const number = value as bigint
        return number <= LARGEST_SAFE && number >= -LARGEST_SAFE ? Number(number) : number.toString()
      }
    case 'timestamp':
      return (value) => isoMicroseconds(BigInt(value as bigint | number))
    case 'float64':
      return (value) => (Number.isFinite(value) ? value : String(value))
    case 'bytes':
      return (value) => base64(value as Uint8Array)
    case 'array': {
      const element = jsonEncoder(type.element as ColumnType)
      return (value) => (value as readonly unknown[]).map(element)
    }
    default:
      return (value) => value
  }
}

/** A moment, to the microsecond, in UTC; digits alone where no calendar reaches. */
export function isoMicroseconds(microseconds: bigint): string {
  const fraction = ((microseconds % 1000n) + 1000n) % 1000n
  const milliseconds = (microseconds - fraction) / 1000n
  if (milliseconds > LAST_DATE || milliseconds < -LAST_DATE) return microseconds.toString()
  return new Date(Number(milliseconds)).toISOString().replace('Z', `${fraction.toString().padStart(3, '0')}Z`)
}

function base64(bytes: Uint8Array): string {
  let characters = ''
  // Arguments of one call live on the stack: slices keep that bounded.
  for (let from = 0; from < bytes.length; from += 4096) characters += String.fromCharCode(...bytes.subarray(from, from + 4096))
  return btoa(characters)
}

/**
 * The value that a text in a URL stands for.
 * @throws MillraceError COLUMN_TYPE
 */
export function parseText(type: ColumnType, text: string): unknown {
  if (type.nullable && type.kind !== 'text' && (text === 'null' || text === '')) return null
  switch (type.kind) {
    case 'int32': {
      const value = whole(type, text)
      if (value > 0x7fffffffn || value < -0x80000000n) throw wrong(type, text)
      return Number(value)
    }
    case 'int64':
      return whole(type, text)
    case 'float64': {
      const value = text.trim() === '' ? Number.NaN : Number(text)
      if (Number.isNaN(value) && text !== 'NaN') throw wrong(type, text)
      return value
    }
    case 'bool':
      if (text !== 'true' && text !== 'false') throw wrong(type, text, 'Write true or false.')
      return text === 'true'
    case 'timestamp':
      return parseTimestamp(type, text)
    case 'bytes':
      return parseBase64(type, text)
    case 'json':
    case 'array':
      return fromJson(type, parseJson(type, text))
    case 'decimal':
    case 'text':
      encode(type, text)
      return text
  }
}

/** The value that a JSON value of a URL stands for. */
function fromJson(type: ColumnType, value: unknown): unknown {
  if (value === null && type.nullable) return null
  switch (type.kind) {
    case 'json':
      return value
    case 'array':
      if (!Array.isArray(value)) throw wrong(type, JSON.stringify(value), 'Write a JSON array.')
      return value.map((element) => fromJson(type.element as ColumnType, element))
    case 'text':
      if (typeof value !== 'string') throw wrong(type, JSON.stringify(value))
      return value
    default:
      return parseText(type, typeof value === 'string' ? value : JSON.stringify(value))
  }
}

function parseJson(type: ColumnType, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrong(type, text, 'Write JSON, with the characters that URLs reserve percent-encoded.')
  }
}

function whole(type: ColumnType, text: string): bigint {
  const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : null
  if (value === null || value > INT64_MAXIMUM || value < INT64_MINIMUM) throw wrong(type, text, 'Write a whole number.')
  return value
}

const ISO = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:Z|([+-])(\d\d):?(\d\d)))?$/i

function parseTimestamp(type: ColumnType, text: string): bigint {
  if (/^-?\d+$/.test(text)) return whole(type, text)
  // In a URL, + is a space.
  const match = ISO.exec(text.replace(/ (?=\d\d:?\d\d$)/, '+'))
  if (match === null) throw wrong(type, text, 'Write 2026-01-31T12:30:00Z, or microseconds since 1970.')
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match
  const date = new Date(0)
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const isDay = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) throw wrong(type, text, 'There is no such moment.')
  const offset = (sign === '-' ? -1 : 1) * (Number(offsetHour) * 60 + Number(offsetMinute))
  date.setUTCHours(Number(hour), Number(minute) - offset, Number(second))
  return BigInt(date.getTime()) * 1000n + BigInt(fraction.padEnd(6, '0'))
}

function parseBase64(type: ColumnType, text: string): Uint8Array {
  try {
    // In a URL, + is a space.
    const characters = atob(text.replaceAll('-', '+').replaceAll('_', '/').replaceAll(' ', '+'))
    return Uint8Array.from(characters, (character) => character.charCodeAt(0))
  } catch {
    throw wrong(type, text, 'Write base64.')
  }
}

function wrong(type: ColumnType, text: string, hint?: string): MillraceError {
  const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
  return new MillraceError('COLUMN_TYPE', `expected ${typeName(type)}, got ${shown}`, hint)
}
