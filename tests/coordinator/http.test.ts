import { expect, test } from 'vitest'
import { Coordinator } from '../../coordinator/coordinator.ts'
import { MemoryFacts, MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import { sha256 } from '../../coordinator/sha256.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { SECOND, Stage } from './stage.ts'

async function started(limits = {}): Promise<Stage> {
  const stage = new Stage({ limits })
  stage.coordinate()
  await stage.until('it leads', () => stage.leader !== null)
  return stage
}

const code = '{"partitions":1}'
const job = { name: 'views', group: 'default', code, digest: sha256(code) }

test('whoever asks must have the token, except probes', async () => {
  const stage = await started()
  for (const token of [null, 'wrong', 'open-sesam', 'open-sesame2']) {
    const { status, body } = await stage.request('GET', '/v1/status', undefined, { token })
    expect(status).toBe(401)
    expect(body.error).toMatchObject({ code: 'REFUSED', message: 'the token is missing or wrong' })
  }
  expect((await stage.request('GET', '/livez', undefined, { token: null })).status).toBe(200)
  expect((await stage.request('GET', '/readyz', undefined, { token: null })).body.status).toBe('leader')
  expect((await stage.request('GET', '/v1/status')).status).toBe(200)
})

test('jobs are deployed, listed, replaced and dropped', async () => {
  const stage = await started()
  const first = await stage.request('POST', '/v1/jobs', job)
  expect([first.status, first.body.outcome]).toEqual([201, 'deployed'])
  expect(first.body.job).toMatchObject({
    name: 'views',
    group: 'default',
    digest: job.digest,
    state: 'waiting',
    dataflow: 0,
    visible: null,
  })
  expect((await stage.request('POST', '/v1/jobs', job)).body.outcome).toBe('unchanged')
  const other = '{"partitions":2}'
  const { group, ...noGroup } = { ...job, code: other, digest: sha256(other) }
  expect(group).toBe('default')
  const replaced = await stage.request('POST', '/v1/jobs', noGroup)
  expect([replaced.status, replaced.body.outcome, replaced.body.job?.dataflow]).toEqual([200, 'replaced', 1])
  expect((await stage.request('GET', '/v1/jobs')).body.jobs?.map(({ name }) => name)).toEqual(['views'])
  expect((await stage.request('GET', '/v1/jobs/views')).body.job?.digest).toBe(sha256(other))
  expect((await stage.request('DELETE', '/v1/jobs/views')).body.job?.state).toBe('dropped')
  const again = await stage.request('DELETE', '/v1/jobs/views')
  expect([again.status, again.body.error]).toEqual([
    404,
    { code: 'UNKNOWN_NAME', message: 'there is no job "views"', hint: 'No job is deployed.' },
  ])
})

test('what cannot be is answered with what to do', async () => {
  const stage = await started({ maximumBundleBytes: 1000, maximumBundlesBytes: 1500, maximumJobs: 2 })
  const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
    const { status, body: answer } = await stage.request(method, path, body)
    return `${status} ${answer.error?.code}: ${answer.error?.message} ${answer.error?.hint ?? ''}`
  }
  expect(await ask('GET', '/v1/nothing')).toMatch(/^404 UNKNOWN_NAME: there is nothing at \/v1\/nothing There are \/v1\/status/)
  expect(await ask('GET', '/')).toMatch(/^404/)
  expect(await ask('GET', '/v1')).toMatch(/^404/)
  expect(await ask('PUT', '/v1/jobs', job)).toMatch(/^405 REFUSED: \/v1\/jobs takes GET, POST, not PUT/)
  expect(await ask('POST', '/v1/jobs', '{"name":')).toMatch(/^400 CONFIG: the body is no JSON/)
  expect(await ask('POST', '/v1/jobs', { name: 5 })).toMatch(/^400 CONFIG: the body is no deployment: name/)
  expect(await ask('POST', '/v1/jobs', { ...job, name: '../etc' })).toMatch(
    /^400 CONFIG: "\.\.\/etc" cannot be the name of a job Use letters/,
  )
  expect(await ask('POST', '/v1/jobs', { ...job, group: '' })).toMatch(/^400 CONFIG: "" cannot be the name of a worker group/)
  expect(await ask('POST', '/v1/jobs', { ...job, digest: sha256('else') })).toMatch(
    /^400 JOB: .* has the digest .* It was changed on its way/,
  )
  const long = 'x'.repeat(1001)
  expect(await ask('POST', '/v1/jobs', { ...job, code: long, digest: sha256(long) })).toMatch(/^400 JOB: .* has 1001 bytes, at most 1000/)
  const endless = 'x'.repeat(100_000)
  expect(await ask('POST', '/v1/jobs', { ...job, code: endless })).toMatch(/^413 JOB: the body has more than/)
  const [a, b] = ['a'.repeat(800), 'b'.repeat(800)]
  expect((await stage.request('POST', '/v1/jobs', { ...job, code: a, digest: sha256(a) })).status).toBe(201)
  expect(await ask('POST', '/v1/jobs', { ...job, name: 'more', code: b, digest: sha256(b) })).toMatch(/^400 JOB: the bundles of all jobs/)
  // The same bundle for two jobs is kept once.
  expect((await stage.request('POST', '/v1/jobs', { ...job, name: 'more', code: a, digest: sha256(a) })).status).toBe(201)
  expect(await ask('POST', '/v1/jobs', { ...job, name: 'third' })).toMatch(/^400 JOB: there are 2 jobs, and no more/)
  expect(await ask('POST', '/v1/processes/w1/drain')).toMatch(/^404 UNKNOWN_NAME: there is no process "w1" None has joined/)
})

