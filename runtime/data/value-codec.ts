/** One value to and from the words of its column: the plain definition of the table in `column-type.ts`. */
import type { ColumnType } from './column-type.ts'
import { NULL_BOOL, NULL_FLOAT_HIGH, NULL_FLOAT_LOW, NULL_ID, NULL_TIMESTAMP_HIGH } from './column-type.ts'
import { checkWellFormed, type Dictionary } from './dictionary.ts'
import { decode, encode, microseconds, wrongType } from './value-encoding.ts'

/** What gives a string its id: a Dictionary, or `lookupOnly` of one. */
export interface Interner {
  intern(s: string): number
}

/** Ids for lookups: a string that nobody has interned gets -1, which equals no row's id, and is not added. */
export function lookupOnly(dictionary: Dictionary): Interner {
  return { intern: (s) => dictionary.find(s) }
}

/** Checks strings as a dictionary would, and keeps nothing. */
const CHECKING: Interner = {
  intern(s) {
    checkWellFormed(s)
    return 1
  },
}

/** High word of the one NaN; its low word is 0. */
export const NAN_HIGH = 0x7ff80000

const words = new Int32Array(4)
const longs = new BigInt64Array(words.buffer)
const floats = new Float64Array(words.buffer)

/** The bigint of two words. */
export function toBigInt(low: number, high: number): bigint {
  words[0] = low
  words[1] = high
  return longs[0] as bigint
}

/** The double of two words. */
export function toFloat(low: number, high: number): number {
  words[0] = low
  words[1] = high
  return floats[0] as number
}

/**
 * Writes a value as row `row` of a column.
 * @throws MillraceError COLUMN_TYPE when the value is not of the type; the column may be half written then.
 */
export function writeValue(type: ColumnType, value: unknown, column: Int32Array, row: number, ids: Interner): void {
  const at = row * type.width
  if (value === null && type.nullable) {
    writeNull(type, column, at)
    return
  }
  switch (type.kind) {
    case 'int32':
      if (typeof value !== 'number' || (value | 0) !== value) throw wrongType(type, value)
      column[at] = value
      if (type.nullable) column[at + 1] = 0
      return
    case 'bool':
      if (typeof value !== 'boolean') throw wrongType(type, value)
      column[at] = value ? 1 : 0
      return
    case 'int64':
      if (typeof value !== 'bigint') throw wrongType(type, value)
      longs[0] = value
      if (longs[0] !== value) throw wrongType(type, value)
      column[at] = words[0] as number
      column[at + 1] = words[1] as number
      if (type.nullable) column[at + 2] = 0
      return
    case 'timestamp':
      longs[0] = microseconds(type, value)
      column[at] = words[0] as number
      column[at + 1] = words[1] as number
      return
    case 'float64':
      if (typeof value !== 'number') throw wrongType(type, value)
      floats[0] = value
      column[at] = Number.isNaN(value) ? 0 : (words[0] as number)
      column[at + 1] = Number.isNaN(value) ? NAN_HIGH : (words[1] as number)
      return
    default:
      column[at] = ids.intern(encode(type, value))
  }
}

function writeNull(type: ColumnType, column: Int32Array, at: number): void {
  switch (type.kind) {
    case 'int32':
      column[at] = 0
      column[at + 1] = 1
      return
    case 'int64':
      column[at] = 0
      column[at + 1] = 0
      column[at + 2] = 1
      return
    case 'bool':
      column[at] = NULL_BOOL
      return
    case 'timestamp':
      column[at] = 0
      column[at + 1] = NULL_TIMESTAMP_HIGH
      return
    case 'float64':
      column[at] = NULL_FLOAT_LOW
      column[at + 1] = NULL_FLOAT_HIGH
      return
    default:
      column[at] = NULL_ID
  }
}

/** Whether row `row` of a column is null. */
export function isNullAt(type: ColumnType, column: Int32Array, row: number): boolean {
  if (!type.nullable) return false
  const at = row * type.width
  switch (type.kind) {
    case 'int32':
      return column[at + 1] === 1
    case 'int64':
      return column[at + 2] === 1
    case 'bool':
      return column[at] === NULL_BOOL
    case 'timestamp':
      return column[at + 1] === NULL_TIMESTAMP_HIGH && column[at] === 0
    case 'float64':
      return column[at + 1] === NULL_FLOAT_HIGH && column[at] === NULL_FLOAT_LOW
    default:
      return column[at] === NULL_ID
  }
}

/** The value in row `row` of a column. */
export function readValue(type: ColumnType, column: Int32Array, row: number, dictionary: Dictionary): unknown {
  if (isNullAt(type, column, row)) return null
  const at = row * type.width
  const low = column[at] as number
  switch (type.kind) {
    case 'int32':
      return low
    case 'bool':
      return low === 1
    case 'int64':
    case 'timestamp':
      return toBigInt(low, column[at + 1] as number)
    case 'float64':
      return toFloat(low, column[at + 1] as number)
    case 'text':
      return dictionary.get(low)
    default:
      return decode(type, dictionary.get(low))
  }
}

const checked = new Int32Array(3)

/**
 * Refuses what `writeValue` would refuse, and writes nothing.
 * @throws MillraceError COLUMN_TYPE
 */
export function checkValue(type: ColumnType, value: unknown): void {
  writeValue(type, value, checked, 0, CHECKING)
}
