/**
 * Reads the lines of one open file, over and over from where the last line ended. With each read the bytes before that
 * place are read again and compared, which notices a truncation even if the file has grown past it since.
 */
import type { DiskFile } from '../../runtime/env/disk.ts'
import type { FollowEventKind } from './follow-event.ts'
import type { FilePosition, LineBatch } from './position.ts'
import { addBad, addBytes, excerptOfBytes, LINE_FEED, type LineSink, longLineMessage, splitLines } from './split-lines.ts'
import { fnv1a, TAIL_BYTES, Tail } from './tail-check.ts'

export interface LineReaderOptions {
  readonly maximumLineBytes: number
  readonly header: boolean
  readonly keepCarriageReturns: boolean
  readonly onEvent: (kind: FollowEventKind, message: string) => void
}

/** A buffer this many times larger than what is read is given back. */
const BUFFER_SLACK = 4
const LEAST_BUFFER = 1 << 18

/** A line that exceeds the bound, while it is skipped. */
interface LongLine {
  readonly offset: number
  readonly excerpt: string
}

export class LineReader {
  readonly handle: DiskFile
  readonly identity: string
  readonly path: string
  generation: number
  /** Whether the last read came to the end of the file. */
  atEnd = false
  private readonly options: LineReaderOptions
  /** Bytes before the first line that was not handed on; within a long line, before what is not skipped yet. */
  private offset = 0
  private line = 1
  private readonly tail = new Tail()
  private long: LongLine | null = null
  private header: string | null = null
  /** Bytes of an unfinished last line that were seen behind `offset`, and where in the buffer they are. */
  private unfinished = 0
  private unfinishedAt = 0
  private buffer = new Uint8Array(0)

  constructor(handle: DiskFile, identity: string, path: string, generation: number, options: LineReaderOptions) {
    this.handle = handle
    this.identity = identity
    this.path = path
    this.generation = generation
    this.options = options
  }

  /** Lines passed so far. */
  get lines(): number {
    return this.line - 1
  }

  /** Behind the last line that was passed. */
  position(): FilePosition {
    const { identity, generation, offset, line, tail } = this
    return { identity, generation, offset, line, tailBytes: tail.length, tailHash: tail.hash() }
  }

  /** Reads on from at most `maximumBytes`; null if that gives no complete line (then `atEnd` tells whether there is more). */
  async read(maximumBytes: number): Promise<LineBatch | null> {
    const tailLength = this.tail.length
    const base = this.offset - tailLength
    const wanted = tailLength + Math.max(maximumBytes, 2 * this.unfinished)
    const filled = await this.fill(base, wanted)
    if (filled < tailLength || !this.tail.matches(this.buffer)) return this.restart(base + filled)
    if (filled - tailLength < this.unfinished) this.reportCut()
    this.atEnd = filled < wanted
    let start = tailLength
    const sink = this.sink()
    if (this.long !== null) {
      const end = this.buffer.subarray(0, filled).indexOf(LINE_FEED, start)
      if (end === -1) {
        this.skip(base, filled)
        return null
      }
      this.addLongLine(this.long, base + end, sink)
      start = end + 1
    }
    const lastFeed = this.buffer.subarray(0, filled).lastIndexOf(LINE_FEED)
    const end = Math.max(start, lastFeed + 1)
    if (end > start) this.line += splitLines(this.buffer.subarray(start, end), base + start, this.line, sink)
    this.offset = base + end
    this.tail.take(this.buffer, end)
    this.unfinished = filled - end
    this.unfinishedAt = end
    if (this.unfinished > this.options.maximumLineBytes) this.beginLongLine(base, end, filled)
    return this.batch(sink)
  }

  /**
   * Takes what is behind the last line feed for a line; the batch, if there is one, ends where the next file begins, or
   * at the end of this one if none follows. Call it when the last read gave nothing and came to the end.
   */
  finish(next: LineReader | null): LineBatch | null {
    const sink = this.sink()
    if (this.long !== null) this.addLongLine(this.long, this.offset, sink)
    else if (this.unfinished > 0) {
      const end = this.unfinishedAt + this.unfinished
      addBytes(this.buffer.subarray(this.unfinishedAt, end), this.offset, this.line++, sink)
      this.offset += this.unfinished
      this.tail.take(this.buffer, end)
      this.unfinished = 0
    }
    const batch = this.batch(sink)
    return batch === null || next === null ? batch : { ...batch, end: next.position() }
  }

