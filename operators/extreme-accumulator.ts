/**
 * min(x) and max(x): the extreme so far, looked for again only where it was removed.
 *
 * An insertion compares with the extreme. A removal of the extreme, or of what lies beyond it, leaves the key to be
 * read from the arrangement when the time is complete; append-only collections never do that and need no arrangement.
 */
import { type Batch, grown } from '../runtime/data/batch.ts'
import { type ColumnType, isInterned } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type Comparator, comparatorOf } from '../runtime/data/order.ts'
import { isNullAt, writeValue } from '../runtime/data/value-codec.ts'
import { invariant } from '../runtime/error.ts'
import type { Accumulator } from './accumulator.ts'
import type { Groups } from './group-reader.ts'

/** The key has an extreme. */
const PRESENT = 1
/** The extreme must be looked for. */
const STALE = 2
/** Some multiplicity was negative when the key was last read: an insertion may then only cancel it. */
const IRREGULAR = 4

export class ExtremeAccumulator implements Accumulator {
  readonly kind = 'extreme'
  readonly column: number
  readonly canFail: boolean
  /** Keys read from the arrangement so far. */
  rescans = 0
  private readonly type: ColumnType
  /** 1: greatest; -1: least. */
  private readonly sign: 1 | -1
  private readonly width: number
  private readonly compare: Comparator
  private readonly groups: Groups | null
  private readonly groupColumn: number
  private readonly dictionary: Dictionary
  private words = new Int32Array(0)
  private flags = new Uint8Array(0)
  private readonly none: Int32Array

  /** `groups` reads whole groups, which have the values in column `groupColumn`; null: append-only. */
  constructor(column: number, type: ColumnType, sign: 1 | -1, groups: Groups | null, groupColumn: number, dictionary: Dictionary) {
    this.column = column
    this.groupColumn = groupColumn
    this.type = type
    this.sign = sign
    this.width = type.width
    this.compare = comparatorOf(type)
    this.groups = groups
    this.dictionary = dictionary
    this.canFail = !type.nullable && groups !== null
    this.none = new Int32Array(type.width)
    if (type.nullable) writeValue(type, null, this.none, 0, dictionary)
  }

  get bytes(): number {
    return this.words.byteLength + this.flags.byteLength
  }

  grow(capacity: number): void {
    this.words = grown(this.words, this.width * capacity)
    const flags = new Uint8Array(capacity)
    flags.set(this.flags)
    this.flags = flags
  }

  add(ids: Int32Array, batch: Batch, column: number, n: number): void {
    const values = batch.columns[column] as Int32Array
    if (this.type.kind === 'int32' && this.width === 1) addWords(ids, values, batch.differences, n, this.sign, this.words, this.flags)
    else this.addValues(ids, values, batch.differences, n)
  }

  private addValues(ids: Int32Array, values: Int32Array, differences: Int32Array, n: number): void {
    const { flags, words, width, sign, type, compare, dictionary } = this
    for (let i = 0; i < n; i++) {
      const difference = differences[i] as number
      if (difference === 0 || isNullAt(type, values, i)) continue
      const key = ids[i] as number
      const flag = flags[key] as number
      if ((flag & (STALE | IRREGULAR)) !== 0) {
        flags[key] = flag | STALE
        continue
      }
      const order = flag === 0 ? 1 : sign * compare(values, i, words, key, dictionary)
      if (difference < 0) {
        if (order >= 0) flags[key] = flag | STALE
      } else if (order > 0) {
        flags[key] = PRESENT
        for (let j = 0; j < width; j++) words[key * width + j] = values[i * width + j] as number
      }
    }
  }

  settle(keys: Int32Array, n: number, time: number): void {
    const { flags, groups } = this
    for (let j = 0; j < n; j++) {
      const key = keys[j] as number
      if (((flags[key] as number) & STALE) === 0) continue
      invariant(groups !== null, 'a row was removed from an append-only collection')
      this.rescan(key, groups.read(key, time))
    }
  }

  private rescan(key: number, group: Batch): void {
    const { words, width, sign, type, compare, dictionary } = this
    const values = group.columns[this.groupColumn] as Int32Array
    this.rescans++
    let best = -1
    let negative = false
    for (let i = 0; i < group.n; i++) {
      if (isNullAt(type, values, i)) continue
      if ((group.differences[i] as number) < 0) negative = true
    }
    const counts = negative ? this.countsOf(group, values) : null
    for (let i = 0; i < group.n; i++) {
      if (isNullAt(type, values, i)) continue
      if (counts !== null && (counts[i] as number) <= 0) continue
      if (best < 0 || sign * compare(values, i, values, best, dictionary) > 0) best = i
    }
    this.flags[key] = (best < 0 ? 0 : PRESENT) | (negative ? IRREGULAR : 0)
    if (best >= 0) for (let j = 0; j < width; j++) words[key * width + j] = values[best * width + j] as number
  }

  /** The multiplicity of each row's value in the group, over all rows with that value. */
  private countsOf(group: Batch, values: Int32Array): Float64Array {
    const counts = new Float64Array(group.n)
    for (let i = 0; i < group.n; i++) {
      for (let j = 0; j < group.n; j++) {
        let same = true
        for (let w = 0; w < this.width; w++) if (values[i * this.width + w] !== values[j * this.width + w]) same = false
        if (same) counts[i] = (counts[i] as number) + (group.differences[j] as number)
      }
    }
    return counts
  }

  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number, failures: Int32Array): void {
    const { words, flags, width, none } = this
    for (let j = from, at = row; j < to; j++, at += step) {
      const key = keys[j] as number
      const present = ((flags[key] as number) & PRESENT) !== 0
      if (!present && this.canFail && failures[at] === 0)
        failures[at] = this.dictionary.intern('no row of the group has a positive multiplicity')
      for (let w = 0; w < width; w++) out[at * width + w] = (present ? words[key * width + w] : none[w]) as number
    }
  }

  isZero(key: number): boolean {
    return this.flags[key] === 0
  }

  markDictionary(dictionary: Dictionary): void {
    if (!isInterned(this.type)) return
    for (let key = 0; key < this.flags.length; key++)
      if (((this.flags[key] as number) & PRESENT) !== 0) dictionary.mark(this.words[key] as number)
  }
}

/** The same for one-word int32, whose order is that of its words. */
function addWords(
  ids: Int32Array,
  values: Int32Array,
  differences: Int32Array,
  n: number,
  sign: number,
  words: Int32Array,
  flags: Uint8Array,
): void {
  for (let i = 0; i < n; i++) {
    const key = ids[i] as number
    const flag = flags[key] as number
    const difference = differences[i] as number
    if (difference === 0) continue
    if ((flag & (STALE | IRREGULAR)) !== 0) {
      flags[key] = flag | STALE
      continue
    }
    const value = values[i] as number
    const order = flag === 0 ? 1 : sign * (value - (words[key] as number))
    if (difference < 0) {
      if (order >= 0) flags[key] = flag | STALE
    } else if (order > 0) {
      flags[key] = PRESENT
      words[key] = value
    }
  }
}
