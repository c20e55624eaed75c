/** The feature store as its user runs it: a process, its files, its answers, its end. */
import { appendFileSync, existsSync, readdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BuiltExample, getJson, isAlive, type Main, type ServerEvent, serverEvents, until } from './run-main.ts'

const example = new BuiltExample()
const started: Main[] = []
beforeAll(() => example.build())
afterAll(() => {
  for (const main of started) main.child.kill('SIGKILL')
  example.remove()
})

function run(...args: string[]): Main {
  const main = example.run(...args)
  started.push(main)
  return main
}

const DAY = 86_400_000
const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()

async function frauds(url: string, accountId: number): Promise<unknown> {
  return (await getJson(`${url}/accounts/${accountId}`)).body['frauds']
}

test('generates, follows, answers, tells changes, and leaves nothing behind', async () => {
  const main = run('--port', '0', '--rate', '2000')
  const url = await main.url()
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const events: ServerEvent[] = []
  const listening = (async () => {
    for await (const event of serverEvents(`${url}/changes`)) events.push(event)
  })()
  await until(async () => ((((await getJson(`${url}/health`)).body['rows'] as number) ?? 0) > 3000 ? true : undefined))

  const account = await getJson(`${url}/accounts/17`)
  expect(account.status).toBe(200)
  expect(account.body).toEqual({ accountId: 17, ownerId: expect.any(Number), frauds: expect.any(Number), time: expect.any(Number) })
  expect(await getJson(`${url}/accounts/123456`)).toMatchObject({
    status: 404,
    body: { error: expect.stringContaining('no account 123456') },
  })
  expect(await getJson(`${url}/accounts/seven`)).toMatchObject({ status: 400, body: { error: expect.stringContaining('"seven"') } })
  expect(await getJson(`${url}/accounts/3000000000`)).toMatchObject({ status: 400 })
  expect(await getJson(`${url}/accounts/1/2`)).toMatchObject({ status: 404 })
  expect((await fetch(`${url}/accounts/1`, { method: 'DELETE' })).status).toBe(405)
  const soon = Math.round((Date.now() + 300) * 1000)
  const later = await getJson(`${url}/accounts/17?atLeast=${soon}`)
  expect(later.body['time']).toBeGreaterThanOrEqual(soon)
  expect(await getJson(`${url}/accounts/17?atLeast=${soon + 3_600_000_000}`)).toMatchObject({ status: 400 })
  const errors = await getJson(`${url}/errors?limit=5`)
  expect(errors.body['total']).toBeGreaterThan(5)
  expect(errors.body['errors']).toHaveLength(5)
  expect((errors.body['errors'] as unknown[])[0]).toMatchObject({
    file: expect.stringMatching(/frauds\.jsonl$/),
    line: expect.any(Number),
    message: expect.any(String),
  })
  const page = await getJson(`${url}/accounts?from=990&limit=3`)
  expect((page.body['accounts'] as { accountId: number }[]).map((one) => one.accountId)[0]).toBeGreaterThanOrEqual(990)
  expect(await (await fetch(url)).text()).toContain('GET /changes')

  const [generator] = main.children()
  expect(isAlive(generator)).toBe(true)
  const asked = Date.now()
  main.child.kill('SIGTERM')
  expect(await main.ended).toBe(0)
  expect(Date.now() - asked).toBeLessThan(1000)
  expect(isAlive(generator)).toBe(false)
  await listening
  expect(readdirSync(example.temporary)).toEqual([])

  // Times of events rise; a change's before is the after of the account's change before it.
  expect(events[0].name).toBe('start')
  expect(events.at(-1)).toMatchObject({ name: 'end' })
  const changes = events.filter((event) => event.name === 'message')
  expect(changes.length).toBeGreaterThan(10)
  let last = 0
  const known = new Map<number, unknown>()
  for (const { id, data } of changes) {
    expect(Number(id)).toBeGreaterThan(last)
    last = Number(id)
    expect(data['time']).toBe(last)
    for (const change of data['accounts'] as { accountId: number; before: unknown; after: unknown }[]) {
      if (known.has(change.accountId)) expect(change.before).toEqual(known.get(change.accountId))
      known.set(change.accountId, change.after)
    }
  }
  expect(main.out).toMatch(/[\d,]+ rows {2}[\d,]+\/s {2}\d+ bad {2}lag \d+ ms/)
})

