/**
 * Content to dense ids: rows of words to int32 ids from 0, with exact comparison; a hash only finds candidates. It
 * serves as the table of composite keys (`lookupOrInsert`, `releaseUnless`) and as a store of reference-counted value
 * rows (`put`, `reap`). One table uses one of the two ways.
 *
 * The arena holds the rows one after the other: a word for the count (of a free id: its link in the free list), then
 * the row's words. Generated kernels of others read `arena[id * stride + offset + j]` directly.
 */
import { invariant, MillraceError } from '../error.ts'
import { grown, powerOfTwo } from './batch.ts'
import { type WordTableKernels, wordTableKernels } from './word-table-kernels.ts'

const START_CAPACITY = 256
/** Most ids of one table; its index then has 2^30 words. */
const MAX_CAPACITY = 1 << 28
/** The dying list may hold an id many times; past this multiple of the capacity it is made unique. */
const DYING_PER_CAPACITY = 2

export class WordTable {
  /** Tests give every row this hash, so that only exact comparison tells rows apart. */
  static forceHash: number | null = null

  readonly widths: readonly number[]
  /** Words from one row to the next in the arena. */
  readonly stride: number
  /** Where in its record a row's first word is. */
  readonly offset = 1
  arena: Int32Array
  /** Ids are below this; a power of two. */
  capacity = START_CAPACITY
  /** Ids in use. */
  count = 0

  /** What follows is written by the kernels. Pairs of (hash, id + 1), linear probing; 0 = empty. */
  index: Int32Array
  mask = 2 * START_CAPACITY - 1
  /** First free id, -1 if none; the link is stored as next + 2, so that a free id's count never looks like 0. */
  free = -1
  /** Ids that were ever used are below this. */
  top = 0
  /** Ids whose count became 0, perhaps several times, perhaps revived since. */
  dying = new Int32Array(64)
  dyingCount = 0
  overflow = false
  private readonly kernels: WordTableKernels

  constructor(widths: readonly number[]) {
    const words = widths.reduce((sum, width) => sum + width, 0)
    invariant(words > 0, 'a word table needs a column')
    this.widths = widths
    this.stride = words + 1
    this.arena = new Int32Array(this.stride * START_CAPACITY)
    this.index = new Int32Array(4 * START_CAPACITY)
    this.kernels = wordTableKernels(widths, WordTable.forceHash)
  }

  /** Writes the ids of n rows to out[at ..]; rows that have none get one. */
  lookupOrInsert(columns: readonly Int32Array[], n: number, out: Int32Array, at = 0): void {
    let i = this.kernels.insert(this, 0, n, out, at, columns)
    while (i < n) {
      this.grow()
      i = this.kernels.insert(this, i, n, out, at, columns)
    }
  }

  /** Writes the ids of n rows, -1 for a row that has none. */
  find(columns: readonly Int32Array[], n: number, out: Int32Array): void {
    this.kernels.find(this, n, out, columns)
  }

  /**
   * As lookupOrInsert, and adds each row's difference to its count. A row whose count is 0 keeps its id until `reap`.
   * @throws MillraceError OVERFLOW when a count leaves int32.
   */
  put(columns: readonly Int32Array[], n: number, differences: Int32Array, out: Int32Array, at = 0): void {
    this.reserveDying(n)
    let i = this.kernels.put(this, 0, n, differences, out, at, columns)
    while (i < n) {
      if (this.overflow) {
        this.overflow = false
        throw new MillraceError('OVERFLOW', 'a row is present more than 2^31 - 1 times', 'Consolidate or count before this operator.')
      }
      this.grow()
      i = this.kernels.put(this, i, n, differences, out, at, columns)
    }
  }

  /**
   * Frees the ids whose count became 0 and still is, except those that somebody may still refer to: `referenced[id] === 1`.
   * Returns how many.
   */
  reap(referenced: Uint8Array | null = null): number {
    const { arena, stride, dying } = this
    const before = this.count
    let kept = 0
    for (let j = 0; j < this.dyingCount; j++) {
      const id = dying[j] as number
      if (arena[id * stride] !== 0) continue
      if (referenced !== null && referenced[id] === 1) dying[kept++] = id
      else this.release(id)
    }
    this.dyingCount = kept
    return before - this.count
  }

