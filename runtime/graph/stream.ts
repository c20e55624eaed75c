/** A stream: an operator's output as its readers see it, after a selection of columns that costs nothing. */
import type { Batch } from '../data/batch.ts'
import type { Schema } from '../data/schema.ts'
import type { Operator } from './operator.ts'
import type { Region } from './region.ts'

export interface Stream {
  readonly schema: Schema
  readonly operator: Operator
  /** Column i of the stream is column `picks[i]` of the operator's batches. */
  readonly picks: readonly number[]
  /** The loop region in which the times of this stream live; null outside loops. */
  readonly region: Region | null
  /** Inner coordinates of this stream's times; 0 outside loops. */
  readonly depth: number
}

export function streamOf(operator: Operator, schema: Schema, region: Region | null = null, depth = 0): Stream {
  return { schema, operator, picks: schema.names.map((_, i) => i), region, depth }
}

/** The same rows with some of the columns, by position. */
export function pick(stream: Stream, schema: Schema, columns: readonly number[]): Stream {
  return { ...stream, schema, picks: columns.map((column) => stream.picks[column] as number) }
}

/** Fills `out` with the columns of a batch that a stream shows. */
export function pickColumns(batch: Batch, picks: readonly number[], out: Int32Array[]): Int32Array[] {
  const columns = batch.columns
  for (let i = 0; i < picks.length; i++) out[i] = columns[picks[i] as number] as Int32Array
  return out
}
