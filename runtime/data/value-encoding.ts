/**
 * The strings that stand for values of the interned types. Equal strings mean identical values, so every encoding is
 * canonical: one string a value. The string of a text value is the value itself.
 *
 * | kind    | string                                                                                            |
 * |---------|---------------------------------------------------------------------------------------------------|
 * | decimal | digits as given ('1.10' stays), without '+', leading zeros or the sign of zero                    |
 * | bytes   | one character a byte, U+0000 to U+00FF                                                            |
 * | json    | JSON text without white space, keys sorted by UTF-16 units                                        |
 * | array   | a JSON array; int64, timestamp, decimal, bytes and non-finite floats as JSON strings, null as null |
 *
 * Inside an array a nullable json element is wrapped in an array of one, which tells null from the JSON value null.
 */
import { MillraceError } from '../error.ts'
import type { ColumnType } from './column-type.ts'
import { checkWellFormed } from './dictionary.ts'
import { typeName } from './schema.ts'

/** Deepest nesting of a json or array value; deeper values are refused (they would exhaust the stack). */
export const MAX_NESTING = 1000
/** Most characters of a decimal: as many digits as Postgres takes before and after the point, and a sign. */
export const MAX_DECIMAL_LENGTH = 147_457

export const INT64_MIN = -(2n ** 63n)
export const INT64_MAX = 2n ** 63n - 1n

/**
 * The canonical string of a value that is not null.
 * @throws MillraceError COLUMN_TYPE when the value is not of the type.
 */
export function encode(type: ColumnType, value: unknown): string {
  switch (type.kind) {
    case 'text':
      return encodeText(value)
    case 'decimal':
      return encodeDecimal(value)
    case 'bytes':
      return encodeBytes(value)
    case 'json':
      return encodeJson(type, value)
    case 'array':
      return encodeArray(type, value, 0)
    default:
      throw new MillraceError('INVARIANT', `invariant broken: ${typeName(type)} is not interned`)
  }
}

/** The value of a canonical string, made anew on each call so that a caller may change it. */
export function decode(type: ColumnType, s: string): unknown {
  switch (type.kind) {
    case 'text':
    case 'decimal':
      return s
    case 'bytes':
      return decodeBytes(s)
    case 'json':
      return JSON.parse(s)
    case 'array':
      return fromJsonArray(type, JSON.parse(s) as unknown[])
    default:
      throw new MillraceError('INVARIANT', `invariant broken: ${typeName(type)} is not interned`)
  }
}

/** A value in an error message: short, and with its type told by its look. */
export function shownValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
    case 'bigint':
      return `${value}n`
    case 'function':
      return 'a function'
    case 'symbol':
      return 'a symbol'
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'object': {
      if (value === null) return 'null'
      if (value instanceof Date) return 'a Date'
      if (Array.isArray(value)) return `an array of ${value.length}`
      return `an object (${value.constructor?.name ?? 'without prototype'})`
    }
    default:
      return String(value)
  }
}

export function wrongType(type: ColumnType, value: unknown): MillraceError {
  return new MillraceError('COLUMN_TYPE', `expected ${typeName(type)}, got ${shownValue(value)}`)
}

function encodeText(value: unknown): string {
  if (typeof value !== 'string') throw new MillraceError('COLUMN_TYPE', `expected text, got ${shownValue(value)}`)
  return value
}

const DECIMAL = /^([+-]?)0*(\d*)(?:\.(\d*))?$/

function encodeDecimal(value: unknown): string {
  const match = typeof value === 'string' && value.length <= MAX_DECIMAL_LENGTH ? DECIMAL.exec(value) : null
  if (match === null || !/\d/.test(value as string)) {
    throw new MillraceError(
      'COLUMN_TYPE',
      `expected decimal, got ${shownValue(value)}`,
      "A decimal is a string of digits with an optional sign and point, such as '-12.50'; exponents are not taken.",
    )
  }
  const [, sign, whole, fraction] = match as unknown as [string, string, string, string | undefined]
  const digits = fraction === undefined || fraction === '' ? whole || '0' : `${whole || '0'}.${fraction}`
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits
}

function encodeBytes(value: unknown): string {
  if (!(value instanceof Uint8Array)) {
    throw new MillraceError('COLUMN_TYPE', `expected bytes, got ${shownValue(value)}`, 'Bytes are given as a Uint8Array.')
  }
  let s = ''
  // Arguments of one call live on the stack: slices keep that bounded.
  for (let from = 0; from < value.length; from += 4096) {
    s += String.fromCharCode.apply(null, value.subarray(from, from + 4096) as unknown as number[])
  }
  return s
}

function decodeBytes(s: string): Uint8Array {
  const bytes = new Uint8Array(s.length)
  for (let i = 0; i < s.length; i++) bytes[i] = s.charCodeAt(i)
  return bytes
}

function encodeJson(type: ColumnType, value: unknown): string {
  return canonicalJson(type.validate === undefined ? value : validated(type.validate, value), '$', [])
}

/** What part of the Standard Schema interface (standardschema.dev) is used here. */
interface StandardSchema {
  readonly '~standard': {
    validate(value: unknown): { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly { message: string }[] }
  }
}

