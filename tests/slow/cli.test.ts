/** The command line as its users run it: processes, their failures, their end. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterStatus } from '../../coordinator/status.ts'
import { NodeNetwork } from '../../runtime/env/node-network.ts'
import { BuiltCli, type CliProcess, isAlive, until } from '../cli/built-cli.ts'
import { jobText, type Workspace, workspace } from '../cli/workspace.ts'
import { issue, newAuthority } from '../network/certificates.ts'

const cli = new BuiltCli()
const folders: Workspace[] = []
beforeAll(() => cli.build())
afterAll(() => {
  cli.remove()
  for (const folder of folders) folder[Symbol.dispose]()
})

const CITIES = 7
const PARTITIONS = 4

/** A job that counts generated orders by city; so many of each partition, at a rate. */
function shop(total: number, rate: number, more = ''): Workspace {
  const rows = `(partition, i) => ({ id: i * ${PARTITIONS} + partition, city: (i + partition) % ${CITIES} })`
  const folder = workspace({
    'job.ts': jobText('orders', more),
    'millrace.config.ts': `import { defineConfig, generated } from 'millrace/config'
export default defineConfig({ sources: { orders: generated({ partitions: ${PARTITIONS}, total: ${total}, rate: ${rate}, rows: ${rows} }) } })
`,
  })
  folders.push(folder)
  return folder
}

/** What the job must come to. */
function expected(total: number): Record<string, string> {
  const counts: Record<string, string> = {}
  for (let partition = 0; partition < PARTITIONS; partition++)
    for (let i = 0; i < total; i++) {
      const city = String((i + partition) % CITIES)
      counts[city] = String(Number(counts[city] ?? 0) + 1)
    }
  return counts
}

async function json(url: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const response = await fetch(url, { headers })
  return await response.json()
}

async function counts(url: string): Promise<Record<string, string>> {
  const { rows } = (await json(`${url}/v1/jobs/orders/outputs/byCity`)) as { rows?: { city: number; n: number | string }[] }
  return Object.fromEntries((rows ?? []).map(({ city, n }) => [String(city), String(n)]))
}

const status = async (url: string): Promise<ClusterStatus> => (await json(`${url}/v1/status`)) as ClusterStatus

/** Of `run`: its coordinator and the processes that listen. */
async function places(run: CliProcess, processes: number): Promise<{ readonly coordinator: string; readonly workers: string[] }> {
  const coordinator = await run.says(/coordinator {2}(http:\S+)/)
  const workers = Array.from({ length: processes }, (_, i) => run.says(new RegExp(`worker-${i + 1} +(http:\\S+) +curl`)))
  return { coordinator, workers: await Promise.all(workers) }
}

function pidOf(run: CliProcess, name: string): number {
  const found = run.children().find(({ command }) => command.includes(` --name ${name} `))
  if (found === undefined) throw new Error(`${name} is not there: ${JSON.stringify(run.children())}`)
  return found.pid
}

interface Counted {
  readonly row: { readonly city: number; readonly n: number | string }
  readonly diff: number
}

/** Sums of all changes that a follower is told. */
class Follower {
  readonly counts = new Map<string, bigint>()
  readonly times: number[] = []
  problem: string | null = null
  private readonly controller = new AbortController()

  constructor(url: string) {
    void this.read(url).catch((error: unknown) => {
      if (!this.controller.signal.aborted) this.problem = String(error)
    })
  }

  stop(): void {
    this.controller.abort()
  }

  private async read(url: string): Promise<void> {
    const response = await fetch(`${url}/v1/jobs/orders/outputs/byCity/changes?snapshot=true`, { signal: this.controller.signal })
    let text = ''
    const decoder = new TextDecoder()
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() as string
      for (const block of blocks) this.take(block)
    }
  }

  private take(block: string): void {
    const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]))
    const event = fields.get('event')
    const data = fields.get('data')
    if (event === 'end' || event === 'overflow' || event === 'reset') this.problem = block
    if (data === undefined) return
    const { time, changes, rows } = JSON.parse(data) as { readonly time?: number; readonly changes?: Counted[]; readonly rows?: Counted[] }
    if (time !== undefined && changes !== undefined) this.times.push(time)
    for (const { row, diff } of [...(rows ?? []), ...(changes ?? [])]) {
      const key = `${row.city}:${row.n}`
      const sum = (this.counts.get(key) ?? 0n) + BigInt(diff)
      if (sum === 0n) this.counts.delete(key)
      else this.counts.set(key, sum)
    }
  }
}

