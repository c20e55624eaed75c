/**
 * Follows a file that another process writes: every complete line once, in order, through rotation, truncation,
 * removal and restarts, in bounded memory.
 *
 * It holds the file open, so a file that was renamed or removed is read to its end. The next file is opened only when
 * it has content, and the old one is read to its end after that was seen: a writer that first writes into the new file
 * when it is done with the old one loses nothing. Several rotations between two polls are found by the rotated files'
 * names and times (`rotated-siblings.ts`). With each read the bytes before the position are read again and
 * compared, which notices a truncation even if the file has grown past the position again. What a writer
 * wrote and truncated away between two polls cannot be read by anyone; the event says so.
 */
import type { DiskFile } from '../../runtime/env/disk.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { FilePosition, LineBatch } from './position.ts'
import { rotatedSiblings, type Sibling, writtenBefore } from './rotated-siblings.ts'
import { addBad, addBytes, excerptOfBytes, LINE_FEED, type LineSink, longLineMessage, splitLines } from './split-lines.ts'
import { fnv1a, TAIL_BYTES, Tail } from './tail-check.ts'

export type FollowEventKind =
  /** A file was opened for the first time. */
  | 'opened'
  /** There is no file at the path (yet, or any more). */
  | 'missing'
  /** The file was renamed; it is finished and the next one begins. */
  | 'rotated'
  /** The file was removed; it is finished and the next one begins. */
  | 'recreated'
  /** The file became shorter or was written anew; it is read from its beginning. */
  | 'truncated'
  /** A line exceeds the bound; it is being skipped and becomes a bad line once it ends. */
  | 'long-line'
  /** The file of the start position is not there any more. */
  | 'position-lost'
  /** A read failed; it is tried again at the next poll. */
  | 'failed'

export interface FollowEvent {
  readonly kind: FollowEventKind
  readonly path: string
  readonly message: string
}

export interface FollowOptions {
  readonly path: string
  readonly onEvent: (event: FollowEvent) => void
  /** Where to go on; default: the beginning of the file that is at the path. */
  readonly from?: FilePosition
  /** Longer lines are bad lines. Default `DEFAULT_MAXIMUM_LINE_BYTES`. */
  readonly maximumLineBytes?: number
  /** Hands the first line of each file on as `LineBatch.header` and not as a line. */
  readonly header?: boolean
  /** Leaves a carriage return before a line feed in its line. */
  readonly keepCarriageReturns?: boolean
  /** Between the polls of `batches()`. Default `DEFAULT_POLL_MILLISECONDS`. */
  readonly pollMilliseconds?: number
}

export const DEFAULT_MAXIMUM_LINE_BYTES = 1 << 20
export const DEFAULT_POLL_MILLISECONDS = 100
/** Bytes read at once unless `poll` is given another number. */
export const DEFAULT_BATCH_BYTES = 1 << 18
/** Reads and file changes of one `poll`; a poll that needs more goes on in the next. */
const STEPS_PER_POLL = 64
/** Polls without a file at the path before that is an event: a rotation leaves a short gap. */
const POLLS_UNTIL_MISSING = 3
/** Finished files remembered, to tell them from newer ones written at the same instant. */
const FINISHED_FILES = 256

interface OpenFile {
  readonly handle: DiskFile
  readonly identity: string
  readonly path: string
}

/** A line that exceeds the bound, while it is skipped. */
interface LongLine {
  readonly offset: number
  readonly excerpt: string
}

export class FileFollower {
  private readonly env: Environment
  private readonly options: FollowOptions
  private readonly maximumLineBytes: number
  private file: OpenFile | null = null
  private successor: { readonly path: string; readonly identity: string } | null = null
  private generation: number
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
  private atEnd = false
  private from: FilePosition | null
  private pollsWithoutFile = 0
  private missing = false
  private failure: string | null = null
  private readonly finished: { readonly identity: string; readonly modified: number }[] = []
  private polling = false
  private closed = false
  private wake: (() => void) | null = null

  constructor(env: Environment, options: FollowOptions) {
    this.env = env
    this.options = options
    this.from = options.from ?? null
    this.generation = options.from?.generation ?? 0
    this.maximumLineBytes = options.maximumLineBytes ?? DEFAULT_MAXIMUM_LINE_BYTES
  }

  /**
   * The next lines, from at most `maximumBytes` (or one line, if that is longer); null if there are none by now. Then
   * ask again after a while, and at once if `behind`. Never rejects because of the file: that is an event.
   */
  async poll(maximumBytes = DEFAULT_BATCH_BYTES): Promise<LineBatch | null> {
    if (this.isClosed()) throw new MillraceError('CLOSED', `the follower of ${this.options.path} is closed`)
    if (this.polling) throw new MillraceError('REENTRANT', 'poll() was called before the last poll() had resolved', 'Await each poll.')
    this.polling = true
    try {
      const batch = await this.next(Math.max(1, maximumBytes))
      this.failure = null
      return batch
    } catch (error) {
      this.fail(error)
      return null
    } finally {
      this.polling = false
      if (this.isClosed()) await this.closeFile()
    }
  }

