/** What the command line of the feature store says. */
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type FileFormat, formatOf } from '../../files.ts'

export const HELP = `The fraud feature store: per account, the confirmed frauds against its owner in the last 30 days.

  npm start                                          writes change logs live, and follows them
  npm start -- --accounts a.jsonl --frauds f.csv     follows your files (JSON lines or CSV)

  --accounts FILE     follow this file of accounts (accountId, ownerId), with --frauds
  --frauds FILE       follow this file of confirmed frauds (accountId, at)
  --once              read the files to their end, print the table and exit
  --at TIME           as of this time, ISO 8601, instead of now; with --once

  --dir D             where the generated logs go (default: a temporary directory); with --once, where the logs are
  --overwrite         replace logs that are in D already
  --rate N            generated lines a second (default 1000)
  --seed S            of what is generated (default 1)
  --format F          jsonl (default) or csv, of what is generated
  --rotate-every B    rotate a generated log at B bytes (default: never)
  --truncate-every B  empty a generated log in place at B bytes (default: never)

  --port N            HTTP port (default 8080, or another one if that is taken; 0: any)
  --host H            address to listen on (default 127.0.0.1: this machine only)
  --duration S        stop after S seconds
  --quiet             say only where the server is, and what goes wrong
  --help
`

/** A mistake in the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A pair of change logs. */
export interface Logs {
  readonly accounts: string
  readonly frauds: string
}

export interface GeneratorOptions {
  /** null: a temporary directory. */
  readonly directory: string | null
  readonly overwrite: boolean
  readonly format: FileFormat
  /** Options that the generator takes as they are. */
  readonly passed: readonly string[]
}

export interface Options {
  /** Files to follow; null: they are generated. */
  readonly logs: Logs | null
  readonly generator: GeneratorOptions
  readonly once: boolean
  /** Microseconds since 1970; null: now. */
  readonly at: number | null
  /** null: 8080, or any other. */
  readonly port: number | null
  readonly host: string
  /** Seconds. */
  readonly duration: number
  readonly quiet: boolean
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const OPTIONS = {
  accounts: text,
  frauds: text,
  once: flag,
  at: text,
  dir: text,
  overwrite: flag,
  rate: text,
  seed: text,
  format: text,
  'rotate-every': text,
  'truncate-every': text,
  port: text,
  host: text,
  duration: text,
  quiet: flag,
  help: flag,
} as const

/** Longest run: timers take no more milliseconds than an int32. */
const MOST_SECONDS = 2_000_000

/** @throws UsageError; null if help is asked for */
export function parseOptions(args: readonly string[]): Options | null {
  const values = parsed(args)
  if (values.help === true) return null
  const number = (
    name: 'port' | 'duration' | 'rate' | 'seed' | 'rotate-every' | 'truncate-every',
    least: number,
    most: number,
  ): number | null => {
    const given = values[name]
    if (given === undefined) return null
    const value = given.trim() === '' ? Number.NaN : Number(given)
    if (!(value >= least && value <= most))
      throw new UsageError(`--${name} takes a number from ${least} to ${most}, not ${JSON.stringify(given)}.`)
    return value
  }
  const port = number('port', 0, 65_535)
  if (port !== null && !Number.isInteger(port)) throw new UsageError(`--port takes a whole number, not ${JSON.stringify(values.port)}.`)
  const numbers = [
    ['rate', number('rate', 0.001, 10_000_000) ?? 1000],
    ['seed', number('seed', 0, 0xffffffff) ?? 1],
    ['rotate-every', number('rotate-every', 0, Number.MAX_SAFE_INTEGER) ?? 0],
    ['truncate-every', number('truncate-every', 0, Number.MAX_SAFE_INTEGER) ?? 0],
  ] as const
  const format = values.format ?? 'jsonl'
  if (format !== 'jsonl' && format !== 'csv') throw new UsageError(`--format takes jsonl or csv, not ${JSON.stringify(format)}.`)
  const once = values.once === true
  if (values.at !== undefined && !once) throw new UsageError('--at goes with --once: live answers are as of now.')
  return {
    logs: logsOf(values.accounts, values.frauds, once, values.dir),
    generator: {
      directory: values.dir ?? null,
      overwrite: values.overwrite === true,
      format,
      passed: [...numbers.flatMap(([name, value]) => [`--${name}`, String(value)]), '--format', format],
    },
    once,
    at: values.at === undefined ? null : instant(values.at),
    port,
    host: values.host ?? '127.0.0.1',
    duration: number('duration', 0, MOST_SECONDS) ?? Number.POSITIVE_INFINITY,
    quiet: values.quiet === true,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values
  } catch (error) {
    // Node's message goes on to explain how positional arguments are quoted, which nobody wants to know here.
    const [first] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new UsageError(`${first.replace(/\.$/, '')}.`)
  }
}

function logsOf(accounts: string | undefined, frauds: string | undefined, once: boolean, directory: string | undefined): Logs | null {
  if (accounts !== undefined && frauds !== undefined) {
    if (directory !== undefined) throw new UsageError('--dir is where logs are generated; with --accounts and --frauds nothing is.')
    for (const [name, path] of Object.entries({ accounts, frauds })) check(name, path, once)
    return { accounts, frauds }
  }
  if (accounts !== undefined || frauds !== undefined) throw new UsageError('--accounts and --frauds go together.')
  if (!once) return null
  if (directory === undefined) throw new UsageError('--once reads files that are there: add --accounts FILE --frauds FILE, or --dir D.')
  return { accounts: logIn(directory, 'accounts'), frauds: logIn(directory, 'frauds') }
}

function check(name: string, path: string, once: boolean): void {
  try {
    formatOf(path)
  } catch {
    throw new UsageError(`--${name} takes a file named .jsonl (JSON lines) or .csv, not ${JSON.stringify(path)}.`)
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new UsageError(`--${name}: ${path} is a directory.`)
  if (once && !existsSync(path)) throw new UsageError(`--${name}: there is no file ${path}.`)
  // A file may still come; its directory not.
  if (!existsSync(dirname(path))) throw new UsageError(`--${name}: there is no directory ${dirname(path)}.`)
}

function logIn(directory: string, name: string): string {
  const path = ['jsonl', 'csv'].map((ending) => join(directory, `${name}.${ending}`)).find((one) => existsSync(one))
  if (path === undefined) throw new UsageError(`--dir: there is no ${name}.jsonl or ${name}.csv in ${directory}.`)
  return path
}

function instant(given: string): number {
  const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(given) ? Date.parse(given) : Number.NaN
  if (Number.isNaN(milliseconds)) throw new UsageError(`--at takes a time such as 2026-01-31T12:00:00Z, not ${JSON.stringify(given)}.`)
  return milliseconds * 1000
}
