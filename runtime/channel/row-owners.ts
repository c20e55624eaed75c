/**
 * Which worker owns each row of a batch, by its key: `owners[virtualShard(hash)]`. For the usual keys the answers are kept, a byte
 * each, since a look-up is faster than a hash: for whole numbers by the number, or by what it shares with its neighbours, for texts by
 * the id.
 */
import { type ColumnType, isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { keyTextOf } from '../data/key-encoding.ts'
import { ALONE, hashKeys, NEIGHBOR_BITS, ownersOfInt32, ownersOfInt64, virtualShard } from '../data/key-hash.ts'
import type { ShardTable } from './shard-table.ts'

/** Owners fit into seven bits; all eight stand for "not known". */
const MOST_WORKERS = 128
const UNKNOWN = 255
/** Whole numbers from 0 up to, not including, this are looked up: as many bytes, 300 KB, as stay in a core's own cache. */
const SMALL_KEYS = 1 << 22
const START_KEYS = 1 << 10
/** Blocks of neighbours come after the numbers that are alone. */
const BLOCKS = ALONE - (ALONE >> NEIGHBOR_BITS)

export class RowOwners {
  private readonly owners: Int32Array
  private readonly dictionary: Dictionary
  private readonly isCached: boolean
  /** Of the numbers below `smallKeys`, a power of two, by `slotOf`. */
  private small: Uint8Array = new Uint8Array(0)
  private smallKeys = 0
  /** By dictionary id, while that stands for the same text. */
  private texts: Uint8Array = new Uint8Array(0)
  private sweeps = 0

  constructor(shards: ShardTable, dictionary: Dictionary) {
    this.owners = shards.owners
    this.dictionary = dictionary
    this.isCached = shards.workers <= MOST_WORKERS
  }

  /** Writes the owners of the rows `from` to, not including, `end` to `out`, from 0 on. Returns their sum. */
  find(columns: readonly Int32Array[], types: readonly ColumnType[], from: number, end: number, out: Int32Array): number {
    const type = types[0]
    if (types.length === 1) {
      if (!type.nullable && type.kind === 'int32') return this.ofInt32(columns[0], from, end, out)
      if (!type.nullable && type.kind === 'int64') return ownersOfInt64(columns[0], from, end, this.owners, out)
      if (this.isCached && isInterned(type) && keyTextOf(type) === null) return this.ofTexts(columns[0], type, from, end, out)
    }
    const parts = columns.map((column, k) => column.subarray(types[k].width * from, types[k].width * end))
    hashKeys(parts, types, end - from, this.dictionary, out)
    return this.ofHashes(out, end - from)
  }

  /**
   * For two workers and keys of one word that are looked up: appends the keys themselves to what each of them gets, in one loop.
   * Returns the end of what worker 1 got; -1 if a key is not known, and then what was written beyond the ends means nothing.
   */
  splitSmall(keys: Int32Array, from: number, end: number, zeros: Int32Array, atZero: number, ones: Int32Array, atOne: number): number {
    return splitKnown(this.small, this.smallKeys, keys, from, end, zeros, atZero, ones, atOne)
  }

  /**
   * The same for any number of workers: the keys of worker w come to `parts` from `w * stride` on, `counts[w]` of them.
   * Returns whether all keys are known.
   */
  splitMany(keys: Int32Array, from: number, end: number, parts: Int32Array, stride: number, counts: Int32Array): boolean {
    return splitAmongMany(this.small, this.smallKeys, keys, from, end, parts, stride, counts)
  }

  private ofHashes(hashes: Int32Array, n: number): number {
    let sum = 0
    for (let i = 0; i < n; i++) {
      const owner = this.owners[virtualShard(hashes[i])]
      sum += owner
      hashes[i] = owner
    }
    return sum
  }

  private ofInt32(column: Int32Array, from: number, end: number, out: Int32Array): number {
    const sum = lookUpNumbers(this.small, this.smallKeys, column, from, end, out)
    if (sum >= 0) return sum
    let all = 0
    for (let i = from; i < end; i++) all |= column[i]
    if (!this.isCached || all >>> 0 >= SMALL_KEYS) return ownersOfInt32(column, from, end, this.owners, out)
    this.smallKeys = 2 << (31 - Math.clz32(all | (START_KEYS - 1)))
    this.small = this.ownersBelow(this.smallKeys)
    return lookUpNumbers(this.small, this.smallKeys, column, from, end, out)
  }

  private ownersBelow(count: number): Uint8Array {
    const slots = slotOf(count - 1) + 1
    const keys = new Int32Array(slots)
    for (let slot = 0; slot < slots; slot++) keys[slot] = slot < ALONE ? slot : (slot - BLOCKS) << NEIGHBOR_BITS
    ownersOfInt32(keys, 0, slots, this.owners, keys)
    return new Uint8Array(keys)
  }

  private ofTexts(column: Int32Array, type: ColumnType, from: number, end: number, out: Int32Array): number {
    const { dictionary } = this
    if (this.sweeps !== dictionary.sweeps) {
      this.sweeps = dictionary.sweeps
      this.texts.fill(UNKNOWN)
    }
    const size = dictionary.strings.length
    if (this.texts.length < size) {
      const texts = new Uint8Array(2 * size).fill(UNKNOWN)
      texts.set(this.texts)
      this.texts = texts
    }
    const sum = lookUp(this.texts, column, from, end, out)
    if (sum >= 0) return sum
    const ids = column.subarray(from, end)
    hashKeys([ids], [type], ids.length, dictionary, out)
    const found = this.ofHashes(out, ids.length)
    for (let i = 0; i < ids.length; i++) this.texts[ids[i]] = out[i]
    return found
  }
}

/** Without a branch, which random keys would mispredict. */
function slotOf(key: number): number {
  const alone = (key - ALONE) >> 31
  return (key & alone) | (((key >> NEIGHBOR_BITS) + BLOCKS) & ~alone)
}

/** Returns the sum of the owners, or -1 if one is not below `limit`. */
function lookUpNumbers(known: Uint8Array, limit: number, column: Int32Array, from: number, end: number, out: Int32Array): number {
  let sum = 0
  for (let i = from, p = 0; i < end; i++, p++) {
    const key = column[i]
    if (key >>> 0 >= limit) return -1
    const owner = known[slotOf(key)]
    out[p] = owner
    sum += owner
  }
  return sum
}

/** Returns the sum of the owners, or -1 if one is not known. Unrolled: one row's work is as much as a loop's own. */
function lookUp(known: Uint8Array, column: Int32Array, from: number, end: number, out: Int32Array): number {
  const limit = known.length
  let sum = 0
  let most = 0
  let i = from
  let p = 0
  for (; i + 4 <= end; i += 4, p += 4) {
    const a = column[i]
    const b = column[i + 1]
    const c = column[i + 2]
    const d = column[i + 3]
    if (a >>> 0 >= limit || b >>> 0 >= limit || c >>> 0 >= limit || d >>> 0 >= limit) return -1
    const x = known[a]
    const y = known[b]
    const z = known[c]
    const w = known[d]
    out[p] = x
    out[p + 1] = y
    out[p + 2] = z
    out[p + 3] = w
    sum += x + y + z + w
    most |= x | y | z | w
  }
  for (; i < end; i++, p++) {
    const key = column[i]
    if (key >>> 0 >= limit) return -1
    const owner = known[key]
    out[p] = owner
    sum += owner
    most |= owner
  }
  return most >= MOST_WORKERS ? -1 : sum
}

/** Each key is written for both, and only the cursor of its owner moves on: no branch, which random keys would mispredict. */
function splitKnown(
  known: Uint8Array,
  limit: number,
  keys: Int32Array,
  from: number,
  end: number,
  zeros: Int32Array,
  atZero: number,
  ones: Int32Array,
  atOne: number,
): number {
  let zero = atZero
  let one = atOne
  let i = from
  for (; i + 4 <= end; i += 4) {
    const a = keys[i]
    const b = keys[i + 1]
    const c = keys[i + 2]
    const d = keys[i + 3]
    if ((a | b | c | d) >>> 0 >= limit) return -1
    const x = known[slotOf(a)]
    const y = known[slotOf(b)]
    const z = known[slotOf(c)]
    const w = known[slotOf(d)]
    zeros[zero] = a
    ones[one] = a
    zero += 1 - x
    one += x
    zeros[zero] = b
    ones[one] = b
    zero += 1 - y
    one += y
    zeros[zero] = c
    ones[one] = c
    zero += 1 - z
    one += z
    zeros[zero] = d
    ones[one] = d
    zero += 1 - w
    one += w
  }
  for (; i < end; i++) {
    const key = keys[i]
    if (key >>> 0 >= limit) return -1
    zeros[zero] = key
    ones[one] = key
    const owner = known[slotOf(key)]
    zero += 1 - owner
    one += owner
  }
  return one
}

function splitAmongMany(
  known: Uint8Array,
  limit: number,
  keys: Int32Array,
  from: number,
  end: number,
  parts: Int32Array,
  stride: number,
  counts: Int32Array,
): boolean {
  counts.fill(0)
  for (let i = from; i < end; i++) {
    const key = keys[i]
    if (key >>> 0 >= limit) return false
    const owner = known[slotOf(key)]
    const at = counts[owner]
    parts[owner * stride + at] = key
    counts[owner] = at + 1
  }
  return true
}
