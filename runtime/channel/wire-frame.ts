/**
 * Frames as bytes. After the common header (`wire.ts`):
 *
 * | words | |
 * |---|---|
 * | 0 | target |
 * | 1 | rows |
 * | 2, 3 | time, a double |
 * | 4 | columns (16 bits), loop depth (8), flags (8) |
 * | 5 | distinct times |
 * | 6 | strings |
 * | 7 | bytes of strings |
 * | 8 | epoch of the dictionary |
 * | 9 | 0 |
 *
 * then, each filled up to a multiple of 8 bytes: a byte a column (its width, plus 4 if it holds dictionary ids); inside loops the
 * coordinates of the distinct times as doubles and, if there are several, the position of each row's; differences, one if all are
 * the same; columns; strings, each with its id as the difference from the one before.
 */
import { BatchPool } from '../data/batch.ts'
import { invariant } from '../error.ts'
import { type Frame, OWN_STRINGS } from './frame.ts'
import { areEqual } from './partition.ts'
import { type ByteSink, ByteSource, malformed } from './wire-bytes.ts'

const HEADER_WORDS = 10
const INSIDE = 1
const EQUAL_DIFFERENCES = 2
const INTERNED = 4
/** Senders put fewer rows into a frame; without columns no length would bound them. */
const MAXIMUM_ROWS = 1 << 16
/** Shorter arrays are copied by a loop. */
const SHORT_COPY = 32
/** Different layouts of rows that a reader keeps memory for. */
const MAXIMUM_LAYOUTS = 1024
/** Columns whose layout fits into one exact number, four bits each. */
const NUMBERED_COLUMNS = 12

export class FrameWriter {
  private readonly double = new Float64Array(1)
  private readonly doubleWords = new Int32Array(this.double.buffer)
  private isEqual = false

  /** The bytes that a frame takes after the common header; its strings are put into the sink. */
  measure({ batch, times, depth, interned, epoch, ids, strings }: Frame, sink: ByteSink): number {
    invariant(batch.widths.length < 1 << 16, 'a frame has fewer than 65,536 columns')
    if (interned.length > 0) writeStrings(strings, epoch === OWN_STRINGS ? null : ids, sink)
    const { n, widths } = batch
    this.isEqual = areEqual(batch.differences, 0, n)
    let bytes = 4 * HEADER_WORDS + padded(widths.length) + padded(sink.length) + padded(this.isEqual ? 4 : 4 * n)
    if (times !== null) bytes += 8 * times.length + (times.length === depth + 1 ? 0 : padded(4 * n))
    for (let c = 0; c < widths.length; c++) bytes += padded(4 * n * widths[c])
    return bytes
  }

  write(frame: Frame, sink: ByteSink, words: Int32Array, bytes: Uint8Array, offset: number): void {
    const { batch, times, depth, interned } = frame
    const { widths, n } = batch
    const at = offset >> 2
    this.double[0] = frame.time
    words[at] = frame.target
    words[at + 1] = n
    words[at + 2] = this.doubleWords[0]
    words[at + 3] = this.doubleWords[1]
    words[at + 4] = widths.length | (depth << 16) | (((times === null ? 0 : INSIDE) | (this.isEqual ? EQUAL_DIFFERENCES : 0)) << 24)
    words[at + 5] = times === null ? 0 : times.length / (depth + 1)
    words[at + 6] = frame.strings.length
    words[at + 7] = sink.length
    words[at + 8] = frame.epoch
    words[at + 9] = 0
    let to = at + HEADER_WORDS
    to = writeLayout(widths, interned, words, bytes, to)
    if (times !== null) {
      to = copyWords(new Int32Array(times.buffer, times.byteOffset, 2 * times.length), 2 * times.length, words, to)
      if (times.length !== depth + 1) to = copyWords(batch.times as Int32Array, n, words, to)
    }
    to = copyWords(batch.differences, this.isEqual ? 1 : n, words, to)
    for (let c = 0; c < widths.length; c++) to = copyWords(batch.columns[c], n * widths[c], words, to)
    if (sink.length === 0) return
    words[to + (padded(sink.length) >> 2) - 2] = 0
    words[to + (padded(sink.length) >> 2) - 1] = 0
    bytes.set(sink.bytes.subarray(0, sink.length), 4 * to)
  }
}

/** Rows of equal layout share their memory. */
interface Layout {
  readonly widths: readonly number[]
  readonly interned: readonly number[]
  readonly pool: BatchPool
}

export class FrameReader {
  private readonly double = new Float64Array(1)
  private readonly doubleWords = new Int32Array(this.double.buffer)
  private readonly source = new ByteSource()
  private readonly layouts = new Map<number | string, Layout>() // not state: pools of memory

