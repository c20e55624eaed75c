/**
 * Rows that take effect later: a multiset of (due time, row), taken out in the order of their times.
 *
 * Equal rows of one time are one entry with the sum of their multiplicities, so that a correction cancels what it
 * corrects before either takes effect. Order comes from a radix heap: what is due later than the last time taken out is in the bucket of
 * the highest bit in which both differ, and moves to lower buckets as time comes nearer, at most once a bit.
 * Source: radix heaps (Ahuja, Mehlhorn, Orlin, Tarjan 1990); exact row ids as everywhere.
 */
import { type Batch, BatchPool, grown, powerOfTwo } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { WordTable } from '../runtime/data/word-table.ts'
import { invariant, MillraceError } from '../runtime/error.ts'

/** One more than the bits of a safe integer. */
const BUCKETS = 54
const TWO_TO_32 = 0x100000000
/** Lists may hold this many stale entries, and one an entry that is not, before they are made anew. */
const STALE_ENTRIES = 1 << 12

export class PendingRows {
  private readonly table: WordTable
  private readonly pool: BatchPool
  /** Multiplicity by id, and whether the id is in a list. */
  private counts = new Int32Array(0)
  private listed = new Uint8Array(0)
  private readonly lists: Int32Array[] = Array.from({ length: BUCKETS }, () => new Int32Array(0))
  private readonly lengths = new Int32Array(BUCKETS)
  private entries = 0
  /** Everything is due later than this. */
  private base: number
  /** While `take` goes on: the highest bucket with something due, the one it is at, and the base before. */
  private highest = -1
  private current = 0
  private baseBefore = 0
  private incoming: Batch
  private ids = new Int32Array(64)

  /** Rows of these widths. */
  constructor(widths: readonly number[], since: number) {
    this.table = new WordTable([2, ...widths])
    this.pool = new BatchPool([2, ...widths])
    this.incoming = this.pool.take(0, 64)
    this.base = since
  }

  /** Different (time, row) that wait. */
  get size(): number {
    return this.table.count
  }

  /** Nothing is due before this, which is later than the last time taken out; Infinity if nothing waits. */
  get notBefore(): number {
    if (this.table.count === 0) return Number.POSITIVE_INFINITY
    let bucket = 0
    while (bucket < BUCKETS && this.lengths[bucket] === 0) bucket++
    if (bucket === 0 || bucket === BUCKETS) return this.base + 1
    // All in this bucket agree with the base above its bit, have the bit, and may have any below it.
    const bit = 2 ** (bucket - 1)
    return (Math.floor(this.base / bit) + 1) * bit
  }

  get bytes(): number {
    return this.table.bytes + 4 * this.counts.length + this.listed.length + 4 * this.lists.reduce((sum, list) => sum + list.length, 0)
  }

  /** Adds row i of a batch's columns `difference` times, due at `due`; `flush` makes it count. */
  add(columns: readonly Int32Array[], i: number, difference: number, due: number): void {
    const { incoming } = this
    if (difference !== (difference | 0)) throw overflow()
    incoming.reserve(incoming.n + 1)
    const n = incoming.n++
    incoming.columns[0][2 * n] = due | 0
    incoming.columns[0][2 * n + 1] = Math.floor(due / TWO_TO_32)
    for (let c = 1; c < incoming.columns.length; c++) {
      const width = incoming.widths[c]
      for (let j = 0; j < width; j++) incoming.columns[c][n * width + j] = columns[c - 1][i * width + j]
    }
    incoming.differences[n] = difference
  }

