/**
 * The order of each type: what min, max, sort and top-k compare by. Numbers by value with NaN above all, false before
 * true, text by code points, decimals by value, bytes as unsigned, json as Postgres jsonb, arrays element by element.
 * Null comes last unless asked otherwise.
 *
 * A column's order has ties that identity tells apart: -0 and 0, '1.0' and '1.00'. An exact order ends them (-0 first,
 * fewer digits first), so that it is 0 for identical values only. Rows sorted by several columns compare without
 * `exact` first, and settle ties with it last.
 */
import type { ColumnType } from './column-type.ts'
import type { Dictionary } from './dictionary.ts'
import { isNullAt, toFloat } from './value-codec.ts'
import { stringOrder } from './value-order.ts'

/** Negative when row `rowA` of a column comes before row `rowB` of another, positive when after, else 0. */
export type Comparator = (columnA: Int32Array, rowA: number, columnB: Int32Array, rowB: number, dictionary: Dictionary) => number

export interface OrderOptions {
  readonly nullsFirst?: boolean
  /** Whether only identical values compare as 0; true unless said otherwise. */
  readonly exact?: boolean
}

/** The comparator of a type; make it once, outside loops. */
export function comparatorOf(type: ColumnType, options: OrderOptions = {}): Comparator {
  const compare = notNullComparator(type, options.exact ?? true)
  if (!type.nullable) return compare
  const nullSign = options.nullsFirst === true ? -1 : 1
  return (columnA, rowA, columnB, rowB, dictionary) => {
    const nullA = isNullAt(type, columnA, rowA)
    const nullB = isNullAt(type, columnB, rowB)
    if (nullA || nullB) return nullA === nullB ? 0 : nullA ? nullSign : -nullSign
    return compare(columnA, rowA, columnB, rowB, dictionary)
  }
}

const exactComparators = new WeakMap<ColumnType, Comparator>()

/** Compares two values of one type exactly, null last. */
export function compareValues(
  type: ColumnType,
  columnA: Int32Array,
  rowA: number,
  columnB: Int32Array,
  rowB: number,
  dictionary: Dictionary,
): number {
  let compare = exactComparators.get(type)
  if (compare === undefined) {
    compare = comparatorOf(type)
    exactComparators.set(type, compare)
  }
  return compare(columnA, rowA, columnB, rowB, dictionary)
}

function notNullComparator(type: ColumnType, exact: boolean): Comparator {
  switch (type.kind) {
    case 'int32':
      return type.nullable ? compareSpacedWords : compareWords
    case 'bool':
      return compareWords
    case 'int64':
      return type.nullable ? compareSpacedLongs : compareLongs
    case 'timestamp':
      return compareLongs
    case 'float64':
      return exact ? compareFloatsExactly : compareFloats
    default: {
      const compare = stringOrder(type, exact)
      return (columnA, rowA, columnB, rowB, dictionary) => {
        const a = columnA[rowA] as number
        const b = columnB[rowB] as number
        return a === b ? 0 : compare(dictionary.get(a), dictionary.get(b))
      }
    }
  }
}

const compareWords: Comparator = (columnA, rowA, columnB, rowB) => {
  const a = columnA[rowA] as number
  const b = columnB[rowB] as number
  return a < b ? -1 : a > b ? 1 : 0
}

const compareSpacedWords: Comparator = (columnA, rowA, columnB, rowB) => {
  const a = columnA[2 * rowA] as number
  const b = columnB[2 * rowB] as number
  return a < b ? -1 : a > b ? 1 : 0
}

/** Compares the two words of int64 without a BigInt: high words signed, low words unsigned. */
function compareLongAt(columnA: Int32Array, atA: number, columnB: Int32Array, atB: number): number {
  const highA = columnA[atA + 1] as number
  const highB = columnB[atB + 1] as number
  if (highA !== highB) return highA < highB ? -1 : 1
  const lowA = (columnA[atA] as number) >>> 0
  const lowB = (columnB[atB] as number) >>> 0
  return lowA < lowB ? -1 : lowA > lowB ? 1 : 0
}

const compareLongs: Comparator = (columnA, rowA, columnB, rowB) => compareLongAt(columnA, 2 * rowA, columnB, 2 * rowB)
const compareSpacedLongs: Comparator = (columnA, rowA, columnB, rowB) => compareLongAt(columnA, 3 * rowA, columnB, 3 * rowB)

const compareFloats: Comparator = (columnA, rowA, columnB, rowB) => {
  const a = toFloat(columnA[2 * rowA] as number, columnA[2 * rowA + 1] as number)
  const b = toFloat(columnB[2 * rowB] as number, columnB[2 * rowB + 1] as number)
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return 0
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

const compareFloatsExactly: Comparator = (columnA, rowA, columnB, rowB, dictionary) => {
  const result = compareFloats(columnA, rowA, columnB, rowB, dictionary)
  if (result !== 0) return result
  // Of equal floats only zeros differ in words: the high word of -0 is the least int32.
  const a = columnA[2 * rowA + 1] as number
  const b = columnB[2 * rowB + 1] as number
  return a < b ? -1 : a > b ? 1 : 0
}
