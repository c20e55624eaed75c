/**
 * The feature store against DuckDB over the same files: at random instants, right before and at an expiry, after a late
 * correction, and days later. DuckDB reads the lines as text and judges them by SQL, so that decoding is compared, too.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fraudLog, headerOf, type LogName } from '../../examples/feature-store/fraud-log.ts'
import { featureStore } from '../../examples/feature-store/job.ts'
import { followFiles } from '../../files.ts'
import { embed } from '../../millrace.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'

const root = mkdtempSync(join(tmpdir(), 'millrace-duckdb-'))
let duckdb: DuckDBConnection
beforeAll(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:')).connect()
})
afterAll(() => {
  duckdb.closeSync()
  rmSync(root, { recursive: true, force: true })
})

const SECOND = 1_000_000
const DAY = 86_400 * SECOND
const WINDOW = 30 * DAY
const BASE = Date.UTC(2026, 2, 1) * 1000
const RATE = 20

type Format = 'jsonl' | 'csv'

interface Answer {
  readonly accountId: number
  readonly ownerId: number
  readonly frauds: bigint
}

/** Two logs that grow line by line. */
class Logs {
  readonly paths: Record<LogName, string>
  /** Of well-formed frauds that were written, the times, in the order of the file. */
  readonly fraudTimes: number[] = []
  readonly lines: Record<LogName, number> = { accounts: 0, frauds: 0 }
  written = 0
  private readonly source: ReturnType<typeof fraudLog>
  private readonly format: Format

  constructor(format: Format, seed: number) {
    const folder = mkdtempSync(join(root, 'logs-'))
    this.format = format
    this.paths = { accounts: join(folder, `accounts.${format}`), frauds: join(folder, `frauds.${format}`) }
    const start = { accounts: 100, owners: 30, days: 35, malformed: 0.05, late: 0.1 }
    this.source = fraudLog({ ...start, seed, format, rate: RATE, base: BASE })
    for (const log of ['accounts', 'frauds'] as const) writeFileSync(this.paths[log], format === 'csv' ? `${headerOf(log)}\n` : '')
  }

  /** Writes `count` lines, and then on until one that `last` wants. */
  write(count: number, last: (line: string) => boolean = () => true): void {
    for (let i = 0; ; i++) {
      const { log, bytes } = this.source.next().value
      writeFileSync(this.paths[log], Buffer.concat([bytes, Buffer.from('\n')]), { flag: 'a' })
      this.written++
      this.lines[log]++
      const line = Buffer.from(bytes).toString()
      const at = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/.exec(line)?.[0]
      if (log === 'frauds' && at !== undefined) this.fraudTimes.push(Date.parse(`${at.slice(0, 23)}Z`) * 1000 + Number(at.slice(23, 26)))
      if (i >= count && log === 'frauds' && last(line)) return
    }
  }

  /** The instant at which the last line was logged. */
  get now(): number {
    return BASE + Math.floor((this.written / RATE) * SECOND)
  }

  /** Makes tables of the files: raw_accounts and raw_frauds with the columns op, accountId and the other one as text. */
  async load(): Promise<void> {
    for (const log of ['accounts', 'frauds'] as const) {
      const other = log === 'accounts' ? 'ownerId' : 'at'
      // One column of whole lines; lines that are not UTF-8 are left out.
      await duckdb.run(`
        CREATE OR REPLACE TABLE lines AS SELECT row_number() OVER () AS n, line FROM read_csv('${this.paths[log]}',
          columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false, skip = ${this.format === 'csv' ? 1 : 0},
          ignore_errors = true, parallel = false, auto_detect = false, new_line = '\\n', null_padding = false)`)
      if (this.format === 'csv') {
        await duckdb.run(`
          CREATE OR REPLACE TABLE raw_${log} AS
          SELECT n, nullif(fields[1], '') AS op, fields[2] AS accountId, fields[3] AS ${other}
          FROM (SELECT n, string_split(line, ',') AS fields FROM lines) WHERE len(fields) = 3`)
      } else {
        await duckdb.run(`CREATE OR REPLACE TABLE docs AS SELECT n, line::JSON AS doc FROM lines WHERE json_valid(line)`)
        await duckdb.run(`
          CREATE OR REPLACE TABLE raw_${log} AS
          SELECT n, doc->>'op' AS op, doc->>'accountId' AS accountId, doc->>'${other}' AS ${other} FROM docs
          WHERE json_type(doc) = 'OBJECT' AND len(list_filter(json_keys(doc), k -> k NOT IN ('op', 'accountId', '${other}'))) = 0
            AND json_type(doc->'accountId') IN ('UBIGINT', 'BIGINT')`)
      }
    }
  }
}

const WHOLE = `regexp_full_match(%, '-?[0-9]+') AND try_cast(% AS INTEGER) IS NOT NULL`
const isWhole = (column: string): string => WHOLE.replaceAll('%', column)

