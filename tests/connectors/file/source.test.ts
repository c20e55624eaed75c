/** Files into an embedded app: every line becomes a row, a command or an error, through rotation and truncation. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FollowEvent } from '../../../connectors/file/follow-event.ts'
import { type FileFeed, type FollowFilesOptions, followFiles } from '../../../files.ts'
import { type App, count, embed, int32, job, stream, table, text, timestamp } from '../../../millrace.ts'
import { SimulatedEnvironment } from '../../../runtime/env/simulated-environment.ts'
import { Writer } from './helpers.ts'

const inputs = {
  accounts: table({ accountId: int32, ownerId: int32 }, { key: 'accountId' }),
  frauds: table({ accountId: int32, at: timestamp }),
  notes: stream({ note: text }),
}
const perAccount = job('per account', inputs, ({ accounts, frauds, notes }) => ({
  accounts: accounts.keyBy('accountId'),
  frauds: frauds
    .groupBy('accountId')
    .aggregate(() => ({ n: count() }))
    .keyBy('accountId'),
  notes,
}))

let env: SimulatedEnvironment
let app: App<typeof inputs, (typeof perAccount)['outputs']>
let feed: FileFeed<typeof inputs>
let events: FollowEvent[]
let commits: { time: number; rows: number }[]
let accounts: Writer
let frauds: Writer
let notes: Writer

function open(options: FollowFilesOptions = {}): void {
  feed = followFiles(
    perAccount,
    app,
    { accounts: '/log/accounts.jsonl', frauds: '/log/frauds.csv', notes: { path: '/log/notes.jsonl', pollBytes: 64 } },
    {
      environment: env,
      onEvent: (event) => events.push(event),
      onCommit: (time, rows) => commits.push({ time, rows }),
      ...options,
    },
  )
}

beforeEach(async () => {
  env = new SimulatedEnvironment({ seed: 1 })
  await env.disk.makeDirectory('/log')
  accounts = new Writer(env, '/log/accounts.jsonl')
  frauds = new Writer(env, '/log/frauds.csv')
  notes = new Writer(env, '/log/notes.jsonl')
  app = embed(perAccount, { clock: () => env.clock.now() })
  events = []
  commits = []
  open()
})

afterEach(async () => {
  await feed.close()
  app.close()
})

/** Settles all file work of the next `milliseconds`. */
const run = (milliseconds: number): Promise<void> => env.run(milliseconds * 1000)

const errors = (): string[] =>
  [app.outputs.accounts, app.outputs.frauds, app.outputs.notes].flatMap((output) =>
    output.errors
      .rows()
      .map((row) => `${row.origin} ${row.source} ${row.position}: ${row.message} [${row.row}]`)
      .sort(),
  )

test('commands and changes, in order, with times of the app', async () => {
  await accounts.append(
    '{"accountId":1,"ownerId":7}\n{"accountId":2,"ownerId":7}\n{"accountId":1,"ownerId":8}\n{"op":"delete","accountId":2}\n',
  )
  await frauds.append('op,at,accountId\n,2026-01-02T00:00:00Z,1\n,2026-01-01T00:00:00Z,1\nremove,2026-01-02T00:00:00Z,1\n')
  await accounts.append('{"op":"delete","accountId":3}\n{"accountId":3,"ownerId":9}\n')
  const done = feed.run()
  await run(200)
  expect(app.outputs.accounts.rows()).toEqual([
    { accountId: 1, ownerId: 8 },
    { accountId: 3, ownerId: 9 },
  ])
  expect(app.outputs.frauds.get({ accountId: 1 })).toEqual({ accountId: 1, n: 1n })
  expect(commits).toEqual([{ time: app.time, rows: 9 }])
  // What comes later is seen within a poll.
  await accounts.append('{"accountId":1,"ownerId":5}\n')
  await run(50)
  expect(app.outputs.accounts.get({ accountId: 1 })).toEqual({ accountId: 1, ownerId: 5 })
  await feed.close()
  await done
})

