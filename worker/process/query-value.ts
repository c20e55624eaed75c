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
import { BadValue, bad } from '../../runtime/text/bad-value.ts'
import { decodeBase64 } from '../../runtime/text/base64.ts'
import { parseDecimal, parseFloat64, parseInt32, parseInt64, parseMicroseconds } from '../../runtime/text/text-value.ts'
import { parseTimestamp } from '../../runtime/text/timestamp-text.ts'

const LARGEST_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
/** As JSON answers write them. */
const NOT_FINITE = new Set(['NaN', 'Infinity', '-Infinity'])
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
  try {
    return notNullValue(type, text)
  } catch (error) {
    throw error instanceof BadValue ? wrong(type, text, `${error.message}.`) : error
  }
}

function notNullValue(type: ColumnType, text: string): unknown {
  switch (type.kind) {
    case 'int32':
      return parseInt32(text)
    case 'int64':
      return parseInt64(text)
    case 'float64':
      return NOT_FINITE.has(text) ? Number(text) : parseFloat64(text)
    case 'bool':
      return text === 'true' || (text === 'false' ? false : bad('write true or false'))
    case 'timestamp':
      // In a URL, + is a space.
      return /^-?\d+$/.test(text) ? parseMicroseconds(text) : parseTimestamp(text.replace(/ (?=\d\d:?\d\d$)/, '+'))
    case 'decimal':
      return parseDecimal(text)
    case 'bytes': {
      const characters = text.replaceAll('-', '+').replaceAll('_', '/').replaceAll(' ', '+')
      return decodeBase64(characters.padEnd(4 * Math.ceil(characters.length / 4), '=')) ?? bad('write base64, or base64url')
    }
    case 'json':
    case 'array':
      return fromJson(type, parseJson(type, text))
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

function wrong(type: ColumnType, text: string, hint?: string): MillraceError {
  const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
  return new MillraceError('COLUMN_TYPE', `expected ${typeName(type)}, got ${shown}`, hint)
}
