/**
 * One block: rows of words with differences and, in loops, inner times, as bytes that stand for themselves.
 *
 * Little-endian. Header of nine int32: magic, format version, checksum of all that follows it, rows, columns, strings, bytes of the string
 * section, coordinates a time (0 outside loops), distinct times. Then per column its width and whether it is interned; the columns'
 * words; differences; the times' coordinates (float64) and the time of each row; the strings, UTF-8, each behind its length.
 * Interned columns hold positions in the strings (from 1), never a worker's ids.
 */
import { MillraceError } from '../error.ts'

const MAGIC = 0x4d4c5242
export const BLOCK_FORMAT = 1
const HEADER_WORDS = 9

export interface BlockRows {
  readonly rows: number
  readonly widths: readonly number[]
  readonly interned: readonly boolean[]
  readonly columns: readonly Int32Array[]
  readonly differences: Int32Array
  /** Inside loops: inner coordinates of each distinct time, `depth` a time. */
  readonly depth: number
  readonly times: Int32Array
  readonly timeOf: Int32Array
  readonly strings: readonly string[]
}

export function encodeBlock(block: BlockRows): Uint8Array {
  const encoder = new TextEncoder()
  const strings = block.strings.map((s) => encoder.encode(s))
  const stringBytes = strings.reduce((sum, s) => sum + 4 + s.length, 0)
  const timeOf = block.depth > 0 ? block.rows : 0
  const words =
    HEADER_WORDS +
    2 * block.widths.length +
    block.widths.reduce((sum, width) => sum + width * block.rows, 0) +
    block.rows +
    block.times.length +
    timeOf
  const bytes = new Uint8Array(4 * words + stringBytes)
  const view = new DataView(bytes.buffer)
  let at = 0
  const put = (word: number) => {
    view.setInt32(at, word, true)
    at += 4
  }
  put(MAGIC)
  put(BLOCK_FORMAT)
  put(0)
  put(block.rows)
  put(block.widths.length)
  put(strings.length)
  put(stringBytes)
  put(block.depth)
  put(block.depth > 0 ? block.times.length / block.depth : 0)
  block.widths.forEach((width, c) => {
    put(width)
    put(block.interned[c] ? 1 : 0)
  })
  block.columns.forEach((column, c) => {
    for (let i = 0; i < block.widths[c] * block.rows; i++) put(column[i])
  })
  for (let i = 0; i < block.rows; i++) put(block.differences[i])
  for (const coordinate of block.times) put(coordinate)
  for (let i = 0; i < timeOf; i++) put(block.timeOf[i])
  for (const s of strings) {
    put(s.length)
    bytes.set(s, at)
    at += s.length
  }
  view.setInt32(8, checksum(bytes, 12), true)
  return bytes
}

/** @throws MillraceError STORE when the bytes are no block, of another format, or damaged */
export function decodeBlock(bytes: Uint8Array, name: string): BlockRows {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4 * HEADER_WORDS || view.getInt32(0, true) !== MAGIC) throw damaged(name, 'it is not a block')
  const format = view.getInt32(4, true)
  if (format !== BLOCK_FORMAT)
    throw new MillraceError(
      'STORE',
      `block ${name} has format ${format}, this version reads ${BLOCK_FORMAT}`,
      'Run the version that wrote it, or start from the sources.',
    )
  if (view.getInt32(8, true) !== checksum(bytes, 12)) throw damaged(name, 'its checksum is wrong')
  let at = 12
  const take = () => {
    const word = view.getInt32(at, true)
    at += 4
    return word
  }
  const takeMany = (n: number) => Int32Array.from({ length: n }, take)
  const rows = take()
  const columnCount = take()
  const stringCount = take()
  take()
  const depth = take()
  const timeCount = take()
  const widths: number[] = []
  const interned: boolean[] = []
  for (let c = 0; c < columnCount; c++) {
    widths.push(take())
    interned.push(take() === 1)
  }
  const columns = widths.map((width) => takeMany(width * rows))
  const differences = takeMany(rows)
  const times = takeMany(timeCount * depth)
  const timeOf = takeMany(depth > 0 ? rows : 0)
  const decoder = new TextDecoder()
  const strings: string[] = []
  for (let i = 0; i < stringCount; i++) {
    const length = take()
    strings.push(decoder.decode(bytes.subarray(at, at + length)))
    at += length
  }
  return { rows, widths, interned, columns, differences, depth, times, timeOf, strings }
}

function damaged(name: string, what: string): MillraceError {
  return new MillraceError('STORE', `block ${name} is damaged: ${what}`, 'Recover from an earlier checkpoint or from the sources.')
}

/** FNV-1a over bytes, 32 bits: finds torn and flipped bytes; not a defence against forgery. */
function checksum(bytes: Uint8Array, from: number): number {
  let hash = 0x811c9dc5
  for (let i = from; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193)
  return hash | 0
}
