/**
 * Which worker owns each row of a batch, by its key: `owners[virtualShard(hash)]`. For the usual keys the answers are kept, a byte
 * each, since a look-up is faster than a hash: for small whole numbers by the number, for texts by the id.
 */
import { type ColumnType, isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { keyTextOf } from '../data/key-encoding.ts'
import { hashKeys, ownersOfInt32, ownersOfInt64, virtualShard } from '../data/key-hash.ts'
import type { ShardTable } from './shard-table.ts'

/** Owners fit into a byte below 255, which stands for "not known". */
const MOST_WORKERS = 255
const UNKNOWN = 255
/** Whole numbers from 0 up to, not including, this are looked up: as many bytes as stay in a core's own cache. */
const SMALL_KEYS = 1 << 18

export class RowOwners {
  private readonly owners: Int32Array
  private readonly dictionary: Dictionary
  private readonly isCached: boolean
  private small: Uint8Array = new Uint8Array(0)
  /** By dictionary id, while that stands for the same text. */
  private texts: Uint8Array = new Uint8Array(0)
  private sweeps = 0

  constructor(shards: ShardTable, dictionary: Dictionary) {
    this.owners = shards.owners
    this.dictionary = dictionary
    this.isCached = shards.workers <= MOST_WORKERS
  }

  /** Writes the owners of the rows `from` to, not including, `end` to `out`, from 0 on. */
  find(columns: readonly Int32Array[], types: readonly ColumnType[], from: number, end: number, out: Int32Array): void {
    const type = types[0]
    if (types.length === 1 && !type.nullable && type.kind === 'int32') this.ofInt32(columns[0], from, end, out)
    else if (types.length === 1 && !type.nullable && type.kind === 'int64') ownersOfInt64(columns[0], from, end, this.owners, out)
    else if (types.length === 1 && this.isCached && isInterned(type) && keyTextOf(type) === null)
      this.ofTexts(columns[0], type, from, end, out)
    else {
      const parts = columns.map((column, k) => column.subarray(types[k].width * from, types[k].width * end))
      hashKeys(parts, types, end - from, this.dictionary, out)
      for (let i = 0; i < end - from; i++) out[i] = this.owners[virtualShard(out[i])]
    }
  }

  private ofInt32(column: Int32Array, from: number, end: number, out: Int32Array): void {
    let all = 0
    for (let i = from; i < end; i++) all |= column[i]
    if (!this.isCached || all >>> 0 >= SMALL_KEYS) {
      ownersOfInt32(column, from, end, this.owners, out)
      return
    }
    if (all >= this.small.length) this.small = this.ownersBelow(2 << (31 - Math.clz32(all | 0x3ff)))
    lookUp(this.small, column, from, end, out)
  }

  private ownersBelow(count: number): Uint8Array {
    const owners = new Int32Array(count)
    ownersOfInt32(
      owners.map((_, key) => key),
      0,
      count,
      this.owners,
      owners,
    )
    return Uint8Array.from(owners)
  }

  private ofTexts(column: Int32Array, type: ColumnType, from: number, end: number, out: Int32Array): void {
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
    if (!lookUp(this.texts, column, from, end, out)) this.ofNewTexts(column, type, from, end, out)
  }

  private ofNewTexts(column: Int32Array, type: ColumnType, from: number, end: number, out: Int32Array): void {
    const hashes = new Int32Array(end - from)
    hashKeys([column.subarray(from, end)], [type], end - from, this.dictionary, hashes)
    for (let i = 0; i < hashes.length; i++) {
      out[i] = this.owners[virtualShard(hashes[i])]
      this.texts[column[from + i]] = out[i]
    }
  }
}

/** Returns whether all were known. */
function lookUp(known: Uint8Array, column: Int32Array, from: number, end: number, out: Int32Array): boolean {
  let or = 0
  for (let i = from; i < end; i++) {
    const owner = known[column[i]]
    or |= owner === UNKNOWN ? 1 : 0
    out[i - from] = owner
  }
  return or === 0
}
