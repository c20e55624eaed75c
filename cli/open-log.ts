/** The log of a process that `millrace` runs: lines of text on a terminal, JSON elsewhere. */
import { createLog, LOG_LEVELS, type Log, type LogLevel, type LogSink } from '../runtime/log/log.ts'
import { Redactor } from '../runtime/log/redact.ts'
import type { Context } from './context.ts'
import type { Security } from './security.ts'

export function openLog(level: string | undefined, security: Security, context: Context, otherwise: LogLevel = 'info'): Log {
  const redactor = new Redactor([security.token])
  const chosen = LOG_LEVELS.find((one) => one === level) ?? otherwise
  return createLog({ sink: context.err.isTTY ? textSink(context) : jsonSink(context), redactor, level: chosen })
}

function textSink({ environment, err }: Context): LogSink {
  return ({ level, message, fields }) => {
    const time = new Date(environment.clock.now() / 1000).toISOString().slice(11, 23)
    const told = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    err.write(`${time} ${level.padEnd(5)} ${[message, ...told].join('  ')}\n`)
  }
}

function jsonSink({ environment, err }: Context): LogSink {
  return ({ level, message, fields }) => {
    const time = new Date(environment.clock.now() / 1000).toISOString()
    err.write(`${JSON.stringify({ time, level, message, ...fields })}\n`)
  }
}
