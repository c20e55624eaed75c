/** Bulk input by columns: typed arrays or plain arrays to the words of a batch. */
import { MillraceError } from '../error.ts'
import type { Batch } from './batch.ts'
import type { ColumnType } from './column-type.ts'
import type { Dictionary } from './dictionary.ts'
import { floatView } from './row-kernels.ts'
import { NAN_HIGH, writeValue } from './value-codec.ts'

/** Below this many rows a loop copies faster than `set`. */
const SET_ROWS = 16
const NULL_TIMESTAMP = -(2n ** 63n)

/** Writes values[from] up to values[to - 1] as column k of the batch, from row `at` on; throws for a wrong value. */
export function writeColumn(
  type: ColumnType,
  values: ArrayLike<unknown>,
  from: number,
  to: number,
  batch: Batch,
  k: number,
  at: number,
  dictionary: Dictionary,
): void {
  const column = batch.columns[k] as Int32Array
  if (type.kind === 'int32' && !type.nullable) {
    if (values instanceof Int32Array) copyWords(values, from, to, column, at)
    else writeInts(type, values, from, to, column, at)
  } else if (type.kind === 'text' && !type.nullable) writeTexts(type, values, from, to, column, at, dictionary)
  else if (type.kind === 'float64' && values instanceof Float64Array) writeFloats(values, from, to, column, floatView(batch, k), at)
  else if (values instanceof BigInt64Array && (type.kind === 'timestamp' || (type.kind === 'int64' && !type.nullable))) {
    if (type.kind === 'timestamp') refuseNullTimestamp(type, values, from, to)
    copyLongs(values, from, to, column, at)
  } else if (type.kind === 'bool' && values instanceof Uint8Array) writeBools(type, values, from, to, column, at)
  else writeAny(type, values, from, to, column, at, dictionary)
}

/** Differences of the rows: one number for all, or a number each. */
export function writeDifferences(differences: ArrayLike<number> | number, from: number, to: number, out: Int32Array, at: number): void {
  if (typeof differences !== 'number') {
    if (differences instanceof Int32Array) copyWords(differences, from, to, out, at)
    else {
      for (let i = from; i < to; i++) {
        const difference = differences[i] as number
        if ((difference | 0) !== difference) throw wrongDifference(difference, i)
        out[at + i - from] = difference
      }
    }
    return
  }
  if ((differences | 0) !== differences) throw wrongDifference(differences, from)
  for (let j = at, end = at + to - from; j < end; j++) out[j] = differences
}

function wrongDifference(difference: unknown, row: number): MillraceError {
  return new MillraceError('BAD_ROW', `difference of row ${row}: expected int32, got ${String(difference)}`)
}

function copyWords(values: Int32Array, from: number, to: number, out: Int32Array, at: number): void {
  const n = to - from
  if (n < SET_ROWS) for (let j = 0; j < n; j++) out[at + j] = values[from + j] as number
  else out.set(from === 0 && to === values.length ? values : values.subarray(from, to), at)
}

function copyLongs(values: BigInt64Array, from: number, to: number, out: Int32Array, at: number): void {
  // Through the words: a loop over the bigints themselves makes one object a row.
  copyWords(new Int32Array(values.buffer, values.byteOffset + 8 * from, 2 * (to - from)), 0, 2 * (to - from), out, 2 * at)
}

function refuseNullTimestamp(type: ColumnType, values: BigInt64Array, from: number, to: number): void {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * values.length)
  for (let i = from; i < to; i++) {
    if (words[2 * i + 1] === -0x80000000 && words[2 * i] === 0) writeValue(type, NULL_TIMESTAMP, words, i, NO_IDS)
  }
}

const NO_IDS = { intern: () => 0 }

function writeInts(type: ColumnType, values: ArrayLike<unknown>, from: number, to: number, out: Int32Array, at: number): void {
  for (let i = from; i < to; i++) {
    const value = values[i] as number
    if (typeof value !== 'number' || (value | 0) !== value) writeValue(type, value, out, at, NO_IDS)
    out[at + i - from] = value
  }
}

function writeTexts(
  type: ColumnType,
  values: ArrayLike<unknown>,
  from: number,
  to: number,
  out: Int32Array,
  at: number,
  dictionary: Dictionary,
): void {
  for (let i = from; i < to; i++) {
    const value = values[i]
    if (typeof value !== 'string') writeValue(type, value, out, at, dictionary)
    out[at + i - from] = dictionary.intern(value as string)
  }
}

function writeFloats(values: Float64Array, from: number, to: number, words: Int32Array, floats: Float64Array, at: number): void {
  for (let i = from, m = at; i < to; i++, m++) {
    const value = values[i] as number
    if (Number.isNaN(value)) {
      words[2 * m] = 0
      words[2 * m + 1] = NAN_HIGH
    } else floats[m] = value
  }
}

/** Bytes 0 and 1, and 2 for null. */
function writeBools(type: ColumnType, values: Uint8Array, from: number, to: number, out: Int32Array, at: number): void {
  const most = type.nullable ? 2 : 1
  for (let i = from; i < to; i++) {
    const value = values[i] as number
    if (value > most) writeValue(type, value, out, at, NO_IDS)
    out[at + i - from] = value
  }
}

function writeAny(
  type: ColumnType,
  values: ArrayLike<unknown>,
  from: number,
  to: number,
  out: Int32Array,
  at: number,
  dictionary: Dictionary,
): void {
  for (let i = from; i < to; i++) writeValue(type, values[i], out, at + i - from, dictionary)
}
