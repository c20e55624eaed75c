import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLog } from '../../cli/open-log.ts'
import { runCommandLine } from '../../cli/program.ts'
import { Coordinator } from '../../coordinator/coordinator.ts'
import { MemoryFacts, MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import type { ClusterStatus, JobStatus } from '../../coordinator/status.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { millrace, testContext } from './test-context.ts'
import { jobText, workspace } from './workspace.ts'

const TOKEN = 'a-token-that-is-long-enough'
const CONFIG = `import { defineConfig, generated } from 'millrace/config'
export default defineConfig({ group: 'shops', sources: { orders: generated({ rows: (_, id) => ({ id, city: id % 7 }) }) } })
`
const files = { 'job.ts': jobText('orders'), 'millrace.config.ts': CONFIG, token: `${TOKEN}\n` }
const folder = workspace(files)
const environment = nodeEnvironment()
const facts = new MemoryFacts(environment.clock)
const open = (): Coordinator => new Coordinator(environment, new MemoryStore(facts), { cluster: 'millrace', token: TOKEN, port: 0 })
const leader = open()
const standby = open()
let access: string[] = []

beforeAll(async () => {
  await leader.start()
  await standby.start()
  access = ['--to', leader.url, '--token-file', folder.path('token')]
})

afterAll(async () => {
  await leader.stop()
  await standby.stop()
  folder[Symbol.dispose]()
})

describe('deploy, jobs, status, drop', () => {
  it('in turn, for people', async () => {
    const deployed = await millrace(['deploy', folder.path('job.ts'), '--no-wait', ...access])
    expect(deployed).toMatchObject({ code: 0, err: '' })
    expect(deployed.out).toMatch(/^orders is deployed: group shops, digest [0-9a-f]{12}\n$/)
    const again = await millrace(['deploy', folder.path('job.ts'), '--no-wait', ...access])
    expect(again.out).toMatch(/^orders is deployed already: group shops/)
    const jobs = await millrace(['jobs', ...access])
    expect(jobs.out).toMatch(/^JOB +GROUP +STATE .*\norders +shops +waiting .*\n {2}orders: waits for processes of its group\n$/)
    const status = await millrace(['status', ...access])
    expect(status.out).toContain(`cluster millrace: ${leader.url} leads since `)
    expect(status.out).toContain('group shops: empty\n')
    expect(status.out).toMatch(/What happened\n(?:.*\n)*.*job orders deployed/)
    expect((await millrace(['status', '--events', '0', ...access])).out).not.toContain('What happened')
    expect(await millrace(['drop', 'orders', ...access])).toEqual({ code: 0, out: 'orders is dropped\n', err: '' })
    expect((await millrace(['jobs', ...access])).out).toBe('No job is deployed: millrace deploy JOB\n')
  })

  it('for programs', async () => {
    const more = ['--name', 'mine', '--group', 'others', '--no-wait', '--json']
    const deployed = await millrace(['deploy', folder.path('job.ts'), ...more, ...access])
    const { outcome, job } = JSON.parse(deployed.out) as { outcome: string; job: JobStatus }
    expect([outcome, job.name, job.group, job.state]).toEqual(['deployed', 'mine', 'others', 'waiting'])
    const status = JSON.parse((await millrace(['status', '--json', ...access])).out) as ClusterStatus
    expect(status.jobs.map(({ name }) => name)).toEqual(['mine'])
    const { jobs } = JSON.parse((await millrace(['jobs', '--json', ...access])).out) as { jobs: JobStatus[] }
    expect(jobs[0].digest).toBe(job.digest)
    expect(JSON.parse((await millrace(['drop', 'mine', '--json', ...access])).out)).toMatchObject({
      job: { name: 'mine', state: 'dropped' },
    })
  })

  it('with flags before variables, those before the file, and that before the defaults', async () => {
    const group = async (parameters: string[], variables: Record<string, string>): Promise<string> => {
      const { out, err } = await millrace(['deploy', folder.path('job.ts'), '--no-wait', '--json', ...parameters, ...access], variables)
      expect(err).toBe('')
      return (JSON.parse(out) as { job: JobStatus }).job.group
    }
    expect(await group(['--group', 'flag', '--name', 'one'], { MILLRACE_GROUP: 'variable' })).toBe('flag')
    expect(await group([], { MILLRACE_GROUP: 'variable', MILLRACE_JOB_NAME: 'two' })).toBe('variable')
    expect(await group(['--name', 'three'], {})).toBe('shops')
    using plain = workspace({ ...files, 'millrace.config.ts': CONFIG.replace("group: 'shops', ", '') })
    const bare = await millrace(['deploy', plain.path('job.ts'), '--name', 'four', '--no-wait', '--json', ...access])
    expect((JSON.parse(bare.out) as { job: JobStatus }).job.group).toBe('default')
    for (const name of ['one', 'two', 'three', 'four']) await millrace(['drop', name, ...access])
  })

  it('gives up waiting after a while, and says so', async () => {
    const { code, out } = await millrace(['deploy', folder.path('job.ts'), '--wait-seconds', '1', ...access])
    expect(code).toBe(0)
    expect(out).toContain('  waiting: waits for processes of its group\n  not running after 1 s; millrace status tells more\n')
    await millrace(['drop', 'orders', ...access])
  })

  it('asks on where the leader is', async () => {
    const jobs = await millrace(['jobs', '--to', standby.url, '--token-file', folder.path('token')])
    expect(jobs).toMatchObject({ code: 0, out: 'No job is deployed: millrace deploy JOB\n' })
    const both = await millrace(['jobs', '--to', `http://127.0.0.1:1,${standby.url}`], { MILLRACE_TOKEN: TOKEN })
    expect(both.code).toBe(0)
  })

  it('top, until a signal', async () => {
    const context = testContext()
    const running = runCommandLine(['top', '--json', '--interval', '1', ...access], context)
    while (context.written.out.split('\n').length < 3) await new Promise((resolve) => setTimeout(resolve, 20))
    context.signal('SIGINT')
    expect(await running).toBe(0)
    for (const line of context.written.out.trim().split('\n')) expect((JSON.parse(line) as ClusterStatus).cluster).toBe('millrace')
  })
})

describe('what is refused', () => {
  it('a wrong token, or none', async () => {
    const none = await millrace(['status', '--to', leader.url])
    expect(none.code).toBe(4)
    expect(none.err).toBe(
      `${leader.url} does not let us in: the token is missing or wrong\n  Give the token of the cluster: --token-file or MILLRACE_TOKEN.\n`,
    )
    const wrong = await millrace(['status', '--to', leader.url, '--json'], { MILLRACE_TOKEN: 'another-token-that-is-long' })
    expect(wrong.code).toBe(4)
    expect(JSON.parse(wrong.err)).toMatchObject({ error: { code: 'REFUSED' } })
  })

  it('names that there are not', async () => {
    expect(await millrace(['drop', 'nothing', ...access])).toMatchObject({
      code: 4,
      err: expect.stringContaining('there is no job "nothing"'),
    })
    const drained = await millrace(['drain', 'worker/9', ...access])
    expect(drained).toMatchObject({ code: 4, err: 'there is no process "worker/9"\n  None has joined.\n' })
  })

  it('a bundle whose job cannot be', async () => {
    using other = workspace({ 'job.ts': 'export default 3', token: TOKEN })
    expect(await millrace(['deploy', other.path('job.ts'), ...access])).toMatchObject({ code: 1, err: expect.stringContaining('number 3') })
    other.write({ 'job.ts': jobText('orders') })
    const empty = await millrace(['deploy', other.path('job.ts'), ...access])
    expect(empty).toMatchObject({
      code: 2,
      err: expect.stringContaining('There is no source for orders: there is no millrace.config.ts beside'),
    })
  })
})

describe('who does not answer', () => {
  it('nobody is there', async () => {
    const { code, err } = await millrace(['status', '--to', 'http://127.0.0.1:1'])
    expect(code).toBe(3)
    expect(err).toMatch(/^No coordinator answers:\n {2}http:\/\/127\.0\.0\.1:1 cannot be reached: .*\n {2}Check the address/)
  })

  it('somebody is there who never says anything, or something else', async () => {
    const sockets: { destroy(): void }[] = []
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    const chatty = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => undefined)
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello')
    }).listen(0, '127.0.0.1')
    await Promise.all([once(silent, 'listening'), once(chatty, 'listening')])
    const url = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const quiet = await millrace(['status', '--to', url(silent), '--timeout', '1'])
      expect(quiet).toMatchObject({ code: 3, err: expect.stringContaining('gave no answer within 1 s') })
      const other = await millrace(['status', '--to', url(chatty)])
      expect(other).toMatchObject({ code: 3, err: expect.stringContaining('is no coordinator of Millrace: hello') })
    } finally {
      for (const socket of sockets) socket.destroy()
      silent.close()
      chatty.close()
    }
  })
})

