/**
 * Which virtual shards take how much of what is exchanged, at the worker that owns them: a few rows of every 32nd batch or so are hashed,
 * and each of them stands for as many rows as there are to one that is looked at, so that the sizes of batches do not matter. Which
 * batches is left to chance, since senders and exchanges may come in turns. It fades: when about as much has come anew as was there, half
 * of all is forgotten.
 *
 * A shard is only spoken of when enough rows of it were looked at: of 1,024 equal ones some always lead by chance.
 *
 * Cost: the hash of one row of 2,048, or of a few rows of one small batch of 32; less than 0.5%.
 */
import type { Batch } from '../data/batch.ts'
import type { ColumnType } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { hashKeys, VIRTUAL_SHARDS, virtualShard } from '../data/key-hash.ts'
import { SeededRandom } from '../env/seeded-random.ts'
import { gather } from './partition.ts'

/** Batches to one that is looked at: each number up to twice this is as likely. */
const BATCHES = 32
/** Rows of a large batch to one that is looked at, and how many are looked at of a small one, if it has so many. */
const STRIDE_BITS = 6
const FEW_BITS = 4
/** Rows of one batch that are looked at, at most. */
const MOST_SAMPLES = 1 << 10
/** Words of a value at most. */
const MOST_WORDS = 3
/** When so many were looked at, half is forgotten. */
const FADE_SAMPLES = 1 << 17
/** Of a shard that is spoken of, so many rows were looked at. */
const LEAST_SAMPLES = 16
/** Shards that are spoken of at most. */
const MOST_SHARDS = 8

export interface ShardLoad {
  /** Rows that were exchanged to this worker lately, about. */
  readonly rows: number
  /** Its busiest shards, the busiest first, each with its part of the rows. */
  readonly busiest: readonly (readonly [shard: number, rows: number])[]
}

export class ShardSample {
  private readonly dictionary: Dictionary
  /** By shard: the rows that those that were looked at stand for, and how many these are. */
  private readonly rows = new Float64Array(VIRTUAL_SHARDS)
  private readonly samples = new Int32Array(VIRTUAL_SHARDS)
  private sampled = 0
  /** Batches until one is looked at, and what decides that: a sequence that is the same in every run. */
  private until = BATCHES
  private readonly chance = new SeededRandom(1)
  private readonly picked = new Int32Array(MOST_SAMPLES)
  private readonly hashes = new Int32Array(MOST_SAMPLES)
  /** The keys of the rows that are looked at, by column. */
  private readonly keys: Int32Array[] = []

  constructor(dictionary: Dictionary) {
    this.dictionary = dictionary
  }

  /** @param keyColumns of the batch, in the order of the key; at least one */
  add(batch: Batch, keyColumns: readonly number[], types: readonly ColumnType[]): void {
    if (--this.until === 0) this.look(batch, keyColumns, types)
  }

  /** Null if nothing came. */
  load(): ShardLoad | null {
    let rows = 0
    const busiest: (readonly [number, number])[] = []
    for (let shard = 0; shard < VIRTUAL_SHARDS; shard++) {
      rows += this.rows[shard]
      if (this.samples[shard] >= LEAST_SAMPLES) busiest.push([shard, Math.round(this.rows[shard])])
    }
    busiest.sort((a, b) => b[1] - a[1])
    return rows === 0 ? null : { rows: Math.round(rows), busiest: busiest.slice(0, MOST_SHARDS) }
  }

  private look(batch: Batch, keyColumns: readonly number[], types: readonly ColumnType[]): void {
    const { picked, hashes } = this
    const { n } = batch
    this.until = 1 + this.chance.below(2 * BATCHES - 1)
    const stride = 1 << strideBits(n)
    let count = 0
    for (let row = this.chance.below(stride); row < n && count < MOST_SAMPLES; row += stride) picked[count++] = row
    if (count === 0) return
    for (let k = 0; k < types.length; k++) {
      this.keys[k] ??= new Int32Array(MOST_SAMPLES * MOST_WORDS)
      gather(batch.columns[keyColumns[k]], types[k].width, picked, 0, count, this.keys[k], 0)
    }
    hashKeys(this.keys, types, count, this.dictionary, hashes)
    for (let i = 0; i < count; i++) {
      const shard = virtualShard(hashes[i])
      this.rows[shard] += BATCHES * stride
      this.samples[shard]++
    }
    this.sampled += count
    if (this.sampled >= FADE_SAMPLES) this.fade()
  }

  private fade(): void {
    this.sampled = 0
    for (let shard = 0; shard < VIRTUAL_SHARDS; shard++) {
      this.rows[shard] /= 2
      this.samples[shard] >>= 1
      this.sampled += this.samples[shard]
    }
  }
}

/** The stride doubles with the batch, so that a few rows are looked at, up to the stride of large batches. */
function strideBits(n: number): number {
  const bits = 31 - Math.clz32(n | 1) - FEW_BITS
  return bits < 0 ? 0 : bits > STRIDE_BITS ? STRIDE_BITS : bits
}
