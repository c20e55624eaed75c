/** count(x), sum(x) and avg(x): exact sums and counts of what is not null, which any order of changes leaves the same. */
import { type Batch, grown } from '../runtime/data/batch.ts'
import { type ColumnType, NULL_FLOAT_HIGH, NULL_FLOAT_LOW } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { ExactFloatSums } from '../runtime/data/exact-sum.ts'
import { IntegerSums } from '../runtime/data/integer-sum.ts'
import { isNullAt, NAN_HIGH } from '../runtime/data/value-codec.ts'
import type { Accumulator } from './accumulator.ts'

const TWO_TO_32 = 0x100000000

/** Per key how many rows have a value. */
class PresentCounts {
  /** Doubles, which are exact far beyond int32. */
  counts = new Float64Array(0)

  get bytes(): number {
    return this.counts.byteLength
  }

  grow(capacity: number): void {
    this.counts = grown(this.counts, capacity)
  }

  add(ids: Int32Array, type: ColumnType, column: Int32Array, differences: Int32Array, n: number): void {
    const { counts } = this
    for (let i = 0; i < n; i++) {
      if (isNullAt(type, column, i)) continue
      const key = ids[i] as number
      counts[key] = (counts[key] as number) + (differences[i] as number)
    }
  }
}

/** count(x): rows where x is not null. int64. */
export class PresentCount implements Accumulator {
  readonly kind = 'present'
  readonly column: number
  readonly canFail = false
  private readonly type: ColumnType
  private readonly present = new PresentCounts()

  constructor(column: number, type: ColumnType) {
    this.column = column
    this.type = type
  }

  get bytes(): number {
    return this.present.bytes
  }

  grow(capacity: number): void {
    this.present.grow(capacity)
  }

  add(ids: Int32Array, batch: Batch, column: number, n: number): void {
    this.present.add(ids, this.type, batch.columns[column] as Int32Array, batch.differences, n)
  }

  settle(): void {}

  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number): void {
    const { counts } = this.present
    for (let j = from, at = row; j < to; j++, at += step) {
      const count = counts[keys[j] as number] as number
      out[2 * at] = count
      out[2 * at + 1] = Math.floor(count / TWO_TO_32)
    }
  }

  isZero(key: number): boolean {
    return this.present.counts[key] === 0
  }

  markDictionary(): void {}
}

/** Exact sums of one column, whatever its kind of number. */
class Sums {
  readonly type: ColumnType
  readonly integers: IntegerSums | null
  readonly floats: ExactFloatSums | null
  readonly present: PresentCounts | null

  /** `counted`: whether it must be known how many rows have a value. */
  constructor(type: ColumnType, counted: boolean) {
    this.type = type
    this.integers = type.kind === 'float64' ? null : new IntegerSums()
    this.floats = type.kind === 'float64' ? new ExactFloatSums() : null
    this.present = counted ? new PresentCounts() : null
  }

  get bytes(): number {
    return (this.integers?.bytes ?? 0) + (this.floats?.bytes ?? 0) + (this.present?.bytes ?? 0)
  }

  grow(capacity: number): void {
    this.integers?.ensure(capacity)
    this.floats?.ensure(capacity)
    this.present?.grow(capacity)
  }

  add(ids: Int32Array, column: Int32Array, differences: Int32Array, n: number): void {
    const { integers, floats, type } = this
    this.present?.add(ids, type, column, differences, n)
    if (floats !== null) addFloats(floats, ids, column, differences, n)
    else if (integers !== null && !type.nullable) integers.addColumn(ids, column, type.width as 1 | 2, differences, n)
    else if (integers !== null) addNullable(integers, ids, column, type.width as 2 | 3, differences, n)
  }

  isZero(key: number): boolean {
    if (this.present !== null && this.present.counts[key] !== 0) return false
    return this.floats !== null ? this.floats.isZero(key) : (this.integers as IntegerSums).isZero(key)
  }
}

function addFloats(sums: ExactFloatSums, ids: Int32Array, column: Int32Array, differences: Int32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const low = column[2 * i] as number
    const high = column[2 * i + 1] as number
    if (high === NULL_FLOAT_HIGH && low === NULL_FLOAT_LOW) continue
    sums.addWords(ids[i] as number, low, high, differences[i] as number)
  }
}