/** The definition in SQL, at an instant; and how many lines were well-formed. */
async function answers(time: number): Promise<{ rows: Answer[]; wellFormed: number }> {
  await duckdb.run(`
    CREATE OR REPLACE TABLE commands AS
    SELECT n, coalesce(op, 'upsert') AS op, accountId::INTEGER AS accountId, try_cast(ownerId AS INTEGER) AS ownerId FROM raw_accounts
    WHERE ${isWhole('accountId')} AND (op = 'delete' OR (coalesce(op, 'upsert') = 'upsert' AND ${isWhole('ownerId')}))`)
  await duckdb.run(`
    CREATE OR REPLACE TABLE changes AS
    SELECT accountId::INTEGER AS accountId, epoch_us(try_cast("at" AS TIMESTAMPTZ)) AS happened,
      CASE coalesce(op, 'insert') WHEN 'insert' THEN 1 ELSE -1 END AS difference FROM raw_frauds
    WHERE ${isWhole('accountId')} AND coalesce(op, 'insert') IN ('insert', 'remove') AND try_cast("at" AS TIMESTAMPTZ) IS NOT NULL`)
  const rows = await duckdb.runAndReadAll(`
    WITH accounts AS (
      SELECT accountId, arg_max(ownerId, n) AS ownerId FROM commands GROUP BY accountId HAVING arg_max(op, n) = 'upsert'),
    per_owner AS (
      SELECT ownerId, sum(difference) AS frauds FROM changes JOIN accounts USING (accountId)
      WHERE happened <= ${time} AND ${time} < happened + ${WINDOW} GROUP BY ownerId)
    SELECT accountId, ownerId, coalesce(frauds, 0)::BIGINT AS frauds FROM accounts LEFT JOIN per_owner USING (ownerId) ORDER BY accountId`)
  const counted = await duckdb.runAndReadAll('SELECT (SELECT count(*) FROM commands) + (SELECT count(*) FROM changes) AS n')
  return { rows: rows.getRowObjects() as unknown as Answer[], wellFormed: Number(counted.getRowObjects()[0]['n']) }
}

describe.each(['jsonl', 'csv'] as const)('%s files', (format) => {
  test.each([1, 2, 3])('the answers are DuckDB’s at every instant (seed %i)', async (seed) => {
    const random = new SeededRandom(seed)
    const logs = new Logs(format, seed)
    let time = 0
    let instant = 0
    using app = embed(featureStore, { clock: () => time })
    await using feed = followFiles(featureStore, app, logs.paths, {
      commitRows: Number.POSITIVE_INFINITY,
      commitMilliseconds: Number.POSITIVE_INFINITY,
      commit: () => app.advanceTo(instant),
    })
    const seen: string[] = []
    /** Reads what is there, moves the clock on, and compares. */
    const check = async (at: number): Promise<Answer[]> => {
      instant = Math.max(at, app.time + 1)
      time = instant
      expect(await feed.drain()).toBe(instant)
      await logs.load()
      const { rows, wellFormed } = await answers(instant)
      expect(app.outputs.accountFrauds.scan()).toEqual(rows)
      const bad = app.outputs.accountFrauds.errors.rows()
      expect(bad.length + wellFormed).toBe(logs.lines.accounts + logs.lines.frauds)
      seen.push(JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
      return rows
    }
    const total = (rows: Answer[]): number => rows.reduce((sum, row) => sum + Number(row.frauds), 0)
    const nextExpiry = (): number => Math.min(...logs.fraudTimes.map((at) => at + WINDOW).filter((at) => at > app.time + SECOND))

    logs.write(600)
    expect(total(await check(logs.now))).toBeGreaterThan(0)
    for (let i = 0; i < 2; i++) {
      logs.write(100 + random.below(300))
      await check(logs.now + random.below(10 * SECOND))
    }
    // Within a second of an expiry: less than one before it, the microsecond before, and on it; the clock alone moves.
    const expiry = nextExpiry()
    await check(expiry - 1 - random.below(SECOND / 2))
    const before = await check(expiry - 1)
    expect(await check(expiry)).not.toEqual(before)
    // After a late correction: its two lines are the last ones.
    let removed = false
    logs.write(50, (line) => {
      const complete = removed && !/remove/.test(line)
      removed = /remove/.test(line)
      return complete
    })
    await check(Math.max(logs.now, app.time + random.below(SECOND)))
    for (let i = 0; i < 3; i++) {
      logs.write(random.below(300))
      await check(app.time + random.below(8 * DAY))
    }
    // Nothing happens after it is logged, so that with nothing new for long, nothing counts any more.
    expect(total(await check(app.time + 66 * DAY))).toBe(0)
    expect(seen.length).toBeGreaterThanOrEqual(10)
    expect(new Set(seen).size).toBeGreaterThanOrEqual(7)
    expect(readFileSync(logs.paths.frauds).length).toBeGreaterThan(10_000)
  })
})