test('a malformed line is an error with its file and line, and its neighbours are taken', async () => {
  await frauds.append('op,at,accountId\n,2026-01-02T00:00:00Z,1\n,yesterday,1\n,2026-01-02T00:00:00Z\n,2026-01-02T00:00:00Z,1\n')
  await notes.append('{"note":"\\ud800"}\n{"note":"fine"}\n{"op":"remove","note":"fine"}\n')
  await notes.append(new Uint8Array([0xff, 10]))
  await feed.drain()
  expect(app.outputs.frauds.get({ accountId: 1 })?.n).toBe(2n)
  expect(app.outputs.notes.rows()).toEqual([{ note: 'fine' }])
  const found = errors()
  expect(found).toHaveLength(5)
  expect(found[0]).toMatch(/^frauds \/log\/frauds.csv line 3: column "at": .*yesterday.* \[,yesterday,1\]$/)
  expect(found[1]).toMatch(/^frauds \/log\/frauds.csv line 4: the line has 2 fields, the header 3 /)
  expect(found.filter((one) => one.startsWith('notes /log/notes.jsonl line 1:'))).toHaveLength(1)
  expect(found.filter((one) => one.startsWith('notes /log/notes.jsonl line 3: the input is a stream'))).toHaveLength(1)
  expect(found.filter((one) => one.startsWith('notes /log/notes.jsonl line 4: the line is not valid UTF-8'))).toHaveLength(1)
  expect(feed.sources.frauds).toMatchObject({ rows: 2, rejected: 2 })
  expect(feed.sources.notes).toMatchObject({ rows: 1, rejected: 3 })
})

test('a row that the input refuses is rejected alone', async () => {
  const rows: object[] = []
  const rejected: unknown[] = []
  const { RowWriter } = await import('../../../connectors/file/row-writer.ts')
  const { MillraceError } = await import('../../../runtime/error.ts')
  const writer = new RowWriter(
    {
      insertMany: (some) => {
        if (some.some((row) => (row as { n: number }).n === 2)) throw new MillraceError('BAD_ROW', 'no 2')
        rows.push(...some)
      },
      reject: (row) => rejected.push(row),
    },
    ({ line }) => `line ${line}`,
  )
  const decoded = [1, 2, 3].map((n) => {
    const position = { file: 'f', generation: 0, line: n, offset: 0 }
    return { row: { n }, operation: 'insert' as const, position }
  })
  const resume = { identity: '', generation: 0, offset: 0, line: 4, tailBytes: 0, tailHash: 0 }
  expect(writer.write({ rows: decoded, bad: [], resume })).toEqual({ rows: 2, rejected: 1 })
  expect(rows).toEqual([{ n: 1 }, { n: 3 }])
  expect(rejected).toEqual([{ source: 'f', position: 'line 2', excerpt: '{"n":2}', message: 'no 2' }])
})

test('rotated and truncated files go on; rows stay, and the event says so', async () => {
  const done = feed.run()
  await notes.append('{"note":"a"}\n')
  await run(200)
  await notes.append('{"note":"b"}\n')
  await notes.rotate(true)
  await notes.append('{"note":"c"}\n')
  await run(200)
  expect(app.outputs.notes.rows().map((row) => row.note)).toEqual(['a', 'b', 'c'])
  await notes.truncate()
  await run(200)
  await notes.append('{"note":"d"}\n?\n')
  await run(200)
  expect(app.outputs.notes.rows().map((row) => row.note)).toEqual(['a', 'b', 'c', 'd'])
  const told = events.filter((event) => event.path === '/log/notes.jsonl').map((event) => event.kind)
  expect(told.filter((kind) => kind === 'rotated' || kind === 'truncated')).toEqual(['rotated', 'truncated'])
  expect(events.find((event) => event.kind === 'truncated')?.message).toContain('Rows taken before stay')
  expect(errors()[0]).toMatch(/^notes \/log\/notes.jsonl line 2 of content 3: /)
  await feed.close()
  await done
})

