/** Which shards are said to be busy: those that are, by as much as they are, whatever the sizes of batches. */
import { describe, expect, test } from 'vitest'
import { type ShardLoad, ShardSample } from '../../runtime/channel/shard-sample.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import { type ColumnType, int32, int64, text } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { hashKeys, VIRTUAL_SHARDS, virtualShard } from '../../runtime/data/key-hash.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'

const dictionary = new Dictionary()

function shardOf(words: readonly number[], types: readonly ColumnType[]): number {
  const hashes = new Int32Array(1)
  const left = [...words]
  const columns = types.map((type) => Int32Array.from(left.splice(0, type.width)))
  hashKeys(columns, types, 1, dictionary, hashes)
  return virtualShard(hashes[0])
}

/** Batches of so many rows, of which `share` have the key 7 and the others random ones; none of long ones have it if it is `rare`. */
function loadOf(sizes: readonly number[], batches: number, share: number, rare = false): ShardLoad | null {
  const random = new SeededRandom(5)
  const sample = new ShardSample(dictionary)
  const pool = new BatchPool([1, 1])
  for (let b = 0; b < batches; b++) {
    const n = sizes[b % sizes.length]
    const batch = pool.take(0, n)
    for (let i = 0; i < n; i++) {
      batch.columns[0][i] = i
      batch.columns[1][i] = random.below(1000) < 1000 * share && !(rare && n > 10) ? 7 : random.below(1 << 20)
    }
    batch.n = n
    sample.add(batch, [1], [int32])
    batch.release()
  }
  return sample.load()
}

describe('the busiest shards', () => {
  test.each([
    ['large batches', [8192], 1500],
    ['small batches', [10], 60_000],
    ['single rows', [1], 200_000],
    ['a large one after small ones', [3, 3, 3, 3, 3, 3, 3, 5000], 8000],
  ])('of %s', (_, sizes, batches) => {
    const load = loadOf(sizes, batches, 0.2) as ShardLoad
    const [[shard, rows], second] = load.busiest
    expect(shard).toBe(shardOf([7], [int32]))
    expect(rows / load.rows).toBeGreaterThan(0.17)
    expect(rows / load.rows).toBeLessThan(0.23)
    // All others have about the mean: 0.08%.
    if (second !== undefined) expect(second[1] / load.rows).toBeLessThan(0.01)
  })

  test('are not those of many small batches', () => {
    const load = loadOf([3, 3, 3, 3, 3, 3, 3, 5000], 20_000, 1, true) as ShardLoad
    const rows = load.busiest.find(([shard]) => shard === shardOf([7], [int32]))?.[1] ?? 0
    // 21 of 5,021 rows.
    expect(rows / load.rows).toBeLessThan(0.02)
    expect(rows).toBeGreaterThan(0)
  })

  test('are none where nothing came, or too little to tell', () => {
    expect(loadOf([1000], 0, 0)).toBeNull()
    expect(loadOf([1], 100, 1)?.busiest).toEqual([])
  })

  test('are those of late', () => {
    const sample = new ShardSample(dictionary)
    const batch = new BatchPool([1]).take(0, 4096)
    batch.n = 4096
    const feed = (key: number, batches: number): void => {
      for (let i = 0; i < 4096; i++) batch.columns[0][i] = i % 2 === 0 ? key : 65_536 + i * 16
      for (let b = 0; b < batches; b++) sample.add(batch, [0], [int32])
    }
    feed(3, 40_000)
    const before = sample.load() as ShardLoad
    expect(before.busiest[0][0]).toBe(shardOf([3], [int32]))
    feed(4, 400_000)
    const after = sample.load() as ShardLoad
    expect(after.busiest[0][0]).toBe(shardOf([4], [int32]))
    expect(after.busiest.find(([shard]) => shard === shardOf([3], [int32]))?.[1] ?? 0).toBeLessThan(after.rows / 20)
    // A row is not counted for ever: about as many as are looked at before half is forgotten.
    expect(after.rows).toBeLessThan(2 ** 17 * 2048)
    expect(400_000 * 4096).toBeGreaterThan(5 * after.rows)
  })

  test('of keys of several columns, texts among them', () => {
    const types = [text, int64]
    const id = dictionary.intern('a name of more than twelve letters')
    const sample = new ShardSample(dictionary)
    const batch = new BatchPool([2, 1]).take(0, 100)
    batch.columns[0].set(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 5 : -1)))
    batch.columns[1].fill(id, 0, 100)
    batch.n = 100
    for (let b = 0; b < 1000; b++) sample.add(batch, [1, 0], types)
    const { rows, busiest } = sample.load() as ShardLoad
    expect(busiest).toEqual([[shardOf([id, 5, -1], types), rows]])
    expect(VIRTUAL_SHARDS).toBe(1024)
  })
})
