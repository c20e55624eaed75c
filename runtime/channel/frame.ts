/**
 * A frame: rows under way from one worker to another on one exchange edge, self-contained.
 *
 * Words are copied as they are; a dictionary id means nothing to another worker, so interned columns hold positions in the
 * frame's own list of strings (from 1; 0 is null). Times inside loops travel as coordinates for the same reason.
 */
import type { Batch } from '../data/batch.ts'
import type { Dictionary } from '../data/dictionary.ts'
import type { TimeTable } from '../time/time-table.ts'

export interface Frame {
  readonly kind: 'frame'
  readonly generation: number
  readonly dataflow: number
  /** The exchange edge, as the location of its target. */
  readonly target: number
  readonly rows: number
  readonly columns: readonly Int32Array[]
  readonly differences: Int32Array
  /** Outside loops the time of all rows. Inside loops -1. */
  readonly time: number
  /** Inside loops: the distinct times, `depth + 1` coordinates each, and the position among them for each row. */
  readonly times: Float64Array | null
  readonly timeOf: Int32Array | null
  readonly strings: readonly string[]
}

/** What a frame's times are relative to inside a loop. */
export interface FrameTimes {
  readonly table: TimeTable
  readonly depth: number
}

/** Packs the chosen rows of a batch's columns. `interned[c]` tells whether column c holds dictionary ids. */
export class FrameEncoder {
  private readonly widths: readonly number[]
  private readonly interned: readonly boolean[]
  private positions = new Map<number, number>() // not state: one frame's strings

  constructor(widths: readonly number[], interned: readonly boolean[]) {
    this.widths = widths
    this.interned = interned
  }

  encode(
    header: { readonly generation: number; readonly dataflow: number; readonly target: number },
    batch: Batch,
    columns: readonly Int32Array[],
    rows: Int32Array,
    count: number,
    dictionary: Dictionary,
    inside: FrameTimes | null,
  ): Frame {
    this.positions.clear()
    const strings: string[] = []
    const packed = columns.map((column, c) => {
      const width = this.widths[c]
      const out = new Int32Array(width * count)
      for (let i = 0; i < count; i++) for (let w = 0; w < width; w++) out[i * width + w] = column[rows[i] * width + w]
      if (this.interned[c]) for (let i = 0; i < count; i++) out[i] = this.position(out[i], strings, dictionary)
      return out
    })
    const differences = new Int32Array(count)
    for (let i = 0; i < count; i++) differences[i] = batch.differences[rows[i]]
    const times = inside === null ? null : packTimes(batch, rows, count, inside)
    return {
      kind: 'frame',
      ...header,
      rows: count,
      columns: packed,
      differences,
      time: inside === null ? batch.time : -1,
      times: times?.coordinates ?? null,
      timeOf: times?.timeOf ?? null,
      strings,
    }
  }

  private position(id: number, strings: string[], dictionary: Dictionary): number {
    if (id === 0) return 0
    let position = this.positions.get(id)
    if (position === undefined) {
      strings.push(dictionary.get(id))
      position = strings.length
      this.positions.set(id, position)
    }
    return position
  }
}

function packTimes(
  batch: Batch,
  rows: Int32Array,
  count: number,
  { table, depth }: FrameTimes,
): { coordinates: Float64Array; timeOf: Int32Array } {
  const positions = new Map<number, number>() // not state: one frame's times
  const timeOf = new Int32Array(count)
  const coordinates: number[] = []
  for (let i = 0; i < count; i++) {
    const id = batch.times === null ? batch.time : batch.times[rows[i]]
    let position = positions.get(id)
    if (position === undefined) {
      position = positions.size
      positions.set(id, position)
      coordinates.push(table.outer(id))
      for (let level = 1; level <= depth; level++) coordinates.push(table.coordinate(id, level))
    }
    timeOf[i] = position
  }
  return { coordinates: Float64Array.from(coordinates), timeOf }
}

/** Appends the rows of a frame to a batch with room for them. */
export function decodeFrame(
  frame: Frame,
  batch: Batch,
  widths: readonly number[],
  interned: readonly boolean[],
  dictionary: Dictionary,
  inside: FrameTimes | null,
): void {
  const ids = frame.strings.map((s) => dictionary.intern(s))
  const at = batch.n
  for (let c = 0; c < widths.length; c++) {
    const from = frame.columns[c]
    const to = batch.columns[c]
    const width = widths[c]
    if (interned[c]) for (let i = 0; i < frame.rows; i++) to[at + i] = from[i] === 0 ? 0 : ids[from[i] - 1]
    else for (let i = 0; i < width * frame.rows; i++) to[width * at + i] = from[i]
  }
  batch.differences.set(frame.differences, at)
  if (inside !== null && frame.times !== null && frame.timeOf !== null) {
    const stride = inside.depth + 1
    const local = new Int32Array(frame.times.length / stride)
    for (let t = 0; t < local.length; t++) {
      const p = t * stride
      local[t] = inside.table.internDepth(
        inside.depth,
        frame.times[p],
        frame.times[p + 1],
        frame.times[p + 2] ?? 0,
        frame.times[p + 3] ?? 0,
      )
    }
    const times = batch.useTimes()
    for (let i = 0; i < frame.rows; i++) times[at + i] = local[frame.timeOf[i]]
  }
  batch.n = at + frame.rows
}
