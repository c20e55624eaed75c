/**
 * Structured logs: a message that is always the same, and fields for what varies, so that logs can be searched and counted.
 * Whoever logs is handed a `Log`; where records go is decided once, by who starts the process.
 *
 * Names that fields share everywhere: `process`, `peer`, `group`, `generation`, `job`, `dataflow`, `worker`, `input`, `partition`,
 * `output`, `time` (microseconds), `milliseconds`, `bytes`, `reason`, `error`.
 */
import type { Redactor } from './redact.ts'

/** Least to most urgent. `error`: somebody has to act; `warn`: it goes on, but not as it should. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Plain values, errors, and objects and arrays of those; bigints become text. Never rows of users, never secrets. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  /** For finding out what happened, off by default: each frame, each time. */
  debug(message: string, fields?: LogFields): void
  /** What an operator wants to read the next day: started, joined, a generation began. */
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose records all have these fields, too. */
  with(fields: LogFields): Log
  /** Whether records of a level go anywhere: for fields that cost something to make. */
  isEnabled(level: LogLevel): boolean
}

export interface LogRecord {
  readonly level: LogLevel
  readonly message: string
  /** Redacted; only what JSON can say. */
  readonly fields: LogFields
}

/** Where records go: the Node half writes them to standard error, tests keep them. */
export type LogSink = (record: LogRecord) => void

export interface LogOptions {
  readonly sink: LogSink
  readonly redactor: Redactor
  /** Records below are dropped. Default `info`. */
  readonly level?: LogLevel
}

/** A log that writes to a sink, with everything secret taken out on the way. */
export function createLog(options: LogOptions): Log {
  return new SinkLog(options.sink, options.redactor, LOG_LEVELS.indexOf(options.level ?? 'info'), {})
}

class SinkLog implements Log {
  private readonly sink: LogSink
  private readonly redactor: Redactor
  private readonly least: number
  private readonly fields: LogFields

  constructor(sink: LogSink, redactor: Redactor, least: number, fields: LogFields) {
    this.sink = sink
    this.redactor = redactor
    this.least = least
    this.fields = fields
  }

  debug(message: string, fields?: LogFields): void {
    this.write('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.write('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.write('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.write('error', message, fields)
  }

  with(fields: LogFields): Log {
    return new SinkLog(this.sink, this.redactor, this.least, { ...this.fields, ...fields })
  }

  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.least
  }

  private write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.isEnabled(level)) return
    const all = fields === undefined ? this.fields : { ...this.fields, ...fields }
    this.sink({ level, message: this.redactor.text(message), fields: this.redactor.fields(all) })
  }
}

/** For who was given no log. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
  isEnabled: () => false,
}