describe('millrace run', () => {
  test('on 3 processes of 2 threads, of which one is killed and one is stopped', { timeout: 90_000 }, async () => {
    const total = 30_000
    const folder = shop(total, 1500)
    const run = cli.start(['run', folder.path('job.ts'), '--processes', '3', '--workers', '2', '--listen', '0', '--http', '0'])
    const { coordinator, workers } = await places(run, 3)
    await run.says(/orders is running/)
    const follower = new Follower(workers[0])
    await until(async () => follower.times.length > 5 || undefined, 'changes')

    const killed = pidOf(run, 'worker-2')
    process.kill(killed, 'SIGKILL')
    await run.says(/worker-2 was killed \(SIGKILL\); it is started again in 250 ms/)
    await until(async () => {
      const { groups } = await status(coordinator)
      const names = groups[0].processes.filter(({ state }) => state === 'member').map(({ process }) => process)
      return (names.length === 3 && groups[0].state === 'running') || undefined
    }, 'three members again')

    const stopped = pidOf(run, 'worker-3')
    process.kill(stopped, 'SIGSTOP')
    await until(async () => {
      const { groups } = await status(coordinator)
      return (groups[0].processes.filter(({ state }) => state === 'member').length === 2 && groups[0].state === 'running') || undefined
    }, 'two members')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    process.kill(stopped, 'SIGCONT')

    await until(async () => JSON.stringify(await counts(workers[0])) === JSON.stringify(expected(total)) || undefined, 'all orders', 60_000)
    await until(async () => (await status(coordinator)).groups[0].processes.length === 3 || undefined, 'three processes')
    for (const url of workers)
      await until(async () => JSON.stringify(await counts(url)) === JSON.stringify(expected(total)) || undefined, url)

    // What a follower at a process that was there all the time was told: each time once, in order, and exactly this.
    await until(() => follower.counts.size === CITIES || undefined, 'the last change')
    expect(follower.problem).toBeNull()
    const wanted = Object.entries(expected(total)).map(([city, n]) => [`${city}:${n}`, 1n])
    expect([...follower.counts].sort()).toEqual(wanted.sort())
    expect(follower.times.every((time, i) => i === 0 || time > follower.times[i - 1])).toBe(true)
    follower.stop()

    // The status tells the story.
    const told = cli.start(['status', '--to', coordinator, '--events', '50'])
    expect(await told.ended).toBe(0)
    expect(told.out).toMatch(/process worker-2 lost: its connection broke/)
    expect(told.out).toMatch(/process worker-3 lost: no heartbeat for/)
    expect(told.out).toMatch(/generation \d+ of worker-1, worker-2, worker-3: .*worker-3 joined/)
    expect(told.out.match(/^worker-[123] +member/gm)).toHaveLength(3)

    const children = run.children().map(({ pid }) => pid)
    expect(children).toHaveLength(3)
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(0)
    expect(run.out).toMatch(/SIGINT: leaves, within 10 s; once more ends at once/)
    expect(children.filter(isAlive)).toEqual([])
  })

  test('leaves no children behind, however it ends', { timeout: 60_000 }, async () => {
    const folder = shop(1000, 100)
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const run = cli.start(['run', folder.path('job.ts'), '--processes', '2', '--listen', '0', '--http', '0'])
      await places(run, 2)
      const children = run.children().map(({ pid }) => pid)
      expect(children).toHaveLength(2)
      run.child.kill(signal)
      await run.ended
      await until(() => !children.some(isAlive) || undefined, `no children after ${signal}`, 3000)
    }
  })

  test('ends properly at Ctrl-C, which a terminal sends to all of its processes', { timeout: 60_000 }, async () => {
    const folder = shop(1000, 100)
    const env = { MILLRACE_TOKEN: 'a-token-that-is-long-enough', MILLRACE_ADMIN: '127.0.0.1:0' }
    const parameters = ['--processes', '2', '--listen', '0', '--http', '0', '--log-level', 'info']
    const run = cli.start(['run', folder.path('job.ts'), ...parameters], { env, ownGroup: true })
    await places(run, 2)
    await run.says(/orders is running/)
    const children = run.children()
    // What is secret is neither in the arguments nor in the environment of a child, and what is said for the first is not said for all.
    for (const { pid, command } of children) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
      expect(environment + command).not.toContain(env.MILLRACE_TOKEN)
      expect(environment).not.toContain('MILLRACE_ADMIN')
    }
    process.kill(-(run.child.pid as number), 'SIGINT')
    expect(await run.ended).toBe(0)
    expect(run.out).toMatch(/process worker-1 left/)
    expect(run.out).toMatch(/process worker-2 left/)
    // Each child was asked once, by its parent.
    expect(run.out.match(/worker-[12]: .*SIG\w+: leaves, within 10 s/g)).toHaveLength(2)
    expect(run.out).not.toMatch(/SIG\w+ again| lost: /)
    expect(children.filter(({ pid }) => isAlive(pid))).toEqual([])
  })

  test('in one process', { timeout: 30_000 }, async () => {
    const total = 2000
    const folder = shop(total, 5000)
    const run = cli.start(['run', folder.path('job.ts'), '--workers', '2', '--listen', '0', '--http', '0', '--tick', '5'])
    const { workers } = await places(run, 1)
    await until(async () => JSON.stringify(await counts(workers[0])) === JSON.stringify(expected(total)) || undefined, 'all orders')
    expect(run.children()).toEqual([])
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(0)
  })

  test('ends when its job fails', { timeout: 30_000 }, async () => {
    // It loads here, and not where it runs.
    const folder = shop(10, 10, `import { isMainThread } from 'node:worker_threads'\nif (!isMainThread) throw new Error('not in a thread')`)
    const run = cli.start(['run', folder.path('job.ts'), '--listen', '0', '--http', '0'])
    expect(await run.ended).toBe(1)
    expect(run.err).toMatch(/orders failed: .*not in a thread/s)
  })

  test('ends at once at a second signal', { timeout: 30_000 }, async () => {
    const folder = shop(1000, 100)
    const run = cli.start(['run', folder.path('job.ts'), '--processes', '2', '--listen', '0', '--http', '0', '--drain-seconds', '60'])
    await places(run, 2)
    const children = run.children().map(({ pid }) => pid)
    // One that does not listen any more must not keep it.
    process.kill(children[0], 'SIGSTOP')
    run.child.kill('SIGINT')
    await run.says(/SIGINT: leaves, within 60 s/)
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(130)
    await until(() => !children.some(isAlive) || undefined, 'no children', 3000)
  })
})