describe('options', () => {
  it('of the wrong form', async () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['statuss'], /unknown command 'statuss'\n\(Did you mean status\?\)/],
      [['status', '--evnts', '3'], /unknown option '--evnts'\n\(Did you mean --events\?\)/],
      [['deploy'], /missing required argument 'job'/],
      [['status', '--events', '-1'], /It takes a whole number, 0 to 1000/],
      [['status', '--to', 'ftp://a'], /is not http or https/],
      [['worker', '--workers', '0'], /--workers <n>' argument '0' is invalid. It takes a whole number, 1 to 256/],
      [['worker', '--name', 'a b'], /It takes letters, digits/],
      [['worker', '--listen', 'here'], /is no address/],
      [['coordinator', '--store', 'disk:/x'], /There is no store "disk"/],
      [['coordinator', '--store', 'postgres://u:secret@h/d'], /A password on the command line/],
      [['coordinator', '--listen', '0.0.0.0:0'], /without a token: whoever reaches it could run code there/],
      [['worker', '--listen', '10.1.2.3:1'], /without a token/],
      [['status', '--token-file', '/none'], /--token-file: \/none cannot be read: ENOENT/],
      [['status', '--tls-cert', folder.path('token')], /--tls-key is missing/],
      [['status', '--tls-ca', folder.path('token')], /is no PEM file/],
      [['worker', '--token', 'x'], /unknown option '--token'/],
      [[], /Usage: millrace/],
    ]
    for (const [parameters, message] of cases) {
      const { code, out, err } = await millrace(parameters)
      expect(err, parameters.join(' ')).toMatch(message)
      expect([code, out], parameters.join(' ')).toEqual([2, ''])
      expect(err).not.toContain('secret')
    }
  })

  it('as variables', async () => {
    const { code, err } = await millrace(['worker'], { MILLRACE_WORKERS: 'many' })
    expect(code).toBe(2)
    expect(err).toContain("option '--workers <n>' value 'many' from env 'MILLRACE_WORKERS' is invalid")
  })

  it('each command has help, with an example', async () => {
    const { out, code } = await millrace(['--help'])
    expect(code).toBe(0)
    const commands = [...out.matchAll(/^ {2}([a-z]+) (?=.*)/gm)].map(([, name]) => name).filter((name) => name !== 'help')
    expect(commands).toEqual(['run', 'coordinator', 'worker', 'deploy', 'jobs', 'drop', 'drain', 'status', 'top', 'bundle', 'token'])
    for (const name of commands) expect((await millrace([name, '--help'])).out, name).toMatch(/\nExample:\n {2}millrace /)
  })
})

