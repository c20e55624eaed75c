/** countDistinct(x): how many different values, null apart, have a positive multiplicity. Equal means one key: -0 is 0. */
import { type Batch, grown, powerOfTwo } from '../runtime/data/batch.ts'
import { type ColumnType, isInterned } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { isNullAt } from '../runtime/data/value-codec.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Accumulator } from './accumulator.ts'

export class DistinctAccumulator implements Accumulator {
  readonly kind = 'distinct'
  readonly column: number
  readonly canFail = false
  private readonly type: ColumnType
  private readonly encoder: KeyEncoder
  private readonly dictionary: Dictionary
  /** Ids of (key id, value). */
  private readonly pairs: WordTable
  /** Multiplicity by pair id. */
  private counts = new Int32Array(0)
  /** Values with a positive multiplicity, and pairs of any other than 0, by key id. */
  private different = new Int32Array(0)
  private kept = new Int32Array(0)
  private scratch = new Int32Array(0)
  /** Pairs whose multiplicity became 0 since the last settling, and by pair id whether it is listed there. */
  private ended = new Int32Array(16)
  private endedCount = 0
  private listed = new Int32Array(0)

  constructor(column: number, type: ColumnType, dictionary: Dictionary) {
    this.column = column
    this.type = type
    this.encoder = new KeyEncoder([type], [type])
    this.dictionary = dictionary
    this.pairs = new WordTable([1, type.width])
  }

  get bytes(): number {
    const { pairs, counts, different, kept, ended, listed } = this
    return pairs.bytes + counts.byteLength + different.byteLength + kept.byteLength + ended.byteLength + listed.byteLength
  }

  grow(capacity: number): void {
    this.different = grown(this.different, capacity)
    this.kept = grown(this.kept, capacity)
  }

  add(ids: Int32Array, batch: Batch, column: number, n: number): void {
    const { pairs, type, different, kept } = this
    const values = batch.columns[column] as Int32Array
    const encoded = this.encoder.encode([values], n, this.dictionary)[0] as Int32Array
    if (this.scratch.length < n) this.scratch = new Int32Array(powerOfTwo(n))
    const found = this.scratch
    pairs.lookupOrInsert([ids, encoded], n, found)
    if (this.counts.length < pairs.capacity) {
      this.counts = grown(this.counts, pairs.capacity)
      this.listed = grown(this.listed, pairs.capacity)
    }
    if (this.ended.length < this.endedCount + n) this.ended = grown(this.ended, powerOfTwo(this.endedCount + n))
    const { counts, ended, listed } = this
    for (let i = 0; i < n; i++) {
      const pair = found[i] as number
      const key = ids[i] as number
      const before = counts[pair] as number
      const after = isNullAt(type, values, i) ? before : before + (batch.differences[i] as number)
      if (after !== (after | 0))
        throw new MillraceError('OVERFLOW', 'a value is present more than 2^31 - 1 times', 'Count or consolidate before.')
      counts[pair] = after
      different[key] = (different[key] as number) + Number(after > 0) - Number(before > 0)
      kept[key] = (kept[key] as number) + Number(after !== 0) - Number(before !== 0)
      if (after === 0 && listed[pair] === 0) {
        listed[pair] = 1
        ended[this.endedCount++] = pair
      }
    }
  }

  settle(): void {
    const { pairs, counts, ended, listed } = this
    for (let j = 0; j < this.endedCount; j++) {
      const pair = ended[j] as number
      listed[pair] = 0
      if (counts[pair] === 0) pairs.release(pair)
    }
    this.endedCount = 0
  }

  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number): void {
    const { different } = this
    for (let j = from, at = row; j < to; j++, at += step) {
      out[2 * at] = different[keys[j] as number] as number
      out[2 * at + 1] = 0
    }
  }

  isZero(key: number): boolean {
    return this.kept[key] === 0
  }

  markDictionary(dictionary: Dictionary): void {
    if (!isInterned(this.type)) return
    const { arena, stride, offset } = this.pairs
    this.pairs.forEachLive((pair) => dictionary.mark(arena[pair * stride + offset + 1] as number))
  }
}
