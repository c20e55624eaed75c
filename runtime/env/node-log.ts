/** Logs of a Node process: JSON lines on standard error, or lines for people where that is a terminal. */
import { pino } from 'pino'
import { createLog, type Log, type LogLevel, type LogRecord } from '../log/log.ts'
import { prettyLine } from '../log/pretty-log.ts'
import { Redactor } from '../log/redact.ts'

export interface NodeLogOptions {
  /** Default `info`. */
  readonly level?: LogLevel
  /** Default: lines for people if standard error is a terminal, else JSON. */
  readonly format?: 'json' | 'pretty'
  /** Knows the secrets of this process. */
  readonly redactor?: Redactor
  /** Where lines go instead of standard error. */
  readonly write?: (line: string) => void
}

/**
 * A line is written before the call returns: what a process said last before it died is what one wants to read. A JSON line has `level`,
 * `time` (ISO 8601), `pid`, `host`, `message`, and the fields.
 */
export function nodeLog(options: NodeLogOptions = {}): Log {
  const { level = 'info', redactor = new Redactor() } = options
  const format = options.format ?? (process.stderr.isTTY ? 'pretty' : 'json')
  const sink = format === 'pretty' ? prettySink(options.write) : jsonSink(options.write)
  return createLog({ sink, redactor, level })
}

function jsonSink(write: ((line: string) => void) | undefined): (record: LogRecord) => void {
  const logger = pino(
    {
      level: 'debug',
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        bindings: ({ pid, hostname }) => ({ pid, host: hostname }),
      },
    },
    write === undefined ? pino.destination({ fd: 2, sync: true }) : { write },
  )
  return ({ level, message, fields }) => logger[level]({ ...fields }, message)
}

function prettySink(write: ((line: string) => void) | undefined): (record: LogRecord) => void {
  const colors = write === undefined && process.env['NO_COLOR'] === undefined
  const out = write ?? ((line: string) => void process.stderr.write(line))
  return (record) => out(prettyLine(record, Date.now(), colors))
}
