/** Log records for people at a terminal: a line each, and the stack below an error. */
import type { LogLevel, LogRecord } from './log.ts'

const COLORS: Readonly<Record<LogLevel, string>> = { debug: '\x1b[2m', info: '\x1b[32m', warn: '\x1b[33m', error: '\x1b[31m' }
const DIM = '\x1b[2m'
const OFF = '\x1b[0m'
/** What would move the cursor, or end the line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g

/** With a line break at the end. `at`: milliseconds since 1970. */
export function prettyLine({ level, message, fields }: LogRecord, at: number, colors: boolean): string {
  const paint = (color: string, text: string): string => (colors ? `${color}${text}${OFF}` : text)
  const time = new Date(at).toISOString().slice(11, 23)
  const parts: string[] = []
  let stack = ''
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    if (isError(value)) {
      parts.push(`${paint(DIM, `${name}=`)}${plain(value.code === undefined ? value.message : `${value.code}: ${value.message}`)}`)
      if (level === 'error' && value.stack !== undefined) stack += `${value.stack.split('\n').slice(1).map(plain).join('\n')}\n`
    } else parts.push(`${paint(DIM, `${name}=`)}${plain(typeof value === 'string' ? value : JSON.stringify(value))}`)
  }
  const head = `${paint(DIM, time)} ${paint(COLORS[level], level.padEnd(5))} ${plain(message)}`
  return `${[head, ...parts].join(' ')}\n${stack}`
}

interface ShownError {
  readonly message: string
  readonly code?: string
  readonly stack?: string
}

function isError(value: unknown): value is ShownError {
  return typeof value === 'object' && value !== null && 'name' in value && 'message' in value && typeof value.message === 'string'
}

function plain(text: string): string {
  return text.replace(CONTROLS, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
