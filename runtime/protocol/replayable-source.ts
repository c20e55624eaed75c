/**
 * A source that a cluster can read again: what it gave once it gives again from the same position, row for row. A source has
 * partitions, each read by one worker process at a time, in order; between them there is no order, so all commands for a key of a
 * table with a key are to come from one partition (`upsert` says what is made of others).
 */
import type { Columns } from '../data/schema.ts'
import type { Environment } from '../env/environment.ts'
import type { ChangeRun } from './change-run.ts'
import type { Position } from './position.ts'

/** What the job says about the input that a source feeds. */
export interface InputShape {
  readonly columns: Columns
  readonly key?: readonly string[]
}

export interface ReplayableSource {
  readonly kind: string
  /** Names of what is there now, at least one. Every process sees the same. */
  partitions(environment: Environment): Promise<readonly string[]>
  /** Begins after a position; null: at the beginning. */
  open(environment: Environment, shape: InputShape, partition: string, after: Position | null): Promise<PartitionReader>
}

export interface PartitionReader {
  /**
   * What comes next, bounded; null if there is nothing now. Never goes beyond `until`, an earlier batch's position, if one is
   * given: the batch that gets there ends exactly there. A batch may be empty and only move the position.
   * @throws MillraceError SOURCE if the source cannot be read; the reader may be polled again later
   */
  poll(until: Position | null): Promise<SourceBatch | null>
  /** Whether a position was reached, or is behind. */
  hasReached(position: Position): boolean
  /** Whether more is there at once. */
  readonly behind: boolean
  close(): Promise<void>
}

export interface SourceBatch {
  readonly runs: readonly ChangeRun[]
  /** After its last row. */
  readonly position: Position
}
