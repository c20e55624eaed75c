/**
 * The content hash that routes rows between workers: the same on every worker, whatever its dictionary ids. It is
 * murmur3 (32 bit) over the words of the key, with the content's hash in place of an id. It decides where a key lives,
 * never whether two keys are equal, and is part of what checkpoints depend on: a change needs a new version.
 */
import { type ColumnType, NULL_BOOL, NULL_FLOAT_HIGH, NULL_FLOAT_LOW, NULL_TIMESTAMP_HIGH } from './column-type.ts'
import { type Dictionary, hashString } from './dictionary.ts'
import { keyTextOf } from './key-encoding.ts'

export const HASH_VERSION = 2
export const VIRTUAL_SHARDS = 1024
/**
 * Of a key that is one whole number, neighbours share a shard, in blocks of `1 << NEIGHBOR_BITS`: what a worker keeps by such keys lies
 * side by side, and a cache line that it fetches is its own as a whole. Not so numbers from 0 up to, not including, `ALONE`: what is
 * kept by them stays in a cache anyway, and of few keys each worker must get its share.
 */
export const NEIGHBOR_BITS = 4
export const ALONE = 1 << 16
const SHARD_SHIFT = 22
const SEED = 0x5eed0001
const NULL_WORD = 0x6e756c6c

/**
 * The hashes of the first n rows of key columns, each in its identity or key layout: equal keys hash alike whatever
 * their common type, so int32 like int64 and -0 like 0.
 */
export function hashKeys(
  columns: readonly Int32Array[],
  types: readonly ColumnType[],
  n: number,
  dictionary: Dictionary,
  out: Int32Array | Uint32Array,
): void {
  for (let i = 0; i < n; i++) out[i] = SEED
  const bits = types.length === 1 ? NEIGHBOR_BITS : 0
  for (let k = 0; k < types.length; k++) hashColumn(columns[k] as Int32Array, types[k] as ColumnType, n, dictionary, bits, out)
  const length = types.length
  for (let i = 0; i < n; i++) {
    let h = (out[i] as number) ^ length
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    out[i] = h ^ (h >>> 16)
  }
}

/** What `mix` makes of a word of only ones, the high word of a negative number; of 0 it makes 0. */
const ONES = Math.imul((Math.imul(-1, 0xcc9e2d51) << 15) | (Math.imul(-1, 0xcc9e2d51) >>> 17), 0x1b873593)

/**
 * `owners[virtualShard(hash)]` for the rows `from` to, not including, `end` of a single key without nulls, with the hashes of
 * `hashKeys`: `mix` and the end of that written out. The last exclusive-or leaves the bits of the shard alone. Returns the sum.
 */
export function ownersOfInt32(column: Int32Array, from: number, end: number, owners: Int32Array, out: Int32Array): number {
  let sum = 0
  for (let i = from; i < end; i++) {
    const key = column[i] as number
    const low = key >>> 0 < ALONE ? key : key >> NEIGHBOR_BITS
    const k = Math.imul(low, 0xcc9e2d51)
    let h = SEED ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) ^ ((low >> 31) & ONES)
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) ^ 1
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    const owner = owners[Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> SHARD_SHIFT] as number
    sum += owner
    out[i - from] = owner
  }
  return sum
}

/** The same for keys of two words. */
export function ownersOfInt64(column: Int32Array, from: number, end: number, owners: Int32Array, out: Int32Array): number {
  let sum = 0
  for (let i = from; i < end; i++) {
    const key = column[2 * i] as number
    const k = Math.imul(key >>> 0 < ALONE ? key : key >> NEIGHBOR_BITS, 0xcc9e2d51)
    const k2 = Math.imul(column[2 * i + 1] as number, 0xcc9e2d51)
    let h = SEED ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) ^ Math.imul((k2 << 15) | (k2 >>> 17), 0x1b873593)
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) ^ 1
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    const owner = owners[Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> SHARD_SHIFT] as number
    sum += owner
    out[i - from] = owner
  }
  return sum
}

/** The virtual shard of a hash, 0 to 1,023: its ten high bits. */
export function virtualShard(hash: number): number {
  return hash >>> SHARD_SHIFT
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const x = h ^ k
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0
}

function hashColumn(
  column: Int32Array,
  type: ColumnType,
  n: number,
  dictionary: Dictionary,
  bits: number,
  out: Int32Array | Uint32Array,
): void {
  switch (type.kind) {
    case 'int32':
    case 'int64':
      hashWhole(column, type, n, bits, out)
      return
    case 'bool':
      for (let i = 0; i < n; i++) {
        const word = column[i] as number
        out[i] = word === NULL_BOOL ? mix(out[i] as number, NULL_WORD) : mix(out[i] as number, word)
      }
      return
    case 'timestamp':
      for (let i = 0; i < n; i++) {
        const low = column[2 * i] as number
        const high = column[2 * i + 1] as number
        const isNull = low === 0 && high === NULL_TIMESTAMP_HIGH
        out[i] = isNull ? mix(out[i] as number, NULL_WORD) : mix(mix(out[i] as number, low), high)
      }
      return
    case 'float64':
      for (let i = 0; i < n; i++) {
        const low = column[2 * i] as number
        const high = column[2 * i + 1] as number
        if (low === NULL_FLOAT_LOW && high === NULL_FLOAT_HIGH) out[i] = mix(out[i] as number, NULL_WORD)
        else out[i] = mix(mix(out[i] as number, low), low === 0 && high === -0x80000000 ? 0 : high)
      }
      return
    default:
      hashInterned(column, type, n, dictionary, out)
  }
}

function hashInterned(column: Int32Array, type: ColumnType, n: number, dictionary: Dictionary, out: Int32Array | Uint32Array): void {
  const keyText = keyTextOf(type)
  for (let i = 0; i < n; i++) {
    const id = column[i] as number
    if (id <= 0) out[i] = mix(out[i] as number, NULL_WORD)
    else if (keyText === null) out[i] = mix(out[i] as number, dictionary.contentHash(id))
    else out[i] = mix(out[i] as number, hashString(keyText(dictionary.get(id))))
  }
}

function hashWhole(column: Int32Array, type: ColumnType, n: number, bits: number, out: Int32Array | Uint32Array): void {
  const width = type.width
  const long = type.kind === 'int64'
  const nullAt = type.nullable ? width - 1 : -1
  for (let i = 0, p = 0; i < n; i++, p += width) {
    const low = column[p] as number
    const high = long ? (column[p + 1] as number) : low >> 31
    if (nullAt >= 0 && column[p + nullAt] === 1) out[i] = mix(out[i] as number, NULL_WORD)
    else out[i] = mix(mix(out[i] as number, low >>> 0 < ALONE ? low : low >> bits), high)
  }
}