  /** Adds to the count of a row that is known by its id. */
  addCount(id: number, difference: number): void {
    const at = id * this.stride
    const count = (this.arena[at] as number) + difference
    this.arena[at] = count
    if (count !== 0) return
    this.reserveDying(1)
    this.dying[this.dyingCount++] = id
  }

  /** Frees an id for reuse; its row is forgotten. */
  release(id: number): void {
    const { arena, index, mask, stride } = this
    const wordMask = 2 * mask + 1
    let hole = (this.kernels.hashAt(arena, id * stride + 1) & mask) << 1
    while (index[hole + 1] !== id + 1) {
      if (index[hole + 1] === 0) invariant(false, `id ${id} is freed but not in use`)
      hole = (hole + 2) & wordMask
    }
    // Entries behind the hole move up unless that would put them before their home slot (Knuth 6.4, algorithm R).
    for (let q = (hole + 2) & wordMask; index[q + 1] !== 0; q = (q + 2) & wordMask) {
      const home = ((index[q] as number) & mask) << 1
      if (((q - home) & wordMask) >= ((q - hole) & wordMask)) {
        index[hole] = index[q] as number
        index[hole + 1] = index[q + 1] as number
        hole = q
      }
    }
    index[hole + 1] = 0
    this.addFree(id)
  }

  /** Frees every id in use whose entry in `live` is 0 or missing, and returns how many. */
  releaseUnless(live: Uint8Array): number {
    const before = this.count
    this.forEachLive((id) => {
      if (live[id] !== 1) this.addFree(id)
    })
    if (this.count < before) this.rebuildIndex(live)
    return before - this.count
  }

  /** Calls `visit` with each id in use, dying ones included, in ascending order. */
  forEachLive(visit: (id: number) => void): void {
    const { arena, stride, top } = this
    const isFree = new Uint8Array(top)
    for (let id = this.free; id >= 0; id = (arena[id * stride] as number) - 2) isFree[id] = 1
    for (let id = 0; id < top; id++) if (isFree[id] === 0) visit(id)
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return 4 * (this.arena.length + this.index.length + this.dying.length)
  }

  private addFree(id: number): void {
    this.arena[id * this.stride] = this.free + 2
    this.free = id
    this.count--
  }

  private grow(): void {
    if (this.capacity === MAX_CAPACITY) {
      throw new MillraceError(
        'OVERFLOW',
        `more than ${MAX_CAPACITY} different rows or keys on one worker`,
        'Spread the data over more workers.',
      )
    }
    this.capacity *= 2
    this.arena = grown(this.arena, this.stride * this.capacity)
    this.mask = 2 * this.capacity - 1
    this.rebuildIndex(null)
  }

  /** Puts the entries of the index, or those whose id is in `live`, into a new one. */
  private rebuildIndex(live: Uint8Array | null): void {
    const old = this.index
    const mask = this.mask
    const wordMask = 2 * mask + 1
    const index = new Int32Array(2 * (mask + 1))
    for (let from = 0; from < old.length; from += 2) {
      const entry = old[from + 1] as number
      if (entry === 0 || (live !== null && live[entry - 1] !== 1)) continue
      const hash = old[from] as number
      let q = (hash & mask) << 1
      while (index[q + 1] !== 0) q = (q + 2) & wordMask
      index[q] = hash
      index[q + 1] = entry
    }
    this.index = index
  }

  private reserveDying(n: number): void {
    if (this.dyingCount + n <= this.dying.length) return
    if (this.dyingCount > DYING_PER_CAPACITY * this.capacity) this.uniqueDying()
    if (this.dyingCount + n > this.dying.length) this.dying = grown(this.dying, powerOfTwo(this.dyingCount + n))
  }

  private uniqueDying(): void {
    const { arena, stride, dying } = this
    const seen = new Uint8Array(this.top)
    let kept = 0
    for (let j = 0; j < this.dyingCount; j++) {
      const id = dying[j] as number
      if (seen[id] === 1 || arena[id * stride] !== 0) continue
      seen[id] = 1
      dying[kept++] = id
    }
    this.dyingCount = kept
  }
}
