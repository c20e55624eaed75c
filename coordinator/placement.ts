/**
 * Which worker owns which virtual shard: even, and with as few shards as possible that have another owner than before, since a
 * shard that moves is state that moves. (The bound of Karger et al., "Consistent Hashing", STOC 1997, met exactly, since the table is
 * small enough to be written down.)
 */
import { VIRTUAL_SHARDS } from '../runtime/data/key-hash.ts'
import { invariant } from '../runtime/error.ts'

/**
 * @param workers of the new generation
 * @param previous by shard: the worker, in the numbers of the new generation, that had it before; -1 if nobody or somebody who is gone
 * @returns by shard its owner; any two workers own the same number of shards, or numbers that differ by one
 */
export function placeShards(workers: number, previous: readonly number[] | null): number[] {
  invariant(workers > 0, 'shards need a worker')
  const owners = new Array<number>(VIRTUAL_SHARDS).fill(-1)
  const least = Math.floor(VIRTUAL_SHARDS / workers)
  const kept = new Array<number>(workers).fill(0)
  if (previous !== null) for (const owner of previous) if (owner >= 0) kept[owner]++
  // Whoever had the most before gets the extra shards: moving those would be for nothing.
  const quota = new Array<number>(workers).fill(least)
  const byKept = Array.from(kept, (count, worker) => ({ count, worker })).sort((a, b) => b.count - a.count || a.worker - b.worker)
  for (let i = 0; i < VIRTUAL_SHARDS - least * workers; i++) quota[byKept[i].worker]++
  if (previous !== null)
    for (let shard = 0; shard < VIRTUAL_SHARDS; shard++) {
      const owner = previous[shard]
      if (owner < 0 || quota[owner] === 0) continue
      owners[shard] = owner
      quota[owner]--
    }
  let worker = 0
  for (let shard = 0; shard < VIRTUAL_SHARDS; shard++) {
    if (owners[shard] >= 0) continue
    while (quota[worker] === 0) worker++
    owners[shard] = worker
    quota[worker]--
  }
  return owners
}

/** Who has workers in a generation: consecutive numbers from `first`. */
export interface WorkerRange {
  readonly process: string
  readonly first: number
  readonly threads: number
}

/** By worker of an older generation: the number that the same thread of the same process has in the new one, or -1. */
export function renumber(before: readonly WorkerRange[], after: readonly WorkerRange[]): number[] {
  const now = new Map(after.map((range) => [range.process, range]))
  const result: number[] = []
  for (const range of before)
    for (let thread = 0; thread < range.threads; thread++) {
      const same = now.get(range.process)
      result[range.first + thread] = same === undefined || thread >= same.threads ? -1 : same.first + thread
    }
  return result
}
