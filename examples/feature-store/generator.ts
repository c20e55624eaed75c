/**
 * Writes the feature store's inputs live: `accounts.jsonl` and `frauds.jsonl` (or `.csv`) in a directory.
 *
 * node dist/examples/feature-store/generator.js --dir D --rate N [options]; `--help` lists them.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type FraudLogOptions, fraudLog, headerOf, type LogName } from './fraud-log.ts'
import { LogFile } from './log-file.ts'

const HELP = `Writes accounts.jsonl and frauds.jsonl live, for the fraud feature store.

  --dir D             where to write (made if missing); files there are begun anew
  --rate N            lines a second (default 1000), after each account was written once
  --accounts N        accounts (default 1000)
  --owners N          owners (default 200)
  --seed S            of all choices (default 1)
  --format F          jsonl (default) or csv
  --malformed P       share of malformed lines (default 0.01)
  --late P            share of frauds that correct an earlier one (default 0.05)
  --days N            frauds happened up to N days before they are logged (default 35)
  --base T            instant of the first line, ISO 8601 (default: now); fix it to repeat a run to the byte
  --rotate-every B    rotate a file at B bytes (default 0: never)
  --truncate-every B  empty a file in place at B bytes, after half a second of quiet for readers (default 0: never)
  --duration S        stop after S seconds (default: run until stopped)
  --with-parent       stop when the process that started this one is gone
`

/** Between two writes, milliseconds. */
const TICK = 20
/** A follower polls more often than this: before a truncation it gets the time to read what there is. */
const QUIET_BEFORE_TRUNCATION = 500
/** Lines written at once when behind the rate, so that a slow disk does not make a burst without end. */
const MAXIMUM_LINES_PER_TICK = 100_000

interface Settings extends FraudLogOptions {
  readonly directory: string
  readonly rotateEvery: number
  readonly truncateEvery: number
  /** Seconds. */
  readonly duration: number
  readonly withParent: boolean
}

function settings(args: string[]): Settings {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      dir: text,
      rate: text,
      accounts: text,
      owners: text,
      seed: text,
      format: text,
      malformed: text,
      late: text,
      days: text,
      base: text,
      'rotate-every': text,
      'truncate-every': text,
      duration: text,
      'with-parent': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  const number = (
    name: Exclude<keyof typeof values, 'help' | 'with-parent'>,
    fallback: number,
    minimum: number,
    maximum = Number.MAX_SAFE_INTEGER,
  ): number => {
    const given = values[name] === undefined ? fallback : Number(values[name])
    if (!(given >= minimum && given <= maximum)) throw new Error(`--${name} takes a number from ${minimum} to ${maximum}`)
    return given
  }
  const format = values.format ?? 'jsonl'
  if (format !== 'jsonl' && format !== 'csv') throw new Error('--format takes jsonl or csv')
  const base = values.base === undefined ? Date.now() : Date.parse(values.base)
  if (Number.isNaN(base)) throw new Error('--base takes a time such as 2026-01-31T12:00:00Z')
  if (values.dir === undefined) throw new Error('--dir is missing')
  return {
    directory: values.dir,
    seed: number('seed', 1, 0),
    accounts: Math.floor(number('accounts', 1000, 1, 0x7fffffff)),
    owners: Math.floor(number('owners', 200, 1, 0x7fffffff)),
    format,
    rate: number('rate', 1000, 0.001),
    base: base * 1000,
    days: number('days', 35, 0),
    malformed: number('malformed', 0.01, 0, 1),
    late: number('late', 0.05, 0, 1),
    rotateEvery: number('rotate-every', 0, 0),
    truncateEvery: number('truncate-every', 0, 0),
    duration: values.duration === undefined ? Number.POSITIVE_INFINITY : number('duration', 0, 0),
    withParent: values['with-parent'] === true,
  }
}

async function generate(options: Settings, stopped: () => boolean): Promise<Record<LogName, number>> {
  mkdirSync(options.directory, { recursive: true })
  const { format, rotateEvery } = options
  const open = (log: LogName): LogFile =>
    new LogFile({ path: join(options.directory, `${log}.${format}`), header: format === 'csv' ? headerOf(log) : null, rotateEvery })
  const files: Record<LogName, LogFile> = { accounts: open('accounts'), frauds: open('frauds') }
  const written: Record<LogName, number> = { accounts: 0, frauds: 0 }
  const lines = fraudLog(options)
  const write = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const { log, bytes } = lines.next().value
      files[log].add(bytes)
      written[log]++
    }
    for (const file of Object.values(files)) file.flush()
  }
  write(options.accounts)
  const total = Math.round(options.rate * options.duration)
  const started = performance.now()
  let pauses = 0
  let done = 0
  while (!stopped() && done < total) {
    const elapsed = performance.now() - started - pauses
    const due = Math.min(total, Math.floor((elapsed / 1000) * options.rate))
    const count = Math.min(MAXIMUM_LINES_PER_TICK, due - done)
    write(count)
    done += count
    const full = Object.values(files).filter((file) => options.truncateEvery > 0 && file.size >= options.truncateEvery)
    if (full.length > 0) {
      await sleep(QUIET_BEFORE_TRUNCATION)
      pauses += QUIET_BEFORE_TRUNCATION
      for (const file of full) file.truncate()
    }
    await sleep(TICK)
  }
  for (const file of Object.values(files)) file.close()
  return written
}

async function main(): Promise<void> {
  let stop = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (stop = true))
  const options = settings(process.argv.slice(2))
  const parent = process.ppid
  const written = await generate(options, () => stop || (options.withParent && process.ppid !== parent))
  process.stderr.write(`wrote ${written.accounts} lines of accounts and ${written.frauds} of frauds\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
