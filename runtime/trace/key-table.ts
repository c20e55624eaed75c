/**
 * Key content -> dense int32 key ids, shared by all arrangements of one worker that are joined on the key.
 *
 * A key of one word, or of two of which the second is the sign of the first (a small int64), stands for itself
 * (*dense*: the key id is the first word) while the keys are small enough for direct indexing: below max(2^20, 4 x rows
 * seen). Otherwise, and for wider keys, an exact hash table gives ids from 0 on.
 * Cost: nothing or 2 ns a row dense, 10-60 ns hashed (cache misses). Source: dense ids as in column stores'
 * dictionary encoding; the threshold is measured (docs/design/0001-core.md).
 */
import { powerOfTwo } from '../data/batch.ts'
import { type ColumnType, isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { WordTable } from '../data/word-table.ts'

/** Direct indexing is never given up below this many keys. */
const DENSE_FLOOR = 1 << 20
/** Nor while the largest key is below this multiple of the rows seen. */
const DENSE_RATIO = 4
const START_CAPACITY = 1024
/** A table with fewer keys is not worth a sweep. */
const SWEEP_FLOOR = 1 << 14

/** State that is indexed by the key ids of a table; tells which ids it still needs. */
export interface KeyUser {
  /** Calls or sets `live[id] = 1` for every key id that has state here. */
  markKeys(live: Uint8Array): void
}

export class KeyTable {
  /** Tests force hashing of every key. */
  static forceHash = false

  readonly widths: readonly number[]
  /** Words of a key that are dictionary ids. */
  readonly interned: readonly number[]
  /** Key ids are below this; arrays indexed by key id have at least this length. A power of two. */
  capacity = START_CAPACITY
  readonly users: KeyUser[] = []
  /** Words of a key that may be dense: 1 or 2; 0 if such keys never are. */
  private readonly denseWidth: number
  private denseNow: boolean
  private rowsSeen = 0
  private table: WordTable | null = null
  private keptBySweep = 0
  private scratch = new Int32Array(64)

  /** Use `Dataflow.keyTable`, which registers the table for garbage collection; `types` are the key encoding's. */
  constructor(types: readonly ColumnType[]) {
    const widths = types.map((type) => type.width)
    this.widths = widths
    this.interned = internedWords(types)
    this.denseWidth = widths.length === 1 && (widths[0] as number) <= 2 ? (widths[0] as number) : 0
    this.denseNow = this.denseWidth > 0 && !KeyTable.forceHash
  }

  /** Whether a key id is the key's first word itself (and a second word its sign). */
  get dense(): boolean {
    return this.denseNow
  }

  /** The table of the keys' words by id, when not dense. */
  get words(): WordTable | null {
    return this.table
  }

  get bytes(): number {
    return (this.table?.bytes ?? 0) + this.scratch.byteLength
  }

  /** State of a user that is gone keeps no key any more. */
  leave(user: KeyUser): void {
    const at = this.users.indexOf(user)
    if (at >= 0) this.users.splice(at, 1)
  }

  /** The key ids of n rows, new keys included. The result is the key column itself or a scratch that the next call reuses. */
  map(columns: readonly Int32Array[], n: number): Int32Array {
    if (this.denseNow) {
      const first = this.denseWidth === 1 ? (columns[0] as Int32Array) : this.narrow(columns[0] as Int32Array, n)
      this.rowsSeen += n
      if (first !== null) {
        let or = 0
        for (let i = 0; i < n; i++) or |= first[i] as number
        if (or >>> 0 < this.capacity) return first
        if (or >= 0 && or < Math.max(DENSE_FLOOR, DENSE_RATIO * this.rowsSeen)) {
          this.capacity = powerOfTwo(or + 1)
          return first
        }
      }
      this.leaveDense()
    }
    return this.hashed(columns, n)
  }

  /** The first words of two-word keys whose second is its sign; null if one is not so. */
  private narrow(column: Int32Array, n: number): Int32Array | null {
    if (this.scratch.length < n) this.scratch = new Int32Array(powerOfTwo(n))
    const out = this.scratch
    let wide = 0
    for (let i = 0; i < n; i++) {
      const low = column[2 * i] as number
      wide |= (column[2 * i + 1] as number) ^ (low >> 31)
      out[i] = low
    }
    return wide === 0 ? out : null
  }

  /** The key ids of n keys, -1 for a key that has none. */
  find(columns: readonly Int32Array[], n: number, out: Int32Array): void {
    if (this.denseNow) {
      const column = columns[0] as Int32Array
      const width = this.denseWidth
      for (let i = 0; i < n; i++) {
        const first = column[width * i] as number
        const fits = first >>> 0 < this.capacity && (width === 1 || column[2 * i + 1] === first >> 31)
        out[i] = fits ? first : -1
      }
    } else if (this.table === null) out.fill(-1, 0, n)
    else this.table.find(columns as Int32Array[], n, out)
  }

  private hashed(columns: readonly Int32Array[], n: number): Int32Array {
    let table = this.table
    if (table === null) table = this.table = new WordTable(this.widths)
    if (this.scratch.length < n) this.scratch = new Int32Array(powerOfTwo(n))
    table.lookupOrInsert(columns as Int32Array[], n, this.scratch)
    if (table.capacity > this.capacity) this.capacity = table.capacity
    return this.scratch
  }

  /** All ids so far stay what they are: each below capacity becomes an entry of the table, in order; a sweep frees the unused. */
  private leaveDense(): void {
    this.denseNow = false
    if (this.rowsSeen === 0) return
    const table = new WordTable(this.widths)
    this.table = table
    const column = new Int32Array(this.denseWidth * this.capacity)
    for (let i = 0; i < this.capacity; i++) column[this.denseWidth * i] = i
    table.lookupOrInsert([column], this.capacity, new Int32Array(this.capacity))
    if (table.capacity > this.capacity) this.capacity = table.capacity
  }

  /** Writes the key columns of key ids at rows `at ..`. */
  writeKeys(ids: Int32Array, n: number, out: readonly Int32Array[], at: number): void {
    const table = this.table
    if (table === null) {
      const column = out[0] as Int32Array
      if (this.denseWidth === 1) for (let i = 0; i < n; i++) column[at + i] = ids[i] as number
      else {
        for (let i = 0; i < n; i++) {
          column[2 * (at + i)] = ids[i] as number
          column[2 * (at + i) + 1] = (ids[i] as number) >> 31
        }
      }
      return
    }
    const { arena, stride } = table
    let word = table.offset
    for (let c = 0; c < out.length; c++) {
      const width = this.widths[c] as number
      const column = out[c] as Int32Array
      for (let i = 0; i < n; i++) {
        const from = (ids[i] as number) * stride + word
        for (let j = 0; j < width; j++) column[(at + i) * width + j] = arena[from + j] as number
      }
      word += width
    }
  }

  /** Whether ids have doubled since the last sweep, so that one may pay. */
  get shouldSweep(): boolean {
    const table = this.table
    return table !== null && table.count > SWEEP_FLOOR && table.count > 2 * this.keptBySweep
  }

  /** Frees the ids that no user needs, and marks what the others refer to; only at local quiescence. */
  sweep(dictionary: Dictionary): void {
    const table = this.table
    if (table === null && this.interned.length === 0) return
    const live = new Uint8Array(this.capacity)
    for (const user of this.users) user.markKeys(live)
    if (table === null) {
      for (let key = 0; key < live.length; key++) if (live[key] === 1 && key > 0) dictionary.mark(key)
      return
    }
    table.releaseUnless(live)
    this.keptBySweep = table.count
    for (const word of this.interned)
      table.forEachLive((id) => {
        const value = table.arena[id * table.stride + table.offset + word]
        if (value > 0) dictionary.mark(value)
      })
  }
}

/** Positions of dictionary ids among the words of a value of these types. */
export function internedWords(types: readonly ColumnType[]): number[] {
  const words: number[] = []
  let word = 0
  for (const type of types) {
    if (isInterned(type)) words.push(word)
    word += type.width
  }
  return words
}