test('a standby says who leads', async () => {
  const stage = new Stage({ coordinators: ['c1', 'c2'] })
  stage.coordinate('c1')
  await stage.until('it leads', () => stage.leader !== null)
  stage.coordinate('c2')
  await stage.run(1)
  const { status, body } = await stage.request('GET', '/v1/status', undefined, { to: 'c2' })
  expect([status, body.error]).toEqual([
    503,
    { code: 'NOT_LEADER', message: 'this coordinator is not the leader', hint: 'The leader is http://c1:7070.', leader: 'http://c1:7070' },
  ])
  expect((await stage.request('GET', '/v1/status', undefined, { to: 'c2', token: 'wrong' })).status).toBe(401)
  expect((await stage.request('GET', '/readyz', undefined, { to: 'c2' })).status).toBe(503)
  expect((await stage.request('GET', '/livez', undefined, { to: 'c2' })).status).toBe(200)
  stage.world.crash('c1')
  await stage.until('the other leads', () => stage.leader?.url === 'http://c2:7070', 8)
  expect((await stage.request('GET', '/readyz', undefined, { to: 'c2' })).status).toBe(200)
})

test('a deployment is durable when it is answered, and fails while nothing can be', async () => {
  const stage = await started()
  stage.store.failing = true
  const { status, body } = await stage.request('POST', '/v1/jobs', job)
  expect([status, body.error?.code]).toEqual([503, 'NOT_LEADER'])
  stage.store.failing = false
  await stage.until('it leads', () => stage.leader !== null)
  expect(stage.status?.jobs).toEqual([])
  expect((await stage.request('POST', '/v1/jobs', job)).status).toBe(201)
  stage.world.restart('c1')
  await stage.until('it leads', () => stage.leader !== null && stage.world.now > 0, 10)
  expect(stage.status?.jobs.map(({ name }) => name)).toEqual(['views'])
})

test('deployments of one name at one time end as one job', async () => {
  const stage = await started()
  const codes = Array.from({ length: 8 }, (_, i) => `{"partitions":${i + 1}}`)
  const answers = codes.map((text) => stage.tryDeploy('views', JSON.parse(text), 'c1'))
  await stage.world.settled(Promise.all(answers), 5 * SECOND)
  expect(stage.status?.jobs).toHaveLength(1)
  expect(stage.status?.jobs[0].dataflow).toBe(7)
  const keys = [...stage.store.facts.facts.keys()]
  expect(keys.filter((key) => key.startsWith('bundle/'))).toEqual([`bundle/${stage.status?.jobs[0].digest}`])
  expect(keys.filter((key) => key.startsWith('replay/'))).toEqual(['replay/7'])
})

test('on a real network it serves, leads, and gives the port back', async () => {
  const environment = nodeEnvironment()
  const store = new MemoryStore(new MemoryFacts(environment.clock))
  const coordinator = new Coordinator(environment, store, { cluster: 'real', token: 'secret', port: 0 })
  await coordinator.start()
  try {
    expect(coordinator.leads).toBe(true)
    const response = await fetch(`${coordinator.url}/v1/jobs`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      body: JSON.stringify(job),
    })
    expect(response.status).toBe(201)
    await expect(environment.network.connect(`${coordinator.url}/control`, { token: 'wrong' })).rejects.toMatchObject({ code: 'REFUSED' })
    expect(coordinator.status()).toMatchObject({ cluster: 'real', epoch: 1, leader: coordinator.url })
  } finally {
    await coordinator.stop()
  }
  await expect(fetch(`${coordinator.url}/livez`)).rejects.toThrow()
  expect(() => new Coordinator(environment, store, { cluster: 'no good', token: null, port: 0 })).toThrow(/cannot be the name of a cluster/)
})
