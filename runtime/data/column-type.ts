/**
 * Column types: what a value of a column is, and how many int32 words store it.
 *
 * Physical storage of a column is one `Int32Array` with `width` consecutive words a row:
 *
 * | kind                                | nullable | width | words                                           |
 * |-------------------------------------|----------|-------|-------------------------------------------------|
 * | int32                               | no       | 1     | the value                                       |
 * | int32                               | yes      | 2     | the value, null flag (1 = null, value 0 then)   |
 * | bool                                | both     | 1     | 0, 1, null = 2                                  |
 * | text, decimal, bytes, json, array   | both     | 1     | interned id (from 1), null = 0                  |
 * | int64                               | no       | 2     | low, high                                       |
 * | int64                               | yes      | 3     | low, high, null flag (1 = null, 0, 0 then)      |
 * | timestamp (microseconds since 1970) | both     | 2     | low, high; null = (0, 0x80000000)               |
 * | float64                             | both     | 2     | low, high; null = (1, 0x7ff80001); one NaN only |
 *
 * Two rows are identical exactly if all their words are equal: that is the identity encoding. The key encoding
 * (`key-encoding.ts`) and the order (`order.ts`) are coarser and finer relations that each type defines as well.
 */
export type Kind = 'int32' | 'int64' | 'float64' | 'bool' | 'text' | 'timestamp' | 'decimal' | 'bytes' | 'json' | 'array'

export interface ColumnType<T = unknown, K extends Kind = Kind> {
  readonly kind: K
  readonly nullable: boolean
  /** int32 words a value. */
  readonly width: 1 | 2 | 3
  /** The element type of an array. */
  readonly element?: ColumnType
  /** Checks or refines a json value; throws or returns the value to store. */
  readonly validate?: (value: unknown) => unknown
  /** Carries the JavaScript type of a value; never present at run time. */
  readonly value?: T
}

export const NULL_FLOAT_LOW = 1
export const NULL_FLOAT_HIGH = 0x7ff80001
export const NULL_TIMESTAMP_HIGH = -0x80000000
export const NULL_BOOL = 2
export const NULL_ID = 0

/** Whether a value of this type is an interned id. */
export function isInterned(type: ColumnType): boolean {
  switch (type.kind) {
    case 'text':
    case 'decimal':
    case 'bytes':
    case 'json':
    case 'array':
      return true
    default:
      return false
  }
}

function widthOf(kind: Kind, nullable: boolean): 1 | 2 | 3 {
  switch (kind) {
    case 'int32':
      return nullable ? 2 : 1
    case 'int64':
      return nullable ? 3 : 2
    case 'timestamp':
    case 'float64':
      return 2
    default:
      return 1
  }
}

function scalar<T, K extends Kind>(kind: K): ColumnType<T, K> {
  return { kind, nullable: false, width: widthOf(kind, false) }
}

/** A whole number from -2^31 to 2^31 - 1; a JavaScript number. */
export const int32 = scalar<number, 'int32'>('int32')
/** A whole number exact to 64 bits; a bigint. */
export const int64 = scalar<bigint, 'int64'>('int64')
/** An IEEE double; a JavaScript number. All NaN are one. */
export const float64 = scalar<number, 'float64'>('float64')
export const bool = scalar<boolean, 'bool'>('bool')
/** A well-formed Unicode string; lone surrogates are refused. */
export const text = scalar<string, 'text'>('text')
/** Microseconds since 1970-01-01T00:00:00Z; a bigint. */
export const timestamp = scalar<bigint, 'timestamp'>('timestamp')
/** An exact decimal number; a string such as '1.10'. '1.1' and '1.10' are two values and one key. */
export const decimal = scalar<string, 'decimal'>('decimal')
export const bytes = scalar<Uint8Array, 'bytes'>('bytes')

/** Any JSON value. `validate` may be a function or anything with a synchronous Standard Schema `validate`. */
export function json<T = unknown>(validate?: (value: unknown) => T): ColumnType<T, 'json'> {
  const type: ColumnType<T, 'json'> = { kind: 'json', nullable: false, width: 1 }
  return validate === undefined ? type : { ...type, validate }
}

export function array<T>(element: ColumnType<T>): ColumnType<readonly T[], 'array'> {
  return { kind: 'array', nullable: false, width: 1, element }
}

/** The same type with null among its values. */
export function nullable<T, K extends Kind>(type: ColumnType<T, K>): ColumnType<T | null, K> {
  return { ...type, nullable: true, width: widthOf(type.kind, true) } as ColumnType<T | null, K>
}