describe('a cluster of processes', () => {
  test('with a token: deploy, drain, drop, stop', { timeout: 60_000 }, async () => {
    const total = 3000
    const folder = shop(total, 1000)
    const token = folder.path('token')
    expect(await cli.start(['token', '--out', token]).ended).toBe(0)
    const secret = readFileSync(token, 'utf8').trim()
    const coordinator = cli.start([
      'coordinator',
      '--listen',
      '127.0.0.1:0',
      '--store',
      `local:${folder.path('facts')}`,
      '--token-file',
      token,
    ])
    const url = String((await coordinator.logs('the coordinator listens'))['url'])
    const access = ['--token-file', token]
    const worker = (name: string): CliProcess =>
      cli.start(['worker', '--join', url, '--workers', '2', '--name', name], { env: { MILLRACE_TOKEN: secret } })
    const workers = [worker('one'), worker('two')]
    const reading = String((await workers[0].logs('a worker process listens'))['url'])
    await workers[1].logs('a worker process listens')
    const headers = { authorization: `Bearer ${secret}` }

    const deployed = cli.start(['deploy', folder.path('job.ts'), '--to', url, ...access])
    expect(await deployed.ended).toBe(0)
    expect(deployed.out).toMatch(/^orders is deployed: group default, digest [0-9a-f]{12}\n(?: {2}.*\n)*? {2}running\n$/)

    const drained = cli.start(['drain', 'two', '--to', url, ...access])
    expect([await drained.ended, drained.out]).toEqual([0, 'two is gone\n'])
    expect(await workers[1].ended).toBe(0)
    await until(async () => {
      const { rows } = (await json(`${reading}/v1/jobs/orders/outputs/byCity`, headers)) as { rows?: { city: number; n: number }[] }
      const found = Object.fromEntries((rows ?? []).map(({ city, n }) => [String(city), String(n)]))
      return JSON.stringify(found) === JSON.stringify(expected(total)) || undefined
    }, 'all orders at the one that is left')

    const stranger = cli.start(['worker', '--join', url], { env: { MILLRACE_TOKEN: 'not-the-token-of-this-cluster' } })
    expect(await stranger.ended).toBe(4)
    expect(stranger.err).toMatch(/the token is missing or not the one of this cluster/)
    const twin = worker('one')
    await twin.says(/a process named .{0,2}one.{0,2} is in the cluster already/)
    twin.child.kill('SIGTERM')
    expect(await twin.ended).toBe(0)

    expect(await cli.start(['drop', 'orders', '--to', url, ...access]).ended).toBe(0)
    workers[0].child.kill('SIGTERM')
    expect(await workers[0].ended).toBe(0)
    coordinator.child.kill('SIGTERM')
    expect(await coordinator.ended).toBe(0)
    for (const { out, err } of [coordinator, ...workers, deployed, stranger]) expect(out + err).not.toContain(secret)
  })

  test('encrypted, each side with a certificate of the cluster; probes and metrics', { timeout: 60_000 }, async () => {
    const folder = shop(500, 1000)
    const { ca, certificate, key } = await issue(await newAuthority('the cluster'))
    const token = 'a-token-that-is-long-enough'
    folder.write({ token, 'ca.pem': ca, 'cert.pem': certificate, 'key.pem': key })
    const files = ['--tls-ca', 'ca.pem', '--tls-cert', 'cert.pem', '--tls-key', 'key.pem', '--token-file', 'token']
    const start = (...parameters: string[]): CliProcess => cli.start(parameters, { cwd: folder.folder })
    const admin = ['--admin', '127.0.0.1:0']
    const coordinator = start('coordinator', '--listen', '127.0.0.1:0', '--store', 'memory', ...admin, ...files)
    const listens = await coordinator.logs('the coordinator listens')
    const url = String(listens['url'])
    expect(url).toMatch(/^https:/)
    const worker = start('worker', '--join', url, '--name', 'one', ...admin, ...files)
    const works = await worker.logs('a worker process listens')
    expect(String(works['url'])).toMatch(/^https:/)
    const deployed = start('deploy', 'job.ts', '--to', url, ...files)
    expect([await deployed.ended, deployed.err]).toEqual([0, ''])

    const trust = { ca }
    const ask = async (where: unknown, path: string, shown?: string): Promise<{ status: number; text: string }> => {
      const response = await new NodeNetwork().fetch(new Request(`${where}${path}`), {
        tls: trust,
        ...(shown === undefined ? {} : { token: shown }),
      })
      return { status: response.status, text: await response.text() }
    }
    await until(async () => (await ask(works['admin'], '/readyz')).status === 200 || undefined, 'the worker is ready')
    expect(await ask(listens['admin'], '/readyz')).toMatchObject({ status: 200 })
    expect(await ask(works['admin'], '/metrics')).toMatchObject({ status: 401 })
    expect((await ask(works['admin'], '/metrics', token)).text).toMatch(/^millrace_ready 1$/m)
    expect((await ask(listens['admin'], '/metrics', token)).text).toMatch(/^millrace_coordinator_leader 1$/m)

    // Who shows no certificate, or one of another authority, learns nothing.
    const stranger = cli.start(['status', '--to', url], { env: { MILLRACE_TOKEN: token } })
    expect(await stranger.ended).toBe(4)
    expect(stranger.err).toMatch(/is not trusted/)
    const halfway = start('status', '--to', url, '--tls-ca', 'ca.pem', '--token-file', 'token')
    expect(await halfway.ended).not.toBe(0)
    expect(halfway.err).toMatch(/certificate/)
    for (const one of [worker, coordinator]) {
      one.child.kill('SIGTERM')
      expect(await one.ended).toBe(0)
    }
  })

  test('a second coordinator is refused, and a standby takes over', { timeout: 60_000 }, async () => {
    const folder = shop(1000, 100)
    const store = ['--store', `local:${folder.path('facts')}`]
    const first = cli.start(['coordinator', '--listen', '127.0.0.1:0', ...store])
    const url = String((await first.logs('the coordinator listens'))['url'])
    const second = cli.start(['coordinator', '--listen', '127.0.0.1:0', ...store])
    const standby = cli.start(['coordinator', '--listen', '127.0.0.1:0', '--standby', ...store])
    const other = String((await standby.logs('the coordinator listens'))['url'])
    await standby.logs('it stands by: another one leads')
    const worker = cli.start(['worker', '--join', `${url},${other}`, '--name', 'one'])
    const deployed = cli.start(['deploy', folder.path('job.ts'), '--to', `${other},${url}`])
    expect(await deployed.ended).toBe(0)
    expect(await second.ended).toBe(4)
    expect(second.err).toMatch(/Another coordinator leads this cluster, at http:.*\n.*--standby/)

    first.child.kill('SIGKILL')
    const job = await until(async () => {
      const found = await status(other).catch(() => undefined)
      return found?.jobs?.find(({ state }) => state === 'running')
    }, 'the job runs under the other coordinator')
    expect(job.name).toBe('orders')
    worker.child.kill('SIGTERM')
    expect(await worker.ended).toBe(0)
    standby.child.kill('SIGTERM')
    expect(await standby.ended).toBe(0)
  })
})
