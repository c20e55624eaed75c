/**
 * State that an operator keeps outside traces, as rows: what a key has, and how many times. A checkpoint takes all of it at rest;
 * a restore puts the rows of some shards back before anything happens.
 */
import type { CheckpointTypes } from './trace-content.ts'
import type { TraceRows } from './trace-store.ts'

export interface StateCell {
  /** Columns of its rows; rows are sharded by the key, as the operator's input is. null if it cannot be stored. */
  readonly cellTypes: CheckpointTypes | null
  saveCell(): TraceRows
  /** May be called several times, with different rows. */
  loadCell(rows: TraceRows): void
}

/** State that follows from a trace. */
export interface DerivedState {
  /** Computes it as of `time`, at which the trace stands; sends nothing. */
  rebuild(time: number): void
}
