/** Splits bytes into lines of text. */
import { type BadLine, excerptOf } from './position.ts'

export const LINE_FEED = 10
const CARRIAGE_RETURN = '\r'
const BYTE_ORDER_MARK = '\ufeff'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** Lines under construction. */
export interface LineSink {
  readonly file: string
  readonly generation: number
  readonly lines: string[]
  readonly lineNumbers: number[]
  readonly offsets: number[]
  readonly bad: BadLine[]
  readonly keepCarriageReturns: boolean
  /** Lines longer than this many bytes are bad. */
  readonly maximumLineBytes: number
}

/**
 * Adds the lines in `bytes`, which ends with a line feed; the first has number `line` and starts at byte `offset` of
 * the file. Returns the number of lines.
 */
export function splitLines(bytes: Uint8Array, offset: number, line: number, sink: LineSink): number {
  let whole: string[] | null = null
  try {
    whole = strict.decode(bytes).split('\n')
  } catch {
    // Some line is not UTF-8: below, each is decoded by itself to find which.
  }
  let start = 0
  let count = 0
  while (start < bytes.length) {
    const end = bytes.indexOf(LINE_FEED, start)
    const number = line + count
    if (end - start > sink.maximumLineBytes) addLong(bytes.subarray(start, end), offset + start, number, sink)
    else if (whole !== null) addLine(whole[count], offset + start, number, sink)
    else addBytes(bytes.subarray(start, end), offset + start, number, sink)
    start = end + 1
    count++
  }
  return count
}

/** Adds one line given without its line feed. */
export function addBytes(bytes: Uint8Array, offset: number, line: number, sink: LineSink): void {
  let text: string
  try {
    text = strict.decode(bytes)
  } catch {
    addBad(excerptOf(lenient.decode(bytes)), 'the line is not valid UTF-8', offset, line, sink)
    return
  }
  addLine(text, offset, line, sink)
}

export function addBad(excerpt: string, message: string, offset: number, line: number, sink: LineSink): void {
  sink.bad.push({ position: { file: sink.file, generation: sink.generation, line, offset }, excerpt, message })
}

export function longLineMessage(bytes: number, maximum: number): string {
  return `the line has ${bytes} bytes; at most ${maximum} are read`
}

/** The beginning of bytes that may be no text. */
export function excerptOfBytes(bytes: Uint8Array): string {
  return excerptOf(lenient.decode(bytes.subarray(0, 1024)))
}

function addLong(bytes: Uint8Array, offset: number, line: number, sink: LineSink): void {
  addBad(excerptOfBytes(bytes), longLineMessage(bytes.length, sink.maximumLineBytes), offset, line, sink)
}

function addLine(text: string, offset: number, line: number, sink: LineSink): void {
  let from = 0
  let to = text.length
  if (offset === 0 && text.startsWith(BYTE_ORDER_MARK)) from = 1
  if (!sink.keepCarriageReturns && text.endsWith(CARRIAGE_RETURN)) to--
  sink.lines.push(to - from === text.length ? text : text.slice(from, Math.max(from, to)))
  sink.lineNumbers.push(line)
  sink.offsets.push(offset)
}