test('follows given files through rotation and truncation; a fraud expires without new input', async () => {
  const directory = example.directory()
  const accounts = join(directory, 'accounts.jsonl')
  const log = join(directory, 'frauds.csv')
  writeFileSync(accounts, '{"accountId":1,"ownerId":7}\n{"accountId":2,"ownerId":7}\n')
  writeFileSync(log, 'op,accountId,at\n')
  const main = run('--accounts', accounts, '--frauds', log, '--port', '0', '--quiet')
  const url = await main.url()
  const now = Date.now()
  appendFileSync(log, `,1,${iso(now - DAY)}\n,2,${iso(now - 30 * DAY + 2500)}\n,1,${iso(now - 31 * DAY)}\n`)
  await until(async () => ((await frauds(url, 2)) === 2 ? true : undefined))

  renameSync(log, `${log}.1`)
  appendFileSync(`${log}.1`, `,1,${iso(now - 2 * DAY)}\n`)
  writeFileSync(log, `op,accountId,at\n,2,${iso(now - 3 * DAY)}\nnonsense\n`)
  await until(async () => ((await frauds(url, 1)) === 4 ? true : undefined))
  await until(() => (main.err.includes('was rotated away') ? true : undefined))

  truncateSync(log)
  await until(() => (main.err.includes('was truncated') ? true : undefined))
  expect(main.err).toContain('Rows taken before stay')
  writeFileSync(log, `op,accountId,at\nremove,1,${iso(now - 2 * DAY)}\n,1,${iso(now - 4 * DAY)}\n,2,${iso(now - 5 * DAY)}\n`)
  // 1 - 2 - 2 days ago - + 4 and 5 days ago; the one that was about to expire is gone by itself, sooner or later.
  const remaining = await until(async () => {
    const count = await frauds(url, 1)
    return count === 4 && Date.now() > now + 2500 ? count : undefined
  })
  expect(remaining).toBe(4)
  const { body } = await getJson(`${url}/errors`)
  expect(body).toMatchObject({ total: 1, errors: [{ file: log, line: 3, input: 'frauds' }] })
  main.child.kill('SIGINT')
  expect(await main.ended).toBe(0)
  // Quiet: the address, and nothing else.
  expect(main.out.trim().split('\n')).toHaveLength(1)
})

test('--once reads the files to their end and prints the table as of a time', async () => {
  const directory = example.directory()
  writeFileSync(join(directory, 'accounts.csv'), 'ownerId,accountId\n7,1\n8,2')
  writeFileSync(
    join(directory, 'frauds.jsonl'),
    '{"accountId":1,"at":"2026-01-01T00:00:00Z"}\n{"accountId":2}\n{"accountId":2,"at":"2026-01-15T00:00:00Z"}',
  )
  const at = async (time: string): Promise<string[]> => {
    const main = run('--dir', directory, '--once', '--at', time)
    expect(await main.ended).toBe(0)
    expect(main.err).toContain(`${join(directory, 'frauds.jsonl')} line 2: column "at" is missing`)
    expect(main.out).toContain('4 rows, 1 bad lines')
    return main.out
      .split('\n')
      .slice(1, 3)
      .map((line) => line.replace(/█/g, '').trim().replace(/\s+/g, ' '))
  }
  expect(await at('2026-01-30T23:59:59.999Z')).toEqual(['1 7 1', '2 8 1'])
  expect(await at('2026-01-31T00:00:00Z')).toEqual(['2 8 1', '1 7 0'])
})

test('mistakes are said, with an exit code', async () => {
  const directory = example.directory()
  const file = join(directory, 'accounts.jsonl')
  writeFileSync(file, '')
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as { port: number }
  const cases: [string[], number, RegExp][] = [
    [['--prot', '1'], 2, /Unknown option '--prot'/],
    [['--dir', directory, '--port', '0'], 2, /has accounts\.jsonl already/],
    [['--dir', join(file, 'below'), '--port', '0'], 2, /cannot be made/],
    [['--port', String(port)], 1, /cannot listen on 127\.0\.0\.1:\d+.*EADDRINUSE/],
  ]
  for (const [args, code, message] of cases) {
    const main = run(...args)
    expect([args, await main.ended, main.err]).toEqual([args, code, expect.stringMatching(message)])
    expect(main.out).toBe('')
  }
  taken.close()
  const help = run('--help')
  expect(await help.ended).toBe(0)
  expect(help.out).toContain('--frauds FILE')
})

test('the generator stops when the store is killed', async () => {
  const directory = join(example.directory(), 'made', 'here')
  const main = run('--port', '0', '--dir', directory)
  await main.url()
  const [generator] = main.children()
  main.child.kill('SIGKILL')
  expect(await main.ended).toBe('SIGKILL')
  await until(() => (isAlive(generator) ? undefined : true))
  expect(existsSync(join(directory, 'accounts.jsonl'))).toBe(true)
  // The next run wants to be told that the old logs may go.
  const again = run('--port', '0', '--dir', directory, '--overwrite', '--duration', '0.5')
  expect(await again.ended).toBe(0)
})

test('the store goes on when the generator is gone, and says so', async () => {
  const main = run('--port', '0')
  const url = await main.url()
  // Killed before it has written an account, it would leave nothing to ask for.
  await until(async () => ((await getJson(`${url}/accounts/1`)).status === 200 ? true : undefined))
  const [generator] = main.children()
  process.kill(generator, 'SIGKILL')
  await until(() => (main.err.includes('the generator stopped (SIGKILL)') ? true : undefined))
  expect((await getJson(`${url}/accounts/1`)).status).toBe(200)
  main.child.kill('SIGTERM')
  expect(await main.ended).toBe(0)
})
