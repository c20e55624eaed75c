/** The log of a process that `millrace` runs: lines for people on a terminal, JSON elsewhere, unless it is told otherwise. */
import { nodeLog } from '../runtime/env/node-log.ts'
import type { Log, LogLevel } from '../runtime/log/log.ts'
import { Redactor } from '../runtime/log/redact.ts'
import type { Context } from './context.ts'
import type { Security } from './security.ts'

export interface LogOptions {
  readonly logLevel?: LogLevel
  readonly logFormat?: 'json' | 'text'
}

export function openLog({ logLevel, logFormat }: LogOptions, security: Security, { err }: Context, otherwise: LogLevel = 'info'): Log {
  const format = logFormat ?? (err.isTTY ? 'text' : 'json')
  return nodeLog({
    level: logLevel ?? otherwise,
    format: format === 'text' ? 'pretty' : 'json',
    redactor: new Redactor([security.token]),
    write: (line) => err.write(line),
  })
}
