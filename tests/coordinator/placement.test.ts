import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assignPartitions, partitionKey } from '../../coordinator/assignment.ts'
import { placeShards, renumber, type WorkerRange } from '../../coordinator/placement.ts'
import { VIRTUAL_SHARDS } from '../../runtime/data/key-hash.ts'

const counts = (owners: readonly number[], workers: number): number[] => {
  const result = new Array<number>(workers).fill(0)
  for (const owner of owners) result[owner]++
  return result
}

describe('shards', () => {
  test('every shard has one owner, evenly, and no more shards move than must', () => {
    const table = fc.array(fc.integer({ min: -1, max: 40 }), { minLength: VIRTUAL_SHARDS, maxLength: VIRTUAL_SHARDS })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.option(table), (workers, before) => {
        const previous = before?.map((owner) => (owner < workers ? owner : -1)) ?? null
        const owners = placeShards(workers, previous)
        expect(owners).toHaveLength(VIRTUAL_SHARDS)
        const have = counts(owners, workers)
        expect(Math.max(...have) - Math.min(...have)).toBeLessThanOrEqual(1)
        if (previous === null) return
        const kept = owners.filter((owner, shard) => owner === previous[shard]).length
        // Of what each had, no even table keeps more than a quota; the larger quotas are for those who had the most.
        const had = counts(
          previous.filter((owner) => owner >= 0),
          workers,
        ).sort((a, b) => b - a)
        const extra = VIRTUAL_SHARDS % workers
        const quota = Math.floor(VIRTUAL_SHARDS / workers)
        expect(kept).toBe(had.reduce((sum, count, i) => sum + Math.min(count, quota + (i < extra ? 1 : 0)), 0))
      }),
      { numRuns: 60 },
    )
  })

  test('a fourth process takes a quarter, and what it had goes back when it leaves', () => {
    const three = placeShards(3, null)
    const four = placeShards(4, three)
    expect(four.filter((owner, shard) => owner !== three[shard])).toHaveLength(256)
    expect(new Set(four.filter((owner, shard) => owner !== three[shard]))).toEqual(new Set([3]))
    const again = placeShards(
      3,
      four.map((owner) => (owner === 3 ? -1 : owner)),
    )
    expect(again.filter((owner, shard) => owner !== four[shard] && four[shard] !== 3)).toHaveLength(0)
  })

  test('threads keep their shards when the numbers of workers change', () => {
    const before: WorkerRange[] = [
      { process: 'a', first: 0, threads: 2 },
      { process: 'b', first: 2, threads: 3 },
      { process: 'c', first: 5, threads: 1 },
    ]
    const after: WorkerRange[] = [
      { process: 'c', first: 0, threads: 1 },
      { process: 'b', first: 1, threads: 2 },
    ]
    expect(renumber(before, after)).toEqual([-1, -1, 1, 2, -1, 0])
  })
})

describe('partitions', () => {
  const members: WorkerRange[] = [
    { process: 'a', first: 0, threads: 2 },
    { process: 'b', first: 2, threads: 2 },
  ]
  const all = new Set(['a', 'b'])
  const some = (count: number) => Array.from({ length: count }, (_, i) => ({ input: 'rows', partition: `p${i}`, processes: all }))

  test('spread over processes before threads', () => {
    expect(assignPartitions(some(2), members, new Map(), 0).map(({ worker }) => worker)).toEqual([0, 2])
    expect(
      assignPartitions(some(6), members, new Map(), 0)
        .map(({ worker }) => worker)
        .sort(),
    ).toEqual([0, 0, 1, 2, 2, 3])
  })

  test('jobs of one partition each go to different workers', () => {
    const workers = [0, 1, 2, 3].map((dataflow) => assignPartitions(some(1), members, new Map(), dataflow)[0].worker)
    expect(new Set(workers).size).toBe(4)
  })

  test('stay where they are as long as that is even', () => {
    const previous = new Map([
      [partitionKey('rows', 'p0'), 3],
      [partitionKey('rows', 'p1'), 3],
      [partitionKey('rows', 'p2'), 1],
      [partitionKey('rows', 'p3'), -1],
    ])
    const workers = assignPartitions(some(4), members, previous, 0).map(({ worker }) => worker)
    expect(workers[0]).toBe(3)
    expect(workers[2]).toBe(1)
    expect(new Set(workers).size).toBe(4)
  })

  test('go to a process that sees them', () => {
    const seen = [{ input: 'rows', partition: 'p0', processes: new Set(['b']) }]
    expect(assignPartitions(seen, members, new Map(), 0)[0].worker).toBeGreaterThanOrEqual(2)
    // A partition that nobody sees any more is read all the same: somebody has to say that it is gone.
    expect(assignPartitions([{ input: 'rows', partition: 'p9', processes: new Set() }], members, new Map(), 0)).toHaveLength(1)
  })
})
