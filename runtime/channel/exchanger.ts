import type { Frame } from './frame.ts'
import type { ShardTable } from './shard-table.ts'

/** What an exchange needs of its worker. */
export interface Exchanger {
  readonly dataflow: number
  readonly shards: ShardTable
  sendFrame(worker: number, frame: Frame): void
  /** Counts frames at the target location: +1 sent, -1 taken. */
  count(frame: { readonly target: number; readonly time: number; readonly timeId: number }, delta: number): void
}
