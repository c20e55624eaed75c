/** What the threads of a parallel run are told, and what they tell. */
import type { Forms } from './millrace.ts'
import type { Streams, Workload } from './workloads.ts'

export interface ProgramData {
  readonly workload: Workload
  readonly args: readonly number[]
  readonly seed: number
  readonly forms: Forms
  /** Rounds before those that are timed. */
  readonly warm: number
  /** Whether each worker feeds its share of a batch, or the first one all. */
  readonly feed: 'all' | 'one'
}

/** Of one worker; the sums over all workers are the protocol's figures. */
export interface WorkerResult {
  readonly loadMilliseconds: number
  readonly loadChecksum: number
  readonly loadRows: number
  readonly roundsMilliseconds: number
  /** Sorted, milliseconds. */
  readonly latencies: readonly number[]
  /** After each round. */
  readonly checksums: readonly number[]
  readonly rows: number
  readonly diffs: number
  /** CPU time of the worker's whole process during the rounds. */
  readonly processMilliseconds: number
}

/** A process draws the streams once for all of its threads, unless they are texts, which each thread draws. */
export interface SharedProgramData extends ProgramData {
  readonly streams: Streams[Workload] | null
}