test('what a finished file has behind its last line feed is read; a record left open is an error', async () => {
  await accounts.append('{"accountId":1,"ownerId":7}')
  await frauds.append('at,accountId\n2026-01-02T00:00:00Z,1')
  await notes.append('{"note":"x"')
  const time = await feed.drain()
  expect(time).toBe(app.time)
  expect(app.outputs.accounts.get({ accountId: 1 })?.ownerId).toBe(7)
  expect(app.outputs.frauds.get({ accountId: 1 })?.n).toBe(1n)
  expect(errors()).toHaveLength(1)
  expect(errors()[0]).toContain('notes /log/notes.jsonl line 1:')
  // Whoever looks again finds nothing new, and the position is behind what was taken.
  await feed.drain()
  expect(feed.sources.accounts).toMatchObject({ rows: 1, rejected: 0, position: { offset: 27, line: 2 } })
  expect(feed.sources.frauds?.rows).toBe(1)
  expect(errors()).toHaveLength(1)
})

test('a CSV record that is open at the end of the file is an error', async () => {
  const quotes = job('quotes', { quotes: stream({ quote: text }) }, ({ quotes }) => ({ quotes }))
  using other = embed(quotes, { clock: () => env.clock.now() })
  const file = new Writer(env, '/log/quotes.csv')
  await file.append('quote\n"one\ntwo"\n"three\nfour\n')
  await using quoted = followFiles(quotes, other, { quotes: '/log/quotes.csv' }, { environment: env })
  await quoted.drain()
  expect(other.outputs.quotes.rows()).toEqual([{ quote: 'four' }, { quote: 'one\ntwo' }])
  expect(other.outputs.quotes.errors.rows().map((row) => row.position)).toEqual(['line 4'])
})

test('while behind it commits by rows, and holds no more than a poll', async () => {
  await feed.close()
  open({ commitRows: 10, commitMilliseconds: 1_000_000 })
  for (let i = 0; i < 100; i++) await notes.append(`{"note":"${i % 10}"}\n`)
  const done = feed.run()
  await run(10)
  // 64 bytes a poll are 4 or 5 lines: a commit has at most that many rows beyond its bound.
  expect(commits.length).toBeGreaterThanOrEqual(7)
  for (const { rows } of commits) expect(rows).toBeLessThan(10 + 5)
  expect(commits.reduce((sum, one) => sum + one.rows, 0)).toBe(100)
  expect(app.outputs.notes.rows()).toHaveLength(100)
  await feed.close()
  await done
})

test('a restart goes on at the position of the last commit', async () => {
  await notes.append('{"note":"a"}\n{"note":"b"}\n')
  await feed.drain()
  const from = feed.sources.notes?.position
  await feed.close()
  await notes.append('{"note":"c"}\n')
  await notes.rotate(true)
  await notes.append('{"note":"d"}\n')
  if (from === null || from === undefined) throw new Error('no position')
  using later = embed(perAccount, { clock: () => env.clock.now() })
  await using resumed = followFiles(perAccount, later, { notes: { path: '/log/notes.jsonl', from } }, { environment: env })
  await resumed.drain()
  expect(later.outputs.notes.rows().map((row) => row.note)).toEqual(['c', 'd'])
})

test('mistakes are said at once', () => {
  expect(() => followFiles(perAccount, app, { notes: '/log/notes.txt' }, { environment: env })).toThrow(/does not say its format/)
  const wrong = { nosuch: '/log/x.jsonl' } as object
  expect(() => followFiles(perAccount, app, wrong, { environment: env })).toThrow(/There is no input "nosuch" \(accounts, frauds, notes\)/)
})

test('a commit that fails ends the run and is told', async () => {
  await feed.close()
  open({
    commit: () => {
      throw new Error('disk full')
    },
  })
  await notes.append('{"note":"a"}\n')
  const done = feed.run()
  const told = done.catch((error: Error) => error.message)
  await run(100)
  expect(await told).toBe('disk full')
})
