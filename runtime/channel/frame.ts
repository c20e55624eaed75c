/**
 * A frame: rows under way from one worker to another on one exchange edge.
 *
 * Its rows are a pooled batch, so that whoever receives the frame passes the same memory on. Dictionary ids are the sender's until
 * the receiving worker has translated them (`string-channel.ts`). Times inside loops travel as coordinates, since a time id means
 * nothing to another worker either.
 */
import type { Batch } from '../data/batch.ts'
import type { TimeTable } from '../time/time-table.ts'

/** A frame has at most so many bytes as a wire message, unless a single row has more. */
export const MAXIMUM_WIRE_BYTES = 256 << 10
/** What a wire message has besides rows and strings, generously. */
const OVERHEAD_BYTES = 4 << 10
/** Rows a frame: what stays in the cache between the loops that pack it, and what a receiver takes at once. */
const FRAME_ROWS = 1 << 12

/** The epoch of frames that bring all their strings with them. */
export const OWN_STRINGS = -1

export interface Frame {
  readonly kind: 'frame'
  readonly generation: number
  readonly dataflow: number
  /** The exchange edge, as the location of its target. */
  readonly target: number
  /** The sending worker. */
  readonly from: number
  /** Outside loops the time of all rows. Inside loops -1. */
  readonly time: number
  /** Inner coordinates of the times; 0 outside loops. */
  readonly depth: number
  /** Inside loops: the distinct times, `depth + 1` coordinates each; `batch.times` has the position among them for each row. */
  readonly times: Float64Array | null
  /** The rows; whoever consumes the frame releases it. */
  readonly batch: Batch
  /** Columns that hold dictionary ids. */
  readonly interned: readonly number[]
  /**
   * Which numbering the ids follow: that of the sender's dictionary since so many sweeps, or -1 for positions (from 1) among this
   * frame's own strings.
   */
  readonly epoch: number
  /** Strings that the receiver has not been told in this epoch, and their ids; no ids if the epoch is -1. */
  readonly ids: readonly number[]
  readonly strings: readonly string[]
}

/** What a frame's times are relative to inside a loop. */
export interface FrameTimes {
  readonly table: TimeTable
  readonly depth: number
}

/** How many rows of these widths fit into a frame, with half of it for their strings if they have any. */
export function frameRows(widths: readonly number[], hasStrings: boolean): number {
  let rowBytes = 8
  for (const width of widths) rowBytes += 4 * width
  const bytes = MAXIMUM_WIRE_BYTES - OVERHEAD_BYTES - 9 * widths.length
  return Math.max(1, Math.min(FRAME_ROWS, Math.floor((hasStrings ? bytes / 2 : bytes) / rowBytes)))
}

/** The most bytes of strings that a frame takes, as `stringBytes` counts them. */
export const FRAME_STRING_BYTES = (MAXIMUM_WIRE_BYTES - OVERHEAD_BYTES) / 2

/** What a string takes at most. */
export function stringBytes(s: string): number {
  return 2 * s.length + 10
}

/** Replaces the time ids of a batch by positions, and returns the coordinates of the times at those positions. */
export function packTimes(batch: Batch, { table, depth }: FrameTimes): Float64Array {
  const positions = new Map<number, number>() // not state: one frame's times
  const coordinates: number[] = []
  const times = batch.times as Int32Array
  for (let i = 0; i < batch.n; i++) {
    const id = times[i]
    let position = positions.get(id)
    if (position === undefined) {
      position = positions.size
      positions.set(id, position)
      coordinates.push(table.outer(id))
      for (let level = 1; level <= depth; level++) coordinates.push(table.coordinate(id, level))
    }
    times[i] = position
  }
  return Float64Array.from(coordinates)
}

/** The ids, in a worker's own table, of the times of a frame. */
export function internTimes(times: Float64Array, { table, depth }: FrameTimes): Int32Array {
  const stride = depth + 1
  const ids = new Int32Array(times.length / stride)
  for (let t = 0, p = 0; t < ids.length; t++, p += stride)
    ids[t] = table.internDepth(depth, times[p], times[p + 1], depth > 1 ? times[p + 2] : 0, depth > 2 ? times[p + 3] : 0)
  return ids
}