function addNullable(sums: IntegerSums, ids: Int32Array, column: Int32Array, width: 2 | 3, differences: Int32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    if (column[width * i + width - 1] !== 0) continue
    const low = column[width * i] as number
    sums.add(ids[i] as number, low, width === 3 ? (column[3 * i + 1] as number) : low >> 31, differences[i] as number)
  }
}

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)

function writeFloat(out: Int32Array, at: number, value: number): void {
  double[0] = value
  const isNumber = !Number.isNaN(value)
  out[2 * at] = isNumber ? (doubleWords[0] as number) : 0
  out[2 * at + 1] = isNumber ? (doubleWords[1] as number) : NAN_HIGH
}

function writeNullFloat(out: Int32Array, at: number): void {
  out[2 * at] = NULL_FLOAT_LOW
  out[2 * at + 1] = NULL_FLOAT_HIGH
}

/** sum(x): int64 of integers, where a sum outside int64 is an error of the group; float64 of float64. */
export class SumAccumulator implements Accumulator {
  readonly kind = 'sum'
  readonly column: number
  readonly canFail: boolean
  private readonly sums: Sums
  private readonly nullable: boolean
  private readonly overflow: string
  private readonly dictionary: Dictionary

  constructor(column: number, type: ColumnType, name: string, dictionary: Dictionary) {
    this.column = column
    this.sums = new Sums(type, type.nullable)
    this.nullable = type.nullable
    this.canFail = type.kind !== 'float64'
    this.overflow = `the sum ${JSON.stringify(name)} leaves the range of int64`
    this.dictionary = dictionary
  }

  get bytes(): number {
    return this.sums.bytes
  }

  grow(capacity: number): void {
    this.sums.grow(capacity)
  }

  add(ids: Int32Array, batch: Batch, column: number, n: number): void {
    this.sums.add(ids, batch.columns[column] as Int32Array, batch.differences, n)
  }

  settle(): void {}

  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number, failures: Int32Array): void {
    const { floats, integers, present } = this.sums
    const width = this.nullable && integers !== null ? 3 : 2
    for (let j = from, at = row; j < to; j++, at += step) {
      const key = keys[j] as number
      const isNull = present !== null && present.counts[key] === 0
      if (floats !== null) {
        if (isNull) writeNullFloat(out, at)
        else writeFloat(out, at, floats.read(key))
        continue
      }
      const sums = integers as IntegerSums
      const fits = isNull || sums.inRange(key)
      if (!fits && failures[at] === 0) failures[at] = this.dictionary.intern(this.overflow)
      const shown = !isNull && fits
      out[width * at] = shown ? (sums.words[4 * key] as number) : 0
      out[width * at + 1] = shown ? (sums.words[4 * key + 1] as number) : 0
      if (width === 3) out[3 * at + 2] = isNull ? 1 : 0
    }
  }

  isZero(key: number): boolean {
    return this.sums.isZero(key)
  }

  markDictionary(): void {}
}

/** avg(x): the exact sum, rounded to a double, over the count. float64. */
export class AverageAccumulator implements Accumulator {
  readonly kind = 'average'
  readonly column: number
  readonly canFail = false
  private readonly sums: Sums

  constructor(column: number, type: ColumnType) {
    this.column = column
    this.sums = new Sums(type, true)
  }

  get bytes(): number {
    return this.sums.bytes
  }

  grow(capacity: number): void {
    this.sums.grow(capacity)
  }

  add(ids: Int32Array, batch: Batch, column: number, n: number): void {
    this.sums.add(ids, batch.columns[column] as Int32Array, batch.differences, n)
  }

  settle(): void {}

  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number): void {
    const { floats, integers } = this.sums
    const { counts } = this.sums.present as PresentCounts
    for (let j = from, at = row; j < to; j++, at += step) {
      const key = keys[j] as number
      const count = counts[key] as number
      if (count === 0) writeNullFloat(out, at)
      else writeFloat(out, at, (floats !== null ? floats.read(key) : rounded(integers as IntegerSums, key)) / count)
    }
  }

  isZero(key: number): boolean {
    return this.sums.isZero(key)
  }

  markDictionary(): void {}
}

/** The sum as the nearest double. */
function rounded(sums: IntegerSums, key: number): number {
  const high = sums.words[4 * key + 1] as number
  if (sums.inRange(key) && high >= -0x200000 && high < 0x200000) return high * TWO_TO_32 + ((sums.words[4 * key] as number) >>> 0)
  return Number(sums.exact(key))
}