  /** Takes the position if the bytes before it are those that it was made behind. */
  async standAt(from: FilePosition): Promise<boolean> {
    const length = Math.min(from.offset, TAIL_BYTES)
    const filled = await this.fill(from.offset - length, length)
    if (filled < length) return false
    const checked = Math.min(from.tailBytes, length)
    if (fnv1a(this.buffer.subarray(length - checked), checked) !== from.tailHash && checked > 0) return false
    this.offset = from.offset
    this.line = from.line
    if (this.options.header && from.line > 1) {
      const start = await this.fill(0, Math.min(from.offset, this.options.maximumLineBytes + 1))
      const end = this.buffer.subarray(0, start).indexOf(LINE_FEED)
      const sink = this.sink()
      if (end !== -1) addBytes(this.buffer.subarray(0, end), 0, 1, sink)
      this.header = sink.lines[0] ?? null
      await this.fill(from.offset - length, length)
    }
    this.tail.take(this.buffer, length)
    return true
  }

  /**
   * Reads up to `wanted` bytes from `base` into the buffer and returns how many; fewer only at the end of the file. If
   * that took several reads the first bytes are read again, so that all are known to be of one and the same content.
   */
  private async fill(base: number, wanted: number): Promise<number> {
    if (this.buffer.length < wanted || this.buffer.length > BUFFER_SLACK * Math.max(wanted, LEAST_BUFFER)) {
      this.buffer = new Uint8Array(wanted)
    }
    let filled = 0
    let reads = 0
    while (filled < wanted) {
      const read = await this.handle.read(base + filled, this.buffer.subarray(filled, wanted))
      if (read === 0) break
      filled += read
      reads++
    }
    if (reads < 2 || this.tail.length === 0) return filled
    const again = new Uint8Array(this.tail.length)
    for (let length = 0; length < again.length; ) {
      const read = await this.handle.read(base + length, again.subarray(length))
      if (read === 0) return length
      length += read
    }
    return this.tail.matches(again) ? filled : 0
  }

  private sink(): LineSink {
    return {
      file: this.path,
      generation: this.generation,
      lines: [],
      lineNumbers: [],
      offsets: [],
      bad: [],
      keepCarriageReturns: this.options.keepCarriageReturns,
      maximumLineBytes: this.options.maximumLineBytes,
    }
  }

  private batch(sink: LineSink): LineBatch | null {
    if (this.options.header && sink.lineNumbers[0] === 1) {
      this.header = sink.lines.shift() as string
      sink.lineNumbers.shift()
      sink.offsets.shift()
    }
    const { lines, lineNumbers, offsets, bad, generation } = sink
    if (lines.length === 0 && bad.length === 0) return null
    return { file: this.path, generation, lines, lineNumbers, offsets, bad, header: this.header, end: this.position() }
  }

  private beginLongLine(base: number, start: number, filled: number): void {
    this.long = { offset: base + start, excerpt: excerptOfBytes(this.buffer.subarray(start, filled)) }
    const message = `line ${this.line} of ${this.path} is longer than ${this.options.maximumLineBytes} bytes; it is skipped up to its end`
    this.options.onEvent('long-line', message)
    this.skip(base, filled)
  }

  /** Passes over all that was read of a long line. */
  private skip(base: number, filled: number): void {
    this.offset = base + filled
    this.tail.take(this.buffer, filled)
    this.unfinished = 0
  }

  private addLongLine(long: LongLine, end: number, sink: LineSink): void {
    addBad(long.excerpt, longLineMessage(end - long.offset, this.options.maximumLineBytes), long.offset, this.line, sink)
    this.line++
    this.long = null
  }

  /** Only an unfinished last line became shorter, as when its writer mends what a crash left: go on where we are. */
  private reportCut(): void {
    this.options.onEvent(
      'truncated',
      `the unfinished line ${this.line} of ${this.path} was cut off by its writer; reading goes on behind line ${this.line - 1}`,
    )
  }

  /** The file is not what it was: start over. The batch holds the line that was cut off, if there is one. */
  private restart(size: number): LineBatch | null {
    const sink = this.sink()
    const seen = this.offset + this.unfinished
    if (this.long !== null) this.addLongLine(this.long, this.offset, sink)
    else if (this.unfinished > 0) addBad('', 'the file was truncated before this line was complete', this.offset, this.line, sink)
    const found = size < seen ? `has fewer bytes than the ${seen} already read` : `has other content before byte ${seen} than was read`
    this.options.onEvent(
      'truncated',
      `${this.path} was truncated or rewritten: it ${found}. It is read from its beginning; what was written behind byte ${seen} ` +
        'before that, if anything, is lost',
    )
    this.startOver()
    return this.batch(sink)
  }

  private startOver(): void {
    this.generation++
    this.offset = 0
    this.line = 1
    this.tail.clear()
    this.long = null
    this.header = null
    this.unfinished = 0
    this.atEnd = false
  }
}