  /** Whether the last poll stopped before the end of what is there. */
  get behind(): boolean {
    return !this.atEnd
  }

  /** Batches as they come, for ever, until `close()` or `signal`. A batch is read when it is asked for, not before. */
  async *batches(signal?: AbortSignal): AsyncGenerator<LineBatch, void, undefined> {
    const stop = (): void => this.wake?.()
    const running = (): boolean => !this.closed && signal?.aborted !== true
    signal?.addEventListener('abort', stop)
    try {
      while (running()) {
        const batch = await this.poll()
        if (batch !== null) yield batch
        else if (this.atEnd && running()) await this.pause()
      }
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  async close(): Promise<void> {
    this.closed = true
    this.wake?.()
    if (!this.polling) await this.closeFile()
  }

  /** Asked anew after each await: the compiler would take the field for unchanged. */
  private isClosed(): boolean {
    return this.closed
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.clear()
        this.wake = null
        resolve()
      }
      const timer = this.env.timers.setTimeout(done, this.options.pollMilliseconds ?? DEFAULT_POLL_MILLISECONDS)
      this.wake = done
    })
  }

  private async next(maximumBytes: number): Promise<LineBatch | null> {
    this.atEnd = false
    for (let step = 0; step < STEPS_PER_POLL; step++) {
      if (this.file === null && !(await this.openFirst())) {
        this.atEnd = true
        return null
      }
      const batch = await this.readLines(this.file as OpenFile, maximumBytes)
      if (batch !== null) return batch
      if (!this.atEnd) continue
      if (this.successor === null) {
        await this.findSuccessor(this.file as OpenFile)
        if (this.successor === null) return null
        // Its first bytes were written after the last of this file: read once more to be sure to have all.
        this.atEnd = false
        continue
      }
      const last = await this.moveOn(this.file as OpenFile)
      if (last !== null) return last
    }
    this.atEnd = false
    return null
  }

  /** Reads from the position on; null if that gives no complete line (then `atEnd` tells whether there is more). */
  private async readLines(file: OpenFile, maximumBytes: number): Promise<LineBatch | null> {
    const tailLength = this.tail.length
    const base = this.offset - tailLength
    const wanted = tailLength + Math.max(maximumBytes, 2 * this.unfinished)
    const filled = await this.fill(file, base, wanted)
    if (filled < tailLength || !this.tail.matches(this.buffer)) return this.restart(file, base + filled)
    if (filled - tailLength < this.unfinished) this.reportCut(file)
    this.atEnd = filled < wanted
    let start = tailLength
    const sink = this.sink(file)
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
    if (this.unfinished > this.maximumLineBytes) this.beginLongLine(file, base, end, filled)
    return this.batch(file, sink)
  }

  /**
   * Reads up to `wanted` bytes from `base` into the buffer and returns how many; fewer only at the end of the file. If
   * that took several reads the first bytes are read again, so that all are known to be of one and the same content.
   */
  private async fill(file: OpenFile, base: number, wanted: number): Promise<number> {
    if (this.buffer.length < wanted || this.buffer.length > 4 * Math.max(wanted, DEFAULT_BATCH_BYTES)) {
      this.buffer = new Uint8Array(wanted)
    }
    let filled = 0
    let reads = 0
    while (filled < wanted) {
      const read = await file.handle.read(base + filled, this.buffer.subarray(filled, wanted))
      if (read === 0) break
      filled += read
      reads++
    }
    if (reads < 2 || this.tail.length === 0) return filled
    const again = new Uint8Array(this.tail.length)
    for (let length = 0; length < again.length; ) {
      const read = await file.handle.read(base + length, again.subarray(length))
      if (read === 0) return length
      length += read
    }
    return this.tail.matches(again) ? filled : 0
  }

  private sink(file: OpenFile): LineSink {
    return {
      file: file.path,
      generation: this.generation,
      lines: [],
      lineNumbers: [],
      offsets: [],
      bad: [],
      keepCarriageReturns: this.options.keepCarriageReturns === true,
      maximumLineBytes: this.maximumLineBytes,
    }
  }

  private batch(file: OpenFile, sink: LineSink): LineBatch | null {
    if (this.options.header === true && sink.lineNumbers[0] === 1) {
      this.header = sink.lines.shift() as string
      sink.lineNumbers.shift()
      sink.offsets.shift()
    }
    const { lines, lineNumbers, offsets, bad } = sink
    if (lines.length === 0 && bad.length === 0) return null
    const end: FilePosition = {
      identity: file.identity,
      generation: this.generation,
      offset: this.offset,
      line: this.line,
      tailBytes: this.tail.length,
      tailHash: this.tail.hash(),
    }
    return { file: file.path, generation: sink.generation, lines, lineNumbers, offsets, bad, header: this.header, end }
  }

  private beginLongLine(file: OpenFile, base: number, start: number, filled: number): void {
    this.long = { offset: base + start, excerpt: excerptOfBytes(this.buffer.subarray(start, filled)) }
    const message = `line ${this.line} of ${file.path} is longer than ${this.maximumLineBytes} bytes; it is skipped up to its end`
    this.event('long-line', message)
    this.skip(base, filled)
  }

  /** Passes over all that was read of a long line. */
  private skip(base: number, filled: number): void {
    this.offset = base + filled
    this.tail.take(this.buffer, filled)
    this.unfinished = 0
  }

  private addLongLine(long: LongLine, end: number, sink: LineSink): void {
    addBad(long.excerpt, longLineMessage(end - long.offset, this.maximumLineBytes), long.offset, this.line, sink)
    this.line++
    this.long = null
  }

  /** Only an unfinished last line became shorter, as when its writer mends what a crash left: go on where we are. */
  private reportCut(file: OpenFile): void {
    this.event(
      'truncated',
      `the unfinished line ${this.line} of ${file.path} was cut off by its writer; reading goes on behind line ${this.line - 1}`,
    )
  }

  /** The file is not what it was: start over. The batch holds the line that was cut off, if there is one. */
  private restart(file: OpenFile, size: number): LineBatch | null {
    const sink = this.sink(file)
    const seen = this.offset + this.unfinished
    if (this.long !== null) this.addLongLine(this.long, this.offset, sink)
    else if (this.unfinished > 0) addBad('', 'the file was truncated before this line was complete', this.offset, this.line, sink)
    const found = size < seen ? `has fewer bytes than the ${seen} already read` : `has other content before byte ${seen} than was read`
    this.event(
      'truncated',
      `${file.path} was truncated or rewritten: it ${found}. It is read from its beginning; what was written behind byte ${seen} ` +
        'before that, if anything, is lost',
    )
    this.startFile()
    return this.batch(file, sink)
  }

  private startFile(): void {
    this.generation++
    this.offset = 0
    this.line = 1
    this.tail.clear()
    this.long = null
    this.header = null
    this.unfinished = 0
    this.atEnd = false
  }

  /** Opens the file to start with, if it is there. */
  private async openFirst(): Promise<boolean> {
    if (this.from !== null) {
      const found = await this.resume(this.from)
      if (found !== 'lost') return found === 'found'
    }
    const file = await this.open(this.options.path)
    if (file === null) {
      this.reportMissing(this.missing ? 0 : POLLS_UNTIL_MISSING)
      return false
    }
    this.found()
    if (this.from !== null) {
      this.event(
        'position-lost',
        `the file of the start position (byte ${this.from.offset}, line ${this.from.line}) is not at ${this.options.path} nor among its ` +
          'rotated files any more; following starts at the beginning of the file that is there, and lines between may be missing',
      )
      this.from = null
      this.generation++
    } else this.event('opened', `reading ${this.options.path} from its beginning`)
    this.file = file
    return true
  }

  /** Opens the file of a start position, under whatever name it has now. */
  private async resume(from: FilePosition): Promise<'found' | 'lost' | 'unclear'> {
    const { disk } = this.env
    const current = (await disk.stat(this.options.path))?.identity
    const siblings = await rotatedSiblings(disk, this.options.path)
    // A rotation under way could hide the file: whether it is there is decided when nothing moved meanwhile.
    if (siblings === null || (await disk.stat(this.options.path))?.identity !== current) return 'unclear'
    const paths = siblings.filter((one) => one.stat.identity === from.identity).map((one) => one.path)
    if (current === from.identity) paths.push(this.options.path)
    for (const path of paths) {
      const file = await this.open(path)
      if (file === null) return 'unclear'
      if (file.identity !== from.identity) {
        await file.handle.close()
        return 'unclear'
      }
      if (await this.standAt(file, from)) {
        this.file = file
        this.found()
        this.from = null
        this.event('opened', `reading ${path} on from line ${from.line} (byte ${from.offset})`)
        return 'found'
      }
      await file.handle.close()
    }
    return 'lost'
  }

  /** Takes the position if the bytes before it are those that it was made behind. */
  private async standAt(file: OpenFile, from: FilePosition): Promise<boolean> {
    const length = Math.min(from.offset, TAIL_BYTES)
    const filled = await this.fill(file, from.offset - length, length)
    if (filled < length) return false
    const checked = Math.min(from.tailBytes, length)
    if (fnv1a(this.buffer.subarray(length - checked), checked) !== from.tailHash && checked > 0) return false
    this.offset = from.offset
    this.line = from.line
    if (this.options.header === true && from.line > 1) {
      const start = await this.fill(file, 0, Math.min(from.offset, this.maximumLineBytes + 1))
      const end = this.buffer.subarray(0, start).indexOf(LINE_FEED)
      const sink = this.sink(file)
      if (end !== -1) addBytes(this.buffer.subarray(0, end), 0, 1, sink)
      this.header = sink.lines[0] ?? null
      await this.fill(file, from.offset - length, length)
    }
    this.tail.take(this.buffer, length)
    return true
  }

  private async open(path: string): Promise<OpenFile | null> {
    const handle = await this.env.disk.open(path, 'read')
    if (handle === null) return null
    try {
      return { handle, identity: (await handle.stat()).identity, path }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Sets `successor` if this file is not the one at the path and a file written after it has content. */
  private async findSuccessor(file: OpenFile): Promise<void> {
    const path = this.options.path
    const current = await this.env.disk.stat(path)
    if (current !== null) {
      this.found()
      if (current.identity === file.identity) return
    }
    const siblings = await rotatedSiblings(this.env.disk, path)
    if (siblings === null) return
    const later = this.writtenAfter(file, (await file.handle.stat()).modified, siblings)
    if (current !== null && !later.some((one) => one.stat.identity === current.identity)) later.push({ path, stat: current, number: 0 })
    const next = later.find((one) => one.stat.size > 0)
    if (next !== undefined) this.successor = { path: next.path, identity: next.stat.identity }
    else if (current === null) this.reportMissing(1)
  }

  private writtenAfter(file: OpenFile, modified: number, siblings: readonly Sibling[]): Sibling[] {
    const own = siblings.find((one) => one.stat.identity === file.identity)
    return siblings
      .filter((one) => {
        if (one === own || one.stat.modified < modified) return false
        if (this.finished.some((old) => old.identity === one.stat.identity && old.modified === one.stat.modified)) return false
        return one.stat.modified > modified || own === undefined || writtenBefore(own, one) < 0
      })
      .sort(writtenBefore)
  }

  /** Finishes the file and goes to the successor; the batch holds a last line without line feed, if there is one. */
  private async moveOn(file: OpenFile): Promise<LineBatch | null> {
    const { path, identity } = this.successor as { path: string; identity: string }
    this.successor = null
    const next = await this.open(path)
    if (next?.identity !== identity) {
      // Rotated again just now; the search starts over.
      await next?.handle.close()
      return null
    }
    const old = await file.handle.stat()
    const sink = this.sink(file)
    if (this.long !== null) this.addLongLine(this.long, this.offset, sink)
    else if (this.unfinished > 0) {
      const bytes = this.buffer.subarray(this.unfinishedAt, this.unfinishedAt + this.unfinished)
      addBytes(bytes, this.offset, this.line, sink)
    }
    const header = this.header
    this.finished.push({ identity: old.identity, modified: old.modified })
    if (this.finished.length > FINISHED_FILES) this.finished.shift()
    const lines = this.line - 1 + sink.lines.length + sink.bad.length
    if (old.links === 0) this.event('recreated', `${file.path} was removed; it was read to its end (line ${lines}), ${path} comes next`)
    else this.event('rotated', `${file.path} was rotated away; it was read to its end (line ${lines}), ${path} comes next`)
    await file.handle.close()
    this.file = next
    this.startFile()
    const last = this.batch(next, sink)
    return last === null ? null : { ...last, file: file.path, header }
  }

  private reportMissing(polls: number): void {
    this.pollsWithoutFile += polls
    if (this.missing || this.pollsWithoutFile < POLLS_UNTIL_MISSING) return
    this.missing = true
    this.event('missing', `there is no file at ${this.options.path}; waiting for it`)
  }

  private found(): void {
    this.missing = false
    this.pollsWithoutFile = 0
  }

  private fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    if (!(error instanceof MillraceError) || error.code === 'INVARIANT') throw error
    this.atEnd = true
    if (this.failure === message) return
    this.failure = message
    this.event('failed', `${message}; it is tried again`)
  }

  private event(kind: FollowEventKind, message: string): void {
    this.options.onEvent({ kind, path: this.options.path, message })
  }

  private async closeFile(): Promise<void> {
    const file = this.file
    this.file = null
    await file?.handle.close()
  }
}
