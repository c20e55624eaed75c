/**
 * Follows a file that another process writes: every complete line once, in order, through rotation, truncation,
 * removal and restarts, in bounded memory.
 *
 * It holds the file open, so a file that was renamed or removed is read to its end. The next file is opened only when
 * it has content, and the old one is read to its end after that was seen: a writer that first writes into the new file
 * when it is done with the old one loses nothing. Several rotations between two polls are found by the rotated files'
 * names and times (`rotated-siblings.ts`). Truncation is noticed by `line-reader.ts`; what a writer wrote and truncated away between two polls cannot be read by anyone; the event says so.
 */
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { FollowEvent, FollowEventKind } from './follow-event.ts'
import { LineReader, type LineReaderOptions } from './line-reader.ts'
import type { FilePosition, LineBatch } from './position.ts'
import { rotatedSiblings, type Sibling, writtenBefore } from './rotated-siblings.ts'

export interface FollowOptions {
  readonly path: string
  readonly onEvent: (event: FollowEvent) => void
  /** Where to go on; default: the beginning of the file that is at the path. */
  readonly from?: FilePosition
  /** Without `from`: begins with the oldest rotated file beside the path, not with the one at the path. */
  readonly includeRotated?: boolean
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

export class FileFollower {
  private readonly env: Environment
  private readonly options: FollowOptions
  private readonly readerOptions: LineReaderOptions
  private file: LineReader | null = null
  private successor: { readonly path: string; readonly identity: string } | null = null
  private atEnd = false
  private from: FilePosition | null
  /** Rotated files that were there when following began, by identity and time. */
  private rotatedBefore: ReadonlySet<string> | null = null
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
    this.readerOptions = {
      maximumLineBytes: options.maximumLineBytes ?? DEFAULT_MAXIMUM_LINE_BYTES,
      header: options.header === true,
      keepCarriageReturns: options.keepCarriageReturns === true,
      onEvent: (kind, message) => this.event(kind, message),
    }
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

  /**
   * For a file that nobody writes to any more: what is behind its last line feed, as a line; null if there is nothing. Call it
   * after a `poll` that gave null with nothing `behind`.
   */
  finish(): LineBatch | null {
    if (this.isClosed()) throw new MillraceError('CLOSED', `the follower of ${this.options.path} is closed`)
    if (this.polling) throw new MillraceError('REENTRANT', 'finish() was called before the last poll() had resolved', 'Await each poll.')
    return this.atEnd && this.file !== null ? this.file.finish(null) : null
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
      const file = this.file as LineReader
      const batch = await file.read(maximumBytes)
      if (batch !== null) return batch
      if (!file.atEnd) continue
      if (this.successor === null) {
        await this.findSuccessor(file)
        // A successor's first bytes were written after the last of this file: it is read once more, to have all.
        if (this.successor !== null) continue
        this.atEnd = true
        return null
      }
      const last = await this.moveOn(file)
      if (last !== null) return last
    }
    return null
  }

  /** Opens the file to start with, if it is there. */
  private async openFirst(): Promise<boolean> {
    if (this.from !== null) {
      const found = await this.resume(this.from)
      if (found !== 'lost') return found === 'found'
    }
    const path = this.from === null ? await this.firstPath() : this.options.path
    const file = path === null ? null : await this.open(path, this.from === null ? 0 : this.from.generation + 1)
    if (file === null) {
      if (path !== null) this.reportMissing(POLLS_UNTIL_MISSING)
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
    } else this.event('opened', `reading ${file.path} from its beginning`)
    this.file = file
    return true
  }

  /**
   * Where to begin, null if files are being moved. A file that came and was rotated away since following began is not
   * skipped: while there is no file at the path, the rotated files that are older than the wait are remembered.
   */
  private async firstPath(): Promise<string | null> {
    const { path, includeRotated } = this.options
    const current = (await this.env.disk.stat(path))?.identity
    const siblings = await rotatedSiblings(this.env.disk, path)
    if (siblings === null || (await this.env.disk.stat(path))?.identity !== current) return null
    const files = siblings.map((one) => `${one.stat.identity}@${one.stat.modified}`)
    if (this.rotatedBefore === null) this.rotatedBefore = includeRotated === true ? new Set() : new Set(files)
    const { rotatedBefore } = this
    const later = siblings.filter((one, i) => one.stat.size > 0 && !rotatedBefore.has(files[i]))
    return later.sort(writtenBefore)[0]?.path ?? path
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
      const file = await this.open(path, from.generation)
      if (file?.identity !== from.identity) {
        await file?.handle.close()
        return 'unclear'
      }
      if (await file.standAt(from)) {
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

  private async open(path: string, generation: number): Promise<LineReader | null> {
    const handle = await this.env.disk.open(path, 'read')
    if (handle === null) return null
    try {
      return new LineReader(handle, (await handle.stat()).identity, path, generation, this.readerOptions)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Sets `successor` if this file is not the one at the path and a file written after it has content. */
  private async findSuccessor(file: LineReader): Promise<void> {
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

  private writtenAfter(file: LineReader, modified: number, siblings: readonly Sibling[]): Sibling[] {
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
  private async moveOn(file: LineReader): Promise<LineBatch | null> {
    const { path, identity } = this.successor as { path: string; identity: string }
    this.successor = null
    const next = await this.open(path, file.generation + 1)
    if (next?.identity !== identity) {
      // Rotated again just now; the search starts over.
      await next?.handle.close()
      return null
    }
    const { links, modified } = await file.handle.stat()
    const last = file.finish(next)
    this.file = next
    this.finished.push({ identity: file.identity, modified })
    if (this.finished.length > FINISHED_FILES) this.finished.shift()
    const end = `it was read to its end (line ${file.lines}), ${path} comes next`
    if (links === 0) this.event('recreated', `${file.path} was removed or replaced; ${end}`)
    else this.event('rotated', `${file.path} was rotated away; ${end}`)
    // Nothing was written through this handle: if it does not close well, nothing is lost.
    await file.handle.close().catch(() => undefined)
    return last
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
