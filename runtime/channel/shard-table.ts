/**
 * Which worker owns which virtual shard. Rows are routed content hash -> virtual shard -> worker, never hash % workers,
 * so that a change of workers moves whole shards. A table is fixed for one generation of workers.
 */
import { VIRTUAL_SHARDS } from '../data/key-hash.ts'
import { invariant } from '../error.ts'

export class ShardTable {
  readonly generation: number
  readonly workers: number
  /** By virtual shard: the worker that owns it. */
  readonly owners: Int32Array

  constructor(generation: number, workers: number, owners: Int32Array) {
    invariant(owners.length === VIRTUAL_SHARDS, 'a shard table has an owner for every virtual shard')
    for (const owner of owners) invariant(owner >= 0 && owner < workers, 'a shard is owned by a worker of the generation')
    this.generation = generation
    this.workers = workers
    this.owners = owners
  }

  /** Shards in equal ranges: worker w of n owns the shards from w * 1024 / n on. */
  static even(generation: number, workers: number): ShardTable {
    const owners = Int32Array.from({ length: VIRTUAL_SHARDS }, (_, shard) => Math.floor((shard * workers) / VIRTUAL_SHARDS))
    return new ShardTable(generation, workers, owners)
  }
}