  /** Sums up what was added. */
  flush(): void {
    const { incoming, table } = this
    const { n, differences } = incoming
    if (n === 0) return
    invariant(this.highest < 0, 'rows are added while others are taken out')
    incoming.n = 0
    if (this.ids.length < n) this.ids = new Int32Array(powerOfTwo(n))
    const { ids } = this
    table.lookupOrInsert(incoming.columns, n, ids)
    if (this.counts.length < table.capacity) {
      this.counts = grown(this.counts, table.capacity)
      const listed = new Uint8Array(table.capacity)
      listed.set(this.listed)
      this.listed = listed
    }
    const { counts, listed } = this
    for (let i = 0; i < n; i++) {
      const id = ids[i]
      const sum = counts[id] + differences[i]
      if (sum !== (sum | 0)) throw overflow()
      counts[id] = sum
      if (listed[id] === 0) {
        listed[id] = 1
        this.list(id)
      }
    }
    for (let i = 0; i < n; i++) this.dropIfNone(ids[i])
    if (this.entries > STALE_ENTRIES + 2 * table.count) this.relist()
  }

  private dropIfNone(id: number): void {
    if (this.counts[id] !== 0 || this.listed[id] === 0) return
    this.listed[id] = 0
    this.table.release(id)
  }

  private dueOf(id: number): number {
    const { arena, stride, offset } = this.table
    const at = id * stride + offset
    return arena[at + 1] * TWO_TO_32 + (arena[at] >>> 0)
  }

  private list(id: number): void {
    const bucket = bucketOf(this.dueOf(id), this.base)
    const n = this.lengths[bucket]++
    if (n === this.lists[bucket].length) this.lists[bucket] = grown(this.lists[bucket], powerOfTwo(2 * n))
    this.lists[bucket][n] = id
    this.entries++
  }

  /** Makes the lists anew, without the ids that were dropped or listed again since. */
  private relist(): void {
    this.lengths.fill(0)
    this.entries = 0
    this.table.forEachLive((id) => this.list(id))
  }

  /**
   * Moves up to `room` rows that are due at or before `time` to the end of `out`, whose columns are the rows'. Returns whether
   * that was all. Until it is all, nothing may be added, and `time` stays.
   */
  take(time: number, out: Batch, room: number): boolean {
    if (this.highest < 0) {
      if (time <= this.base) return true
      this.highest = bucketOf(time, this.base)
      this.current = 0
      this.baseBefore = this.base
      this.base = time
    }
    const end = out.n + room
    // Only the highest bucket has rows that are not due yet; they move to lower ones, which are behind us, also after a pause.
    for (; this.current <= this.highest; this.current++) {
      const bucket = this.current
      const list = this.lists[bucket]
      while (this.lengths[bucket] > 0) {
        if (out.n === end) return false
        const id = list[--this.lengths[bucket]]
        this.entries--
        // An entry may be stale: of an id that was dropped, and perhaps given to another row that is listed where it belongs.
        if (this.listed[id] === 0) continue
        const due = this.dueOf(id)
        if (bucketOf(due, this.baseBefore) !== bucket) continue
        if (due > time) this.list(id)
        else this.emit(id, out)
      }
    }
    this.highest = -1
    return true
  }

  private emit(id: number, out: Batch): void {
    const { arena, stride, offset } = this.table
    out.reserve(out.n + 1)
    const n = out.n++
    let word = id * stride + offset + 2
    for (let c = 0; c < out.columns.length; c++) {
      const width = out.widths[c]
      for (let j = 0; j < width; j++) out.columns[c][n * width + j] = arena[word++]
    }
    out.differences[n] = this.counts[id]
    this.counts[id] = 0
    this.dropIfNone(id)
  }

  /** `interned`: the words of a row that are dictionary ids. */
  markDictionary(dictionary: Dictionary, interned: readonly number[]): void {
    if (interned.length === 0) return
    const { arena, stride, offset } = this.table
    this.table.forEachLive((id) => {
      for (const word of interned) dictionary.mark(arena[id * stride + offset + 2 + word])
    })
  }
}

function overflow(): MillraceError {
  return new MillraceError('OVERFLOW', 'a row is present more than 2^31 - 1 times', 'Count such rows with a column instead.')
}

/** The bucket of what is due later than `base`: one more than the highest bit in which both differ; 0 if they are equal. */
function bucketOf(due: number, base: number): number {
  const high = Math.floor(due / TWO_TO_32) ^ Math.floor(base / TWO_TO_32)
  return high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32((due | 0) ^ (base | 0))
}
