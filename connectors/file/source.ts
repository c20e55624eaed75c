/**
 * A source: feeds the lines of a followed change-log file into an input. Each line becomes a row, or, if it is
 * malformed, a row of the error collection with its file and line; no line is skipped in silence.
 *
 * Rows stay when their file is rotated, removed, truncated or rewritten. A change log says what changed, and what was
 * said is not unsaid by clearing the paper: copying a log away and truncating it (logrotate's `copytruncate`) goes on
 * with the same log. Whoever means to start over restarts the app. Rows are given no time of their own: the commit
 * that they are part of decides; the times in their columns are data, in any order.
 */
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { InputShape } from '../../runtime/protocol/replayable-source.ts'
import type { KeyedRowInput, RowInput } from '../input.ts'
import type { PumpSource } from '../pump.ts'
import type { LineDecoder } from './change-row.ts'
import { csvDecoder } from './csv.ts'
import { DEFAULT_BATCH_BYTES, FileFollower } from './follow.ts'
import type { FollowEvent } from './follow-event.ts'
import { jsonLinesDecoder } from './json-lines.ts'
import type { FilePosition, LineBatch, LinePosition } from './position.ts'
import { RowWriter } from './row-writer.ts'

export type FileFormat = 'jsonl' | 'csv'

export interface FileSourceOptions {
  readonly path: string
  /** Default: what the path ends with (.jsonl, .ndjson, .json, .csv). */
  readonly format?: FileFormat
  /** The field or column that says the operation; null if there is none. Default 'op'. */
  readonly operationField?: string | null
  /** Where to go on; default: the beginning. */
  readonly from?: FilePosition
  /** Without `from`: begins with the oldest rotated file beside the path. */
  readonly includeRotated?: boolean
  /** Longer lines are rejected. Default 1 MiB. */
  readonly maximumLineBytes?: number
  /** Bytes read a poll: so much is decoded and held at once, whatever the file has. Default 256 KiB. */
  readonly pollBytes?: number
  readonly onEvent?: (event: FollowEvent) => void
}

export class FileSource implements PumpSource {
  readonly path: string
  private readonly env: Environment
  private readonly follower: FileFollower
  private readonly decoder: LineDecoder
  private readonly writer: RowWriter
  private readonly pollBytes: number
  private resume: FilePosition | null
  private end: FilePosition | null = null
  private rowCount = 0
  private rejectedCount = 0

  /** @throws MillraceError CONFIG if the format is not clear or contradicts the columns */
  constructor(env: Environment, shape: InputShape, input: RowInput | KeyedRowInput, options: FileSourceOptions) {
    const { path, onEvent } = options
    const format = options.format ?? formatOf(path)
    const operation = options.operationField === undefined ? {} : { operationField: options.operationField }
    const decoding = { columns: shape.columns, ...(shape.key === undefined ? {} : { key: shape.key }), ...operation }
    this.env = env
    this.path = path
    this.decoder = format === 'csv' ? csvDecoder(decoding) : jsonLinesDecoder(decoding)
    this.writer = new RowWriter(input, lineText)
    this.pollBytes = options.pollBytes ?? DEFAULT_BATCH_BYTES
    this.resume = options.from ?? null
    this.follower = new FileFollower(env, {
      path,
      header: format === 'csv',
      keepCarriageReturns: format === 'csv',
      onEvent: (event) => onEvent?.(explained(event)),
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.includeRotated === undefined ? {} : { includeRotated: options.includeRotated }),
      ...(options.maximumLineBytes === undefined ? {} : { maximumLineBytes: options.maximumLineBytes }),
    })
  }

  /** Rows given to the input so far. */
  get rows(): number {
    return this.rowCount
  }

  /** Lines given to the error collection so far. */
  get rejected(): number {
    return this.rejectedCount
  }

  /** Where to go on after a restart once all that was written by now is safe; null before the first line. */
  get position(): FilePosition | null {
    return this.resume
  }

  get behind(): boolean {
    return this.follower.behind
  }

  async poll(): Promise<number> {
    const lines = await this.follower.poll(this.pollBytes)
    return lines === null ? 0 : this.take(lines)
  }

  /**
   * For a file that nobody writes to any more, once it was read: takes what is behind its last line feed for a line,
   * and rejects lines whose record is not complete.
   */
  async finish(): Promise<number> {
    const last = this.follower.finish()
    const taken = last === null ? 0 : this.take(last)
    const { end } = this
    if (end === null) return taken
    // A record left open is found incomplete when the next file begins.
    const next = { file: this.path, generation: end.generation + 1, lines: [], lineNumbers: [], offsets: [], bad: [], header: null, end }
    return taken + this.take(next)
  }

  /** Bytes at the path that were not read yet, by now; what a rotated file still has is not counted. */
  async unread(): Promise<number> {
    const stat = await this.env.disk.stat(this.path)
    if (stat === null) return 0
    return Math.max(0, stat.size - (this.end?.identity === stat.identity ? this.end.offset : 0))
  }

  close(): Promise<void> {
    return this.follower.close()
  }

  private take(lines: LineBatch): number {
    const decoded = this.decoder.decode(lines)
    const { rows, rejected } = this.writer.write(decoded)
    this.rowCount += rows
    this.rejectedCount += rejected
    this.resume = decoded.resume
    this.end = lines.end
    return rows + rejected
  }
}

/** `line 17`, and where one name has stood for several contents, which of them. */
function lineText({ line, generation }: LinePosition): string {
  return generation === 0 ? `line ${line}` : `line ${line} of content ${generation + 1}`
}

function explained(event: FollowEvent): FollowEvent {
  if (event.kind !== 'truncated') return event
  return { ...event, message: `${event.message}. Rows taken before stay: the log is taken to go on` }
}

/** @throws MillraceError CONFIG for another ending */
export function formatOf(path: string): FileFormat {
  if (/\.csv$/i.test(path)) return 'csv'
  if (/\.(jsonl|ndjson|json)$/i.test(path)) return 'jsonl'
  throw new MillraceError('CONFIG', `the name of ${path} does not say its format`, 'Use .jsonl (JSON lines) or .csv, or give the format.')
}