describe('the token', () => {
  it('is made, for a file that only its owner reads', async () => {
    const printed = await millrace(['token'])
    expect(printed.out).toMatch(/^[A-Za-z0-9_-]{43}\n$/)
    expect((await millrace(['token'])).out).not.toBe(printed.out)
    const path = folder.path('made')
    const made = await millrace(['token', '--out', path])
    expect([made.code, made.out]).toEqual([0, ''])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(made.err).not.toContain(readFileSync(path, 'utf8').trim())
    expect(await millrace(['token', '--out', path])).toMatchObject({ code: 2, err: expect.stringContaining('is there already') })
  })

  it('leaves the variables once it is read, and is in no log', async () => {
    const context = testContext({ MILLRACE_TOKEN: TOKEN, HOME: '/' })
    expect(await runCommandLine(['status', '--to', leader.url], context)).toBe(0)
    expect(context.variables).toEqual({ HOME: '/' })
    openLog({ logLevel: 'debug' }, { token: TOKEN, tls: undefined }, context).info('hello', {
      reason: `it said ${TOKEN}`,
      token: TOKEN,
      peer: 'a',
    })
    expect(context.written.err).toContain('"peer":"a"')
    expect(context.written.err).not.toContain(TOKEN)
  })

  it('has no other characters, and enough of them', async () => {
    expect(await millrace(['status'], { MILLRACE_TOKEN: 'short' })).toMatchObject({
      code: 2,
      err: expect.stringContaining('fewer than 16'),
    })
    const spaces = await millrace(['status'], { MILLRACE_TOKEN: 'with spaces, and much too long' })
    expect(spaces).toMatchObject({ code: 2, err: expect.stringContaining('other than printable ASCII') })
    expect(spaces.err).not.toContain('much too long')
  })
})