/** Applies a json column's `validate`: a function that returns the value to store or throws, or a Standard Schema. */
function validated(validate: unknown, value: unknown): unknown {
  const standard = (validate as Partial<StandardSchema>)['~standard']
  if (standard === undefined) {
    try {
      return (validate as (value: unknown) => unknown)(value)
    } catch (error) {
      throw new MillraceError('COLUMN_TYPE', `the column's validation refuses it: ${(error as Error)?.message ?? error}`, undefined, {
        cause: error,
      })
    }
  }
  const result = standard.validate(value)
  if (typeof (result as { then?: unknown }).then === 'function') {
    throw new MillraceError('COLUMN_TYPE', "the column's schema validates asynchronously", 'Columns take synchronous schemas only.')
  }
  if (result.issues !== undefined) {
    throw new MillraceError('COLUMN_TYPE', `the column's schema refuses it: ${result.issues.map((issue) => issue.message).join('; ')}`)
  }
  return result.value
}

/** JSON text with sorted keys; `path` names the place in errors, `ancestors` finds cycles. */
function canonicalJson(value: unknown, path: string, ancestors: unknown[]): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (!Number.isFinite(value)) throw notJson(value, path)
      return JSON.stringify(value)
    case 'object':
      break
    default:
      throw notJson(value, path)
  }
  if (value === null) return 'null'
  if (ancestors.includes(value)) throw new MillraceError('COLUMN_TYPE', `the value at ${path} contains itself`, 'JSON has no cycles.')
  if (ancestors.length >= MAX_NESTING) throw tooDeep()
  ancestors.push(value)
  let text: string
  if (Array.isArray(value)) {
    // A loop, not map: map would skip holes, which are undefined and no JSON.
    text = '['
    for (let i = 0; i < value.length; i++) text += `${i === 0 ? '' : ','}${canonicalJson(value[i], `${path}[${i}]`, ancestors)}`
    text += ']'
  } else {
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw notJson(value, path)
    text = '{'
    for (const key of Object.keys(value).sort()) {
      const member = canonicalJson((value as Record<string, unknown>)[key], `${path}.${key}`, ancestors)
      text += `${text.length === 1 ? '' : ','}${JSON.stringify(key)}:${member}`
    }
    text += '}'
  }
  ancestors.pop()
  return text
}

function notJson(value: unknown, path: string): MillraceError {
  return new MillraceError(
    'COLUMN_TYPE',
    `${shownValue(value)} at ${path} is no JSON value`,
    'JSON has objects, arrays, strings, finite numbers, booleans and null; leave out a property instead of setting it to undefined.',
  )
}

function tooDeep(): MillraceError {
  return new MillraceError('COLUMN_TYPE', `the value is nested deeper than ${MAX_NESTING} levels`)
}

function encodeArray(type: ColumnType, value: unknown, depth: number): string {
  if (!Array.isArray(value)) throw wrongType(type, value)
  if (depth >= MAX_NESTING) throw tooDeep()
  const element = type.element as ColumnType
  let text = '['
  for (let i = 0; i < value.length; i++) {
    if (i > 0) text += ','
    try {
      text += toJson(element, value[i], depth)
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'COLUMN_TYPE') {
        throw new MillraceError('COLUMN_TYPE', `element ${i}: ${error.message}`, undefined, { cause: error })
      }
      throw error
    }
  }
  return `${text}]`
}

/** A value, or null where the type lets it, as JSON text: as in an array. `depth` counts the arrays around it. */
export function toJson(type: ColumnType, value: unknown, depth = 0): string {
  if (value === null && type.nullable) return 'null'
  switch (type.kind) {
    case 'int32':
      if (((value as number) | 0) !== value) throw wrongType(type, value)
      return String(value)
    case 'bool':
      if (typeof value !== 'boolean') throw wrongType(type, value)
      return String(value)
    case 'float64':
      if (typeof value !== 'number') throw wrongType(type, value)
      if (!Number.isFinite(value)) return `"${value}"`
      return Object.is(value, -0) ? '-0' : String(value)
    case 'int64':
      if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) throw wrongType(type, value)
      return `"${value}"`
    case 'timestamp':
      return `"${microseconds(type, value)}"`
    case 'text': {
      const s = encodeText(value)
      checkWellFormed(s)
      return JSON.stringify(s)
    }
    case 'json':
      return type.nullable ? `[${encodeJson(type, value)}]` : encodeJson(type, value)
    case 'array':
      return encodeArray(type, value, depth + 1)
    default:
      return JSON.stringify(encode(type, value))
  }
}

/**
 * Microseconds since 1970 of a timestamp value: a bigint, or a Date.
 * @throws MillraceError COLUMN_TYPE when it is neither, or out of range. The least int64 stands for null.
 */
export function microseconds(type: ColumnType, value: unknown): bigint {
  if (typeof value === 'bigint' && value > INT64_MIN && value <= INT64_MAX) return value
  if (value instanceof Date && !Number.isNaN(value.getTime())) return BigInt(value.getTime()) * 1000n
  throw wrongType(type, value)
}

function fromJsonArray(type: ColumnType, values: unknown[]): unknown[] {
  const element = type.element as ColumnType
  return values.map((value) => fromJson(element, value))
}

/** The value of what `toJson` wrote, parsed. */
export function fromJson(type: ColumnType, value: unknown): unknown {
  if (value === null && type.kind !== 'json') return null
  switch (type.kind) {
    case 'int64':
    case 'timestamp':
      return BigInt(value as string)
    case 'float64':
      return Number(value)
    case 'bytes':
      return decodeBytes(value as string)
    case 'json':
      return !type.nullable || value === null ? value : (value as unknown[])[0]
    case 'array':
      return fromJsonArray(type, value as unknown[])
    default:
      return value
  }
}
