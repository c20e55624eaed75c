/**
 * The content of the feature store's change logs: accounts that change owners, and confirmed frauds, with late
 * corrections, out-of-order times and malformed lines. The same options give the same lines, whenever they are written.
 */
import { SeededRandom } from '../../runtime/env/seeded-random.ts'

export interface FraudLogOptions {
  readonly seed: number
  readonly accounts: number
  readonly owners: number
  readonly format: 'jsonl' | 'csv'
  /** Lines a second: line i happens i / rate seconds after `base`. */
  readonly rate: number
  /** The instant of the first line, microseconds since 1970. */
  readonly base: number
  /** Frauds happened up to this many days before they are logged. */
  readonly days: number
  /** Share of lines that are malformed. */
  readonly malformed: number
  /** Share of fraud lines that correct an earlier one: removed, and inserted again with another time. */
  readonly late: number
}

export type LogName = 'accounts' | 'frauds'

export interface LogLine {
  readonly log: LogName
  /** Without line end. */
  readonly bytes: Uint8Array
}

/** Share of the lines that change an account; of these, the share that deletes one. */
const ACCOUNT_SHARE = 0.2
const DELETE_SHARE = 0.02
/** Frauds remembered to be corrected. */
const CORRECTABLE = 10_000
const DAY = 86_400_000_000
/** Share of the frauds whose 30 days end within a minute of being logged, so that expiry can be watched. */
const EXPIRING_SHARE = 0.05
const EXPIRY_DAYS = 30
const MINUTE = 60_000_000

interface Fraud {
  readonly accountId: number
  readonly at: number
}

/** The header of a CSV log; JSON lines have none. */
export function headerOf(log: LogName): string {
  return log === 'accounts' ? 'op,accountId,ownerId' : 'op,accountId,at'
}

/** All lines, without end: first each account once, then a mix. */
export function* fraudLog(options: FraudLogOptions): Generator<LogLine, never, undefined> {
  const random = new SeededRandom(options.seed)
  const recent: Fraud[] = []
  const encoder = new TextEncoder()
  let lines = 0
  const write = (log: LogName, fields: Record<string, string | number>): LogLine => {
    lines++
    const line = options.format === 'jsonl' ? JSON.stringify(fields) : csvLine(log, fields)
    return { log, bytes: encoder.encode(line) }
  }
  for (let accountId = 1; accountId <= options.accounts; accountId++) {
    yield write('accounts', { accountId, ownerId: 1 + random.below(options.owners) })
  }
  for (;;) {
    if (random.chance(options.malformed)) {
      lines++
      yield malformedLine(random, options.format)
    } else if (random.chance(ACCOUNT_SHARE)) {
      const accountId = 1 + random.below(options.accounts)
      if (random.chance(DELETE_SHARE)) yield write('accounts', { op: 'delete', accountId })
      else yield write('accounts', { op: 'upsert', accountId, ownerId: 1 + random.below(options.owners) })
    } else if (recent.length > 0 && random.chance(options.late)) {
      const index = random.below(recent.length)
      const old = recent[index]
      yield write('frauds', { op: 'remove', accountId: old.accountId, at: isoTime(old.at) })
      const corrected = { accountId: old.accountId, at: eventTime(options, random, lines) }
      recent[index] = corrected
      yield write('frauds', { op: 'insert', accountId: corrected.accountId, at: isoTime(corrected.at) })
    } else {
      const fraud = { accountId: 1 + random.below(options.accounts), at: eventTime(options, random, lines) }
      if (recent.length < CORRECTABLE) recent.push(fraud)
      else recent[random.below(CORRECTABLE)] = fraud
      yield write('frauds', { accountId: fraud.accountId, at: isoTime(fraud.at) })
    }
  }
}

/** Before the instant of the line, and out of order. */
function eventTime(options: FraudLogOptions, random: SeededRandom, lines: number): number {
  const now = options.base + Math.floor((lines / options.rate) * 1_000_000)
  if (random.chance(EXPIRING_SHARE)) return now - EXPIRY_DAYS * DAY + random.below(MINUTE)
  return now - Math.floor(random.fraction() * options.days * DAY)
}

/** ISO 8601 with microseconds. */
function isoTime(micros: number): string {
  const iso = new Date(Math.floor(micros / 1000)).toISOString()
  return `${iso.slice(0, -1)}${String(((micros % 1000) + 1000) % 1000).padStart(3, '0')}Z`
}

function csvLine(log: LogName, fields: Record<string, string | number>): string {
  const names = headerOf(log).split(',')
  return names.map((name) => fields[name] ?? '').join()
}

const MALFORMED_JSON = [
  '{"accountId":17,"at":"2026-01-01T00:0',
  '{"accountId":"seventeen","at":"2026-01-01T00:00:00Z"}',
  '{"accountId":3000000000,"at":"2026-01-01T00:00:00Z"}',
  '{"accountId":17,"at":"2026-02-30T00:00:00Z"}',
  '{"accountId":17,"at":"2026-01-01T00:00:00Z","amount":5}',
  '{"accountId":17}',
  '{"accountId":NaN,"at":"2026-01-01T00:00:00Z"}',
  '{"accountId":17,"at":"\\ud800"}',
  '{"op":"replace","accountId":17,"at":"2026-01-01T00:00:00Z"}',
  'Traceback (most recent call last):',
]

const MALFORMED_CSV = [
  ',17',
  ',seventeen,2026-01-01T00:00:00Z',
  ',3000000000,2026-01-01T00:00:00Z',
  ',17,2026-02-30T00:00:00Z',
  ',17,2026-01-01T00:00:00Z,5',
  ',NaN,2026-01-01T00:00:00Z',
  'replace,17,2026-01-01T00:00:00Z',
  ',"17,2026-01-01T00:00:00Z',
  'Traceback (most recent call last):',
]

/** A line of the frauds that no decoder may take; some are not even UTF-8. */
function malformedLine(random: SeededRandom, format: 'jsonl' | 'csv'): LogLine {
  const choices = format === 'jsonl' ? MALFORMED_JSON : MALFORMED_CSV
  const choice = random.below(choices.length + 1)
  const bytes = choice === choices.length ? new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]) : new TextEncoder().encode(choices[choice])
  return { log: 'frauds', bytes }
}
