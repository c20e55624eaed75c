/** What people get wrong, and what strangers send: clear errors, exit codes, and a cluster that does not mind. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import { freePort, Stage, toldAfter } from '../cluster/stage.ts'

const cli = new BuiltCli()
let stage: Stage
beforeAll(() => cli.build())
afterAll(() => cli.remove())
beforeEach(() => {
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterEach(() => stage.close())

const load = new Load({ rate: 2000 })
/** Within this every connection that says nothing sensible is closed, milliseconds. */
const CLOSED_MILLISECONDS = 16_000

/** Sends bytes and nothing more; resolves with what came back once the other side has closed, which with `ends` it may do at once. */
async function send(url: string, bytes: string | Uint8Array, ends = false): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.on('data', (data) => {
    answer += data.toString('latin1')
  })
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  if (ends) socket.end(bytes)
  else socket.write(bytes)
  await Promise.race([
    closed,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`still open: ${answer}`)), CLOSED_MILLISECONDS)),
  ])
  socket.destroy()
  return answer
}

const upgrade = (path: string, more = ''): string =>
  [
    `GET ${path} HTTP/1.1`,
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    `${more}\r\n\r\n`,
  ].join('\r\n')

/** By what it is. After the upgrade come frames of WebSocket. */
const GARBAGE: Readonly<Record<string, string | Uint8Array>> = {
  'random bytes': Uint8Array.from({ length: 4096 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24),
  zeros: new Uint8Array(70_000),
  'no HTTP': 'HELO mill\r\n\r\n',
  'half a request': 'GET /v1/jobs HTT',
  'a request with a header that is too long': `GET / HTTP/1.1\r\nX: ${'x'.repeat(1 << 20)}\r\n\r\n`,
  'a client that does not send its body, and goes': 'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"name"',
  'half a handshake': upgrade('/control').slice(0, 90),
  'a handshake at no path': upgrade('/nothing'),
  'a handshake and silence, as a process': upgrade('/control'),
  'a handshake and silence, as a peer': upgrade('/peer'),
  'half a frame': `${upgrade('/control')}\x82\xfe\x7f\xff`,
  'half a frame to a peer': `${upgrade('/peer')}\x82\xfe\x7f\xff`,
  'a frame that says it is huge': `${upgrade('/control')}\x82\xff\x00\x00\x7f\xff\xff\xff\xff\xff\x00\x00\x00\x00`,
  'a message that is none': `${upgrade('/control')}\x82\x84\x00\x00\x00\x00\xc1\xc1\xc1\xc1`,
  'a message that is none, to a peer': `${upgrade('/peer')}\x82\x84\x00\x00\x00\x00\xc1\xc1\xc1\xc1`,
}

test('garbage on both ports disturbs nobody', { timeout: 120_000 }, async () => {
  await stage.coordinator({ parameters: ['--minimum-processes', '2'] })
  const workers = await stage.workers(['one', 'two'])
  await stage.deploy(load)
  await stage.runsWith(['one', 'two'], load)
  const followers = workers.map(({ url }) => stage.follow(load, [url]))
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  const answers = await Promise.all(
    Object.entries(GARBAGE).flatMap(([what, bytes]) =>
      [stage.url, workers[0].url].map(async (url) => {
        const sent = typeof bytes === 'string' ? Uint8Array.from(bytes, (char) => char.charCodeAt(0)) : bytes
        return `${what}: ${await send(url, sent, what.endsWith('goes')).catch((error: Error) => error.message)}`
      }),
    ),
  )
  expect(answers.filter((answer) => answer.includes('still open'))).toEqual([])
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  expect(difference(followers)).toBeNull()
  expect(followers.map(({ connections, resets }) => [connections, resets])).toEqual([
    [1, 0],
    [1, 0],
  ])
  await stage.runsWith(['one', 'two'], load)
  expect((await stage.status()).events.filter(({ text }) => /does not reach|its connection broke|damaged/.test(text))).toEqual([])
})

describe('a process that cannot be', () => {
  test('with another token, in another cluster, of a name that is taken, on a port that is taken', { timeout: 120_000 }, async () => {
    const token = stage.files.path('token')
    expect((await stage.ended(['token', '--out', token])).code).toBe(0)
    const access = ['--token-file', token]
    const coordinator = await stage.coordinator({ parameters: access })
    const one = await stage.worker('one', { parameters: access })
    const worker = (parameters: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      stage.ended(['worker', '--join', stage.url, ...parameters], { env })

    const [wrong, none, stranger, coordinatorPort, workerPort, adminPort] = await Promise.all([
      worker([], { MILLRACE_TOKEN: 'not-the-token-of-this-cluster' }),
      worker([]),
      worker([...access, '--cluster', 'other', '--name', 'stranger']),
      stage.ended(['coordinator', '--listen', new URL(coordinator.url).host, '--store', 'memory']),
      worker([...access, '--listen', new URL(one.url).host]),
      worker([...access, '--admin', new URL(one.url).host]),
    ])
    for (const { code, err } of [wrong, none]) {
      expect(code).toBe(4)
      expect(err).toMatch(/the token is missing or not the one of this cluster/)
    }
    expect(stranger.code).toBe(4)
    expect(stranger.err).toMatch(/this is the cluster "millrace", and the process belongs to "other": join the right one/)
    for (const { code, err } of [coordinatorPort, workerPort, adminPort]) {
      expect(code).toBe(2)
      expect(err).toMatch(/EADDRINUSE|in use|taken/)
    }
    for (const parameters of [['status'], ['jobs'], ['drop', 'x'], ['drain', 'one']]) {
      const asked = await stage.ended([...parameters, '--to', stage.url], { env: { MILLRACE_TOKEN: 'not-the-token-of-this-cluster' } })
      expect([parameters[0], asked.code]).toEqual([parameters[0], 4])
      expect(asked.err).toMatch(/token/)
    }

    // Of two with one name the second one waits for the first to go, and says so.
    const twin = stage.run(['worker', '--join', stage.url, '--name', 'one', ...access])
    await twin.says(/a process named .{0,2}one.{0,2} is in the cluster already: stop it, or give this one another name/)
    expect(await one.process.terminate()).toBe(0)
    await twin.logs('joined the coordinator')
    expect(await twin.terminate()).toBe(0)
    expect(await coordinator.process.terminate()).toBe(0)
  })

  test('without a coordinator', { timeout: 120_000 }, async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`
    const worker = stage.run(['worker', '--join', nowhere, '--name', 'alone'])
    await worker.logs('no coordinator')
    expect(worker.err).toMatch(/ECONNREFUSED/)
    for (const parameters of [['status'], ['jobs'], ['drain', 'one']]) {
      const asked = await stage.ended([...parameters, '--to', nowhere])
      expect(asked.code).toBe(3)
      expect(asked.err).toMatch(/No coordinator answers:/)
    }
    // One that takes connections and says nothing.
    const asked = performance.now()
    expect(await worker.terminate()).toBe(0)
    expect(performance.now() - asked).toBeLessThan(3000)
  })
})

describe('two coordinators of one name', () => {
  test('with stores of their own are two clusters', { timeout: 120_000 }, async () => {
    const first = await stage.coordinator({ store: 'first' })
    const second = await stage.coordinator({ store: 'second' })
    stage.url = first.url
    const one = await stage.worker('one', { join: `${first.url},${second.url}` })
    await stage.deploy(load)
    await stage.runsWith(['one'], load)
    const follower = stage.follow(load, [one.url])
    await toldAfter(follower, Date.now())
    // It belongs to the first one; that there is a second one changes nothing.
    const strays = (await stage.status(second.url)).groups.flatMap(({ processes }) => processes)
    expect(strays).toEqual([])
    await toldAfter(follower, Date.now() + 500)
    expect([difference([follower]), follower.resets]).toEqual([null, 0])
  })

  test('with one store are one leader, and one that is refused', { timeout: 120_000 }, async () => {
    await stage.coordinator()
    const second = await stage.ended(['coordinator', '--listen', '127.0.0.1:0', '--store', `local:${stage.files.path('facts')}`])
    expect(second.code).toBe(4)
    expect(second.err).toMatch(/Another coordinator leads this cluster, at http:.*--standby/s)
    const other = await stage.ended([
      'coordinator',
      '--cluster',
      'other',
      '--listen',
      '127.0.0.1:0',
      '--store',
      `local:${stage.files.path('facts')}`,
    ])
    expect(other.code).not.toBe(0)
  })
})

describe('a job that cannot be', () => {
  const deploy = (files: Readonly<Record<string, string>>, parameters: readonly string[] = []) => {
    stage.files.write(files)
    return stage.ended(['deploy', stage.files.path('job.ts'), '--to', stage.url, '--wait-seconds', '15', ...parameters])
  }
  const good = load.files
  const job = (text: string) => ({ ...good, 'job.ts': text })

  test('does not compile, throws, is none, names what is not there', { timeout: 120_000 }, async () => {
    await stage.coordinator()
    const wrong: readonly (readonly [files: Readonly<Record<string, string>>, code: number, error: RegExp])[] = [
      [job(good['job.ts'].replace('sum(e.index)', 'sum(e.index')), 1, /^job\.ts cannot be bundled:\njob\.ts:\d+:\d+ {2}Expected "\)"/],
      [job(`import './nothing.ts'\n${good['job.ts']}`), 1, /job\.ts:1:8 {2}Could not resolve "\.\/nothing\.ts"/],
      [job(`throw new Error('not today')\n${good['job.ts']}`), 1, /job\.ts throws when it is loaded:\nError: not today/],
      [job('export default 7'), 1, /The default export of job\.ts is number 7, not a job/],
      [job(good['job.ts'].replace('e.index', 'e.indx')), 1, /There is no column "indx" in events .*\n.*Did you mean "index"/],
      [
        { ...good, 'millrace.config.ts': good['millrace.config.ts'].replace('events:', 'event:') },
        2,
        /sources\.event: job "load" has no input "event" \(events, places\)\. Did you mean "events"/,
      ],
    ]
    for (const [files, code, error] of wrong) {
      const told = await deploy(files)
      expect(told.err).toMatch(error)
      expect(told.code).toBe(code)
    }
    expect((await stage.status()).jobs).toEqual([])
  })

  test('fails where it runs: the next one is not harmed by it', { timeout: 120_000 }, async () => {
    await stage.coordinator()
    const one = await stage.worker('one')
    // It loads here, and not in a thread of a worker process.
    const late = `import { isMainThread } from 'node:worker_threads'\nif (!isMainThread) throw new Error('not in a thread')\n`
    const failing = await deploy(job(late + good['job.ts']))
    expect(failing.code).toBe(1)
    expect(failing.err).toMatch(/load failed: one: the job throws when it is loaded, at job\.ts:2:\nError: not in a thread/)
    const fine = await deploy(good)
    expect([fine.code, fine.err]).toEqual([0, ''])
    expect(fine.out).toMatch(/^load is replaced: .*\n(?: {2}.*\n)* {2}running\n$/)
    const follower = stage.follow(load, [one.url])
    await toldAfter(follower, Date.now())
    // The same again is nothing new, another one takes its place.
    const again = await deploy(good)
    expect([again.code, again.out]).toEqual([0, expect.stringMatching(/^load is deployed already: /)])
    const other = await deploy(job(`${good['job.ts']}\n// another one`))
    expect([other.code, other.out]).toEqual([0, expect.stringMatching(/^load is replaced: /)])
    expect((await stage.jobStatus(load)).digest.startsWith(/digest (\w+)/.exec(other.out)?.[1] as string)).toBe(true)
    await stage.runsWith(['one'], load)
    expect(follower.problem).toBeNull()
  })
})
