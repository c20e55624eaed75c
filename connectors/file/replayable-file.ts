/**
 * `files`: change-log files as a source of a job in a cluster. Each path is a partition: its lines, from the oldest rotated file
 * beside it on, through rotation, as `follow.ts` reads them.
 *
 * A process that takes a partition over reads it again from its beginning, so the files must be there for all processes
 * that may, and rotated files must be kept for as long as the job lives. If lines that were read are gone that is an error
 * (SOURCE) and nothing is skipped. A file that is emptied or rewritten in place is a log that goes on, as everywhere; but unless
 * its content was copied to a rotated file first, it cannot be read again.
 */
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Position } from '../../runtime/protocol/position.ts'
import type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from '../../runtime/protocol/replayable-source.ts'
import type { LineDecoder } from './change-row.ts'
import { csvDecoder } from './csv.ts'
import { DEFAULT_BATCH_BYTES, FileFollower } from './follow.ts'
import type { FollowEvent } from './follow-event.ts'
import { jsonLinesDecoder } from './json-lines.ts'
import { PendingLines } from './replayable-lines.ts'
import { type FilePlace, HASH_OF_NOTHING, type LogPosition, logPosition, placeOf } from './replayable-position.ts'
import { type LineText, runsOf } from './replayable-runs.ts'
import { type FileFormat, formatOf } from './source.ts'

export interface FilesOptions {
  /** One or several; each is a partition. */
  readonly path: string | readonly string[]
  /** Default: what each path ends with (.jsonl, .ndjson, .json, .csv). */
  readonly format?: FileFormat
  /** The field or column that says the operation; null if there is none. Default 'op'. */
  readonly operationField?: string | null
  /** Longer lines are rejected. Default 1 MiB. */
  readonly maximumLineBytes?: number
  /** Bytes read a poll: so much is decoded and held at once, whatever the file has. Default 256 KiB. */
  readonly pollBytes?: number
  /** Hears what happens to the files, in whatever process reads them. */
  readonly onEvent?: (event: FollowEvent) => void
}

/** @throws MillraceError CONFIG for no path, one given twice, or a format that is not clear */
export function files(options: FilesOptions): ReplayableSource {
  const paths = typeof options.path === 'string' ? [options.path] : options.path
  if (paths.length === 0) throw new MillraceError('CONFIG', 'files() was given no path')
  if (new Set(paths).size < paths.length) throw new MillraceError('CONFIG', `files() was given a path twice: ${paths.join(', ')}`)
  const formats = new Map(paths.map((path) => [path, options.format ?? formatOf(path)]))
  return {
    kind: 'files',
    partitions: async () => paths,
    open: async (environment, shape, partition, after) => {
      const format = formats.get(partition)
      if (format === undefined) throw new MillraceError('SOURCE', `there is no file ${partition} in this source (${paths.join(', ')})`)
      return LogReader.open(environment, shape, partition, format, options, after)
    },
  }
}

/** Lines are taken from the follower, decoded, and counted. */
class LogReader implements PartitionReader {
  private readonly path: string
  private readonly follower: FileFollower
  private readonly decoder: LineDecoder
  private readonly pollBytes: number
  private pending: PendingLines | null = null
  private lines = 0
  private hash = HASH_OF_NOTHING
  private contents = 0
  private generation = -1
  /** What this reader cannot recover from. */
  private broken: MillraceError | null = null
  /** Why the file cannot be read at the moment. */
  private failure: string | null = null
  private missing = false
  private positionLost = false
  private closed = false

  /** Begins after a position: there, if its file can be found, else by reading up to it. */
  static async open(
    environment: Environment,
    shape: InputShape,
    path: string,
    format: FileFormat,
    options: FilesOptions,
    after: Position | null,
  ): Promise<LogReader> {
    if (after === null) return new LogReader(environment, shape, path, format, options, null)
    const position = logPosition(after)
    if (position === null) throw new MillraceError('SOURCE', `${JSON.stringify(after)} is no position in ${path}`)
    if (position.at !== null) {
      const there = new LogReader(environment, shape, path, format, options, position.at)
      if (await there.standAt(position, position.at)) return there
      await there.close()
    }
    const reader = new LogReader(environment, shape, path, format, options, null)
    try {
      while (!reader.hasReached(after)) await reader.poll(after)
    } catch (error) {
      await reader.close()
      throw error
    }
    return reader
  }