  /** The frame whose own part is from `offset` to, not including, `end`. */
  read(words: Int32Array, bytes: Uint8Array, offset: number, end: number, generation: number, dataflow: number, from: number): Frame {
    if (end - offset < 4 * HEADER_WORDS) throw malformed('a frame is shorter than its header')
    const at = offset >> 2
    const rows = words[at + 1]
    const columns = words[at + 4] & 0xffff
    const depth = (words[at + 4] >>> 16) & 0xff
    const inside = ((words[at + 4] >>> 24) & INSIDE) !== 0
    const isEqual = ((words[at + 4] >>> 24) & EQUAL_DIFFERENCES) !== 0
    const distinct = words[at + 5]
    const stringCount = words[at + 6]
    const stringBytes = words[at + 7]
    const epoch = words[at + 8]
    if (rows < 1 || rows > MAXIMUM_ROWS || distinct < 0 || stringCount < 0 || stringBytes < stringCount)
      throw malformed('a count is not possible')
    // As doubles, which cannot overflow here.
    let length = 4 * HEADER_WORDS + wholeWords(columns)
    if (offset + length > end) throw malformed('its columns end behind it')
    const layout = this.layoutOf(bytes, offset + 4 * HEADER_WORDS, columns)
    if (inside) length += 8 * distinct * (depth + 1) + (distinct > 1 ? wholeWords(4 * rows) : 0)
    length += wholeWords(isEqual ? 4 : 4 * rows) + wholeWords(stringBytes)
    for (let c = 0; c < columns; c++) length += wholeWords(4 * rows * layout.widths[c])
    if (offset + length !== end || inside !== distinct > 0) throw malformed('its length is not that of its rows')

    this.doubleWords[0] = words[at + 2]
    this.doubleWords[1] = words[at + 3]
    const time = this.double[0]
    const ids: number[] = []
    const strings: string[] = []
    this.readStrings(bytes, end - wholeWords(stringBytes), stringBytes, stringCount, epoch === OWN_STRINGS ? null : ids, strings)
    const batch = layout.pool.take(time, rows)
    batch.n = rows
    let next = at + HEADER_WORDS + (wholeWords(columns) >> 2)
    let times: Float64Array | null = null
    if (inside) {
      times = new Float64Array(distinct * (depth + 1))
      new Int32Array(times.buffer).set(words.subarray(next, next + 2 * times.length))
      next += 2 * times.length
      const timeOf = batch.useTimes()
      if (distinct === 1) timeOf.fill(0, 0, rows)
      else next = readWords(words, next, rows, timeOf)
      for (let i = 0; i < rows; i++) if (timeOf[i] >>> 0 >= distinct) throw malformed('a row has a time that is not there')
    }
    next = readWords(words, next, isEqual ? 1 : rows, batch.differences)
    if (isEqual) batch.differences.fill(batch.differences[0], 1, rows)
    for (let c = 0; c < columns; c++) next = readWords(words, next, rows * layout.widths[c], batch.columns[c])
    return {
      kind: 'frame',
      generation,
      dataflow,
      target: words[at],
      from,
      time,
      depth,
      times,
      batch,
      interned: layout.interned,
      epoch,
      ids,
      strings,
    }
  }

  private readStrings(bytes: Uint8Array, at: number, length: number, count: number, ids: number[] | null, strings: string[]): void {
    if (length === 0) return
    const { source } = this
    source.open(bytes, at, at + length)
    let id = 0
    for (let i = 0; i < count; i++) {
      if (ids !== null) {
        id += source.signed()
        ids.push(id)
      }
      strings.push(source.string())
    }
    if (source.left > 0) throw malformed('its strings are fewer than their bytes')
  }

  private layoutOf(bytes: Uint8Array, at: number, columns: number): Layout {
    let name: number | string = 1
    if (columns > NUMBERED_COLUMNS) name = bytes.slice(at, at + columns).join()
    else for (let c = 0; c < columns; c++) name = 16 * (name as number) + Math.min(bytes[at + c], 2 * INTERNED)
    let layout = this.layouts.get(name)
    if (layout === undefined) {
      const codes = [...bytes.slice(at, at + columns)]
      const widths = codes.map((code) => code & 3)
      if (codes.some((code) => code >= 2 * INTERNED || (code & 3) === 0)) throw malformed('a column has an impossible width')
      layout = { widths, interned: codes.flatMap((code, c) => (code >= INTERNED ? [c] : [])), pool: new BatchPool(widths) }
      if (this.layouts.size >= MAXIMUM_LAYOUTS) this.layouts.clear()
      this.layouts.set(name, layout)
    }
    return layout
  }
}

function writeStrings(strings: readonly string[], ids: readonly number[] | null, sink: ByteSink): void {
  let before = 0
  for (let i = 0; i < strings.length; i++) {
    if (ids !== null) {
      sink.signed(ids[i] - before)
      before = ids[i]
    }
    sink.string(strings[i])
  }
}

function writeLayout(widths: readonly number[], interned: readonly number[], words: Int32Array, bytes: Uint8Array, at: number): number {
  const end = at + (padded(widths.length) >> 2)
  for (let word = at; word < end; word++) words[word] = 0
  for (let c = 0; c < widths.length; c++) bytes[4 * at + c] = widths[c]
  for (let k = 0; k < interned.length; k++) bytes[4 * at + interned[k]] |= INTERNED
  return end
}

/** Copies the first `count` words of an array, filled up to an even number; returns where the next thing goes. */
function copyWords(from: Int32Array, count: number, to: Int32Array, at: number): number {
  if (count <= SHORT_COPY) for (let i = 0; i < count; i++) to[at + i] = from[i]
  else to.set(from.subarray(0, count), at)
  if ((count & 1) === 1) to[at + count] = 0
  return at + count + (count & 1)
}

function readWords(from: Int32Array, at: number, count: number, to: Int32Array): number {
  if (count <= SHORT_COPY) for (let i = 0; i < count; i++) to[i] = from[at + i]
  else to.set(from.subarray(at, at + count))
  return at + count + (count & 1)
}

/** Up to a multiple of 8; for numbers that are known to be small. */
function padded(bytes: number): number {
  return (bytes + 7) & ~7
}

/** The same for numbers that a message claims. */
function wholeWords(bytes: number): number {
  return 8 * Math.ceil(bytes / 8)
}
