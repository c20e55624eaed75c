import type { Frame } from './frame.ts'
import type { RowOwners } from './row-owners.ts'
import type { ShardSample } from './shard-sample.ts'
import type { ShardTable } from './shard-table.ts'
import type { StringSender } from './string-channel.ts'

/** What an exchange needs of its worker. */
export interface Exchanger {
  readonly dataflow: number
  readonly shards: ShardTable
  /** The number of this worker: rows for it never become frames. */
  readonly worker: number
  readonly owners: RowOwners
  /** Looks at what comes to this worker. */
  readonly shardSample: ShardSample
  /** What another worker knows of this worker's dictionary. */
  stringsTo(worker: number): StringSender
  sendFrame(worker: number, frame: Frame): void
  /** Has `flush` called before the turn ends. */
  flushLater(work: { flush(): void }): void
  /** Counts at the target location: +1 sent, -1 taken. Inside loops the time is an id. */
  count(target: number, time: number, delta: number): void
}