  private constructor(
    environment: Environment,
    shape: InputShape,
    path: string,
    format: FileFormat,
    options: FilesOptions,
    from: FilePlace | null,
  ) {
    const operation = options.operationField === undefined ? {} : { operationField: options.operationField }
    const decoding = { columns: shape.columns, ...(shape.key === undefined ? {} : { key: shape.key }), ...operation }
    this.path = path
    this.decoder = format === 'csv' ? csvDecoder(decoding) : jsonLinesDecoder(decoding)
    this.pollBytes = options.pollBytes ?? DEFAULT_BATCH_BYTES
    this.follower = new FileFollower(environment, {
      path,
      header: format === 'csv',
      keepCarriageReturns: format === 'csv',
      includeRotated: true,
      onEvent: (event) => {
        this.event(event)
        options.onEvent?.(event)
      },
      ...(from === null ? {} : { from }),
      ...(options.maximumLineBytes === undefined ? {} : { maximumLineBytes: options.maximumLineBytes }),
    })
  }

  get behind(): boolean {
    return this.pending !== null || this.follower.behind
  }

  hasReached(position: Position): boolean {
    const target = logPosition(position)
    return target === null || this.lines >= target.lines
  }

  async poll(until: Position | null): Promise<SourceBatch | null> {
    const target = until === null ? null : this.target(until)
    if (this.broken !== null) throw this.broken
    if (target !== null && this.lines >= target.lines) return null
    if (!(await this.fill(target))) return null
    const pending = this.pending as PendingLines
    return this.take(pending, target === null ? pending.count : Math.min(pending.count, target.lines - this.lines), target)
  }

  close(): Promise<void> {
    this.closed = true
    return this.follower.close()
  }

  private target(until: Position): LogPosition {
    const target = logPosition(until)
    if (target === null) throw new MillraceError('SOURCE', `${JSON.stringify(until)} is no position in ${this.path}`)
    return target
  }

  /** Reads if nothing is pending; whether something is then. */
  private async fill(target: LogPosition | null): Promise<boolean> {
    if (this.pending !== null) return true
    const batch = await this.follower.poll(this.pollBytes)
    if (this.closed) throw new MillraceError('CLOSED', `the reader of ${this.path} is closed`)
    if (this.positionLost) {
      this.broken = new MillraceError('SOURCE', `the place to go on from in ${this.path} is not there any more`)
      throw this.broken
    }
    if (batch !== null) {
      this.failure = null
      this.pending = new PendingLines(batch)
      return true
    }
    if (this.follower.behind) return false
    if (this.failure !== null) throw new MillraceError('SOURCE', this.failure)
    if (target !== null)
      throw new MillraceError(
        'SOURCE',
        `${this.path} and its rotated files have ${this.lines} lines, and ${target.lines} were read before`,
        'Bring the missing files back: what was read must be there to be read again.',
      )
    if (this.missing) throw new MillraceError('SOURCE', `there is no file at ${this.path}; waiting for it`)
    return false
  }

  private take(pending: PendingLines, count: number, target: LogPosition | null): SourceBatch {
    const { batch, hash } = pending.take(count, this.hash)
    if (target !== null && this.lines + count === target.lines && hash !== target.hash) {
      this.broken = new MillraceError(
        'SOURCE',
        `the first ${target.lines} lines of ${this.path} are not those that were read before`,
        'A rotated file was removed, or a file was rewritten. Bring back what was there, or drop the job and deploy it anew.',
      )
      throw this.broken
    }
    if (pending.count === 0) this.pending = null
    if (batch.generation !== this.generation) {
      this.generation = batch.generation
      this.contents++
    }
    const decoded = this.decoder.decode(batch)
    this.lines += count
    this.hash = hash
    // A record that is not complete begins before, and where that is says nothing of the lines after it.
    const at = this.pending === null && decoded.resume === batch.end ? placeOf(batch.end) : null
    const runs = runsOf(decoded, this.path, this.lineText)
    return { runs, position: { lines: this.lines, hash, contents: this.contents, at } }
  }

  /** Goes on at a place in a file; false if that is not to be found. */
  private async standAt(position: LogPosition, at: FilePlace): Promise<boolean> {
    this.lines = position.lines
    this.hash = position.hash
    this.contents = position.contents
    // At the beginning of a file none of its lines was counted.
    this.generation = at.offset === 0 ? -1 : at.generation
    const batch = await this.follower.poll(this.pollBytes)
    if (this.positionLost) return false
    if (batch !== null) this.pending = new PendingLines(batch)
    return true
  }

  private event({ kind, message }: FollowEvent): void {
    if (kind === 'failed') this.failure = message
    else if (kind === 'missing') this.missing = true
    else if (kind === 'position-lost') this.positionLost = true
    else if (kind !== 'long-line') this.missing = false
  }

  /** `line 17`, and where a log has had several contents, in which of them: the same whatever the files are called by now. */
  private get lineText(): LineText {
    return { before: 'line ', after: this.contents <= 1 ? '' : ` of content ${this.contents}` }
  }
}
