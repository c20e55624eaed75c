/** The admin port: what probes and Prometheus get. */
import { beforeEach, describe, expect, test } from 'vitest'
import { int32 } from '../../runtime/data/column-type.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import { createLog, type LogRecord } from '../../runtime/log/log.ts'
import { MAXIMUM_LABEL_VALUES, MetricSet } from '../../runtime/log/metric-set.ts'
import { Redactor } from '../../runtime/log/redact.ts'
import type { ThreadStats } from '../../runtime/protocol/control.ts'
import { READY_LAG_MILLISECONDS } from '../../worker/process/admin-ready.ts'
import { GatewayFace } from '../../worker/process/gateway-face.ts'
import { LagMeter } from '../../worker/process/metrics-lag.ts'
import type { DataflowView } from '../../worker/process/process-view.ts'
import { DATAFLOW, FakeGroup, type FakeProcess, outputShape } from './fake-group.ts'
import { samplesOf } from './samples.ts'

const TOKEN = 'correct horse battery'

let environment: SimulatedEnvironment
let group: FakeGroup
let process: FakeProcess
let face: GatewayFace
let records: LogRecord[]

beforeEach(() => {
  environment = new SimulatedEnvironment({ seed: 3, start: 1_000_000_000_000 })
  group = new FakeGroup(environment, 3, [outputShape('rows', { id: int32 }, { key: ['id'], sharded: true })])
  process = group.add('a', 2)
  records = []
  const log = createLog({ sink: (record) => records.push(record), redactor: new Redactor([TOKEN]) })
  face = new GatewayFace(process, { token: TOKEN, version: '1.2.3', log })
  process.face = face.events
})

async function begin(): Promise<void> {
  group.begin([process], null)
  await environment.run(200_000)
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return face.admin(new Request(`http://10.0.0.1:9000${path}`, { headers }))
}

async function missing(): Promise<string[]> {
  const response = await get('/readyz')
  expect(response.status).toBe(503)
  return ((await response.json()) as { missing: string[] }).missing
}

async function samples(): Promise<Map<string, number>> {
  const response = await get('/metrics', { authorization: `Bearer ${TOKEN}` })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  return samplesOf(await response.text())
}

const change = (fields: Partial<DataflowView>): void =>
  process.change({ ...(process.generation?.dataflows.get(DATAFLOW) as DataflowView), ...fields })

describe('probes', () => {
  test('it lives from the start, and is ready when it has a lease, a generation, and what was visible before', async () => {
    expect((await get('/livez')).status).toBe(200)
    process.leased = false
    expect(await missing()).toEqual(['it has no lease from the coordinator', 'it is in no generation'])
    process.leased = true
    group.begin([process], null)
    await environment.run(0)
    await begin()
    const response = await get('/readyz')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ready' })
    change({ visible: null, live: false })
    expect(await missing()).toEqual(['shop is being computed'])
    change({ failure: { code: 'JOB', message: 'no' } })
    expect((await get('/readyz')).status).toBe(200)
    face.close()
    expect(await missing()).toContain('it stops')
  })

  test('a job that lags more than the bound makes it not ready, until it has caught up', async () => {
    await begin()
    const time = environment.clock.now()
    change({ minted: time })
    await environment.run(READY_LAG_MILLISECONDS * 1000 - 1_000_000)
    expect((await get('/readyz')).status).toBe(200)
    await environment.run(2_000_000)
    expect((await missing())[0]).toMatch(/^shop lags 1\d\.\d s, more than 10 s$/)
    change({ visible: time })
    face.events.onVisible(DATAFLOW, time)
    expect((await get('/readyz')).status).toBe(200)
  })

  test('other paths and methods', async () => {
    expect(await (await get('/')).text()).toContain('/readyz')
    expect((await get('/nothing')).status).toBe(404)
    expect((await face.admin(new Request('http://10.0.0.1/livez', { method: 'POST' }))).status).toBe(405)
    expect((await get('/metrics')).status).toBe(401)
    expect((await get('/metrics', { authorization: 'Bearer x' })).status).toBe(401)
  })
})

describe('lag', () => {
  const view = (minted: number, visible: number | null): { generation: never } =>
    ({ generation: { dataflows: new Map([[1, { dataflow: 1, minted, visible, since: 0 }]]) } }) as never

  test('begins when a time is open, not when the last one became visible', async () => {
    let state = view(100, 100)
    const lag = new LagMeter(environment.clock, () => state.generation)
    lag.sample()
    await environment.run(3_600_000_000)
    state = view(200, 100)
    lag.sample()
    await environment.run(500_000)
    lag.sample()
    expect(lag.lagOf(1)).toBe(0.5)
    state = view(300, 200)
    lag.onVisible(1, environment.clock.now() - 700_000)
    // Another one is open: the last one took 0.7 s, this one will hardly take less.
    expect(lag.lagOf(1)).toBe(0.7)
    await environment.run(1_000_000)
    lag.sample()
    expect(lag.lagOf(1)).toBe(1)
    state = view(300, 300)
    lag.onVisible(1, environment.clock.now())
    expect(lag.lagOf(1)).toBe(0)
    expect(lag.lagOf(2)).toBe(0)
    // A new generation: its first time was minted long ago, and took no longer for that.
    state = view(400, null)
    lag.sample()
    state = view(500, 400)
    expect(lag.onVisible(1, environment.clock.now() - 3_600_000_000)).toBeNull()
    expect(lag.lagOf(1)).toBe(0)
  })
})

describe('metrics', () => {
  test('say what the process knows of itself', async () => {
    await begin()
    const dataflow = { dataflow: DATAFLOW, complete: 1, holder: null, stateBytes: 1000, errors: 1 }
    const thread: Omit<ThreadStats, 'worker'> = {
      busy: 0.5,
      outboundBytes: 10,
      inboundMessages: 3,
      heapBytes: 5_000_000,
      exchanged: { framesIn: 1, framesOut: 2, bytesIn: 300, bytesOut: 400 },
      dataflows: [],
    }
    process.stats = {
      memoryBytes: 1,
      threads: [
        { ...thread, worker: 4, dataflows: [{ ...dataflow, rows: 30, outputRows: { rows: 20 } }] },
        { ...thread, worker: 5, dataflows: [{ ...dataflow, rows: 10, outputRows: { rows: 5 } }] },
      ],
    }
    const source = { dataflow: DATAFLOW, input: 'orders', worker: 4, kind: 'file', rejected: 1, failures: 0, behind: true, paused: false }
    process.sources = [
      { ...source, partition: 'one', rows: 7, trouble: null },
      { ...source, partition: 'two', rows: 8, trouble: 'not found' },
    ]
    process.links = {
      coordinator: { url: 'http://c', connected: true, epoch: 9, problem: null },
      peers: [
        { process: 'b', connected: true, bufferedBytes: 5 },
        { process: 'c', connected: false, bufferedBytes: 0 },
      ],
    }
    const found = await samples()
    expect(Object.fromEntries(found)).toMatchObject({
      'millrace_build_info{version="1.2.3",group="default"}': 1,
      millrace_ready: 1,
      millrace_leased: 1,
      millrace_generation: 1,
      millrace_generation_members: 1,
      millrace_generations_total: 1,
      millrace_coordinator_epoch: 9,
      millrace_peers_connected: 1,
      millrace_peers_missing: 1,
      millrace_peer_outbound_bytes: 5,
      'millrace_thread_busy_ratio{thread="1"}': 0.5,
      'millrace_exchanged_bytes_total{thread="0",direction="out"}': 400,
      'millrace_job_hydrated{job_name="shop"}': 1,
      'millrace_job_state_rows{job_name="shop",thread="0"}': 30,
      'millrace_job_state_skew_ratio{job_name="shop"}': 1.5,
      'millrace_job_error_rows{job_name="shop"}': 2,
      'millrace_output_rows{job_name="shop",output="rows"}': 25,
      'millrace_source_rows_total{job_name="shop",input="orders"}': 15,
      'millrace_source_rejected_rows_total{job_name="shop",input="orders"}': 2,
      'millrace_source_partitions{job_name="shop",input="orders"}': 2,
      'millrace_source_failing_partitions{job_name="shop",input="orders"}': 1,
      'millrace_source_behind_partitions{job_name="shop",input="orders"}': 2,
    })
    expect(JSON.stringify([...found.keys()])).not.toContain('two')
  })

  test('count reads, followers and answers, by result', async () => {
    await begin()
    group.commit(new Map([['rows', [{ row: { id: 1 }, diff: 1 }]]]))
    await environment.run(200_000)
    const ask = async (path: string): Promise<Response> => {
      const [response] = await Promise.all([
        face.handler(new Request(`http://h/v1/jobs/shop/outputs/${path}`, { headers: { authorization: `Bearer ${TOKEN}` } })),
        environment.run(300_000),
      ])
      return response
    }
    await ask('rows')
    await ask('rows?id=1')
    await ask('rows?asOf=1')
    await ask('raws')
    await ask('rows/changes')
    const found = Object.fromEntries(await samples())
    expect(found).toMatchObject({
      'millrace_reads_total{result="ok"}': 2,
      'millrace_reads_total{result="BAD_TIME"}': 1,
      millrace_read_seconds_count: 3,
      millrace_followers: 1,
      millrace_subscriptions: 1,
      millrace_follower_overflows_total: 0,
      'millrace_http_answers_total{route="rows",status="200"}': 2,
      'millrace_http_answers_total{route="rows",status="410"}': 1,
      'millrace_http_answers_total{route="rows",status="404"}': 1,
      'millrace_http_answers_total{route="changes",status="200"}': 1,
      'millrace_job_visible_latency_seconds_count{job_name="shop"}': 1,
    })
    face.close()
  })

  test('values of labels are bounded, whatever users call their jobs', async () => {
    const definition = { name: 'x_total', type: 'counter', help: 'x', labels: ['job'] } as const
    const set = new MetricSet({ definition })
    const count = set.counter(definition)
    for (let i = 0; i < 3 * MAXIMUM_LABEL_VALUES; i++) count({ job: `job-${i}` })
    const found = samplesOf(await set.text())
    expect(found.size).toBe(MAXIMUM_LABEL_VALUES + 1)
    expect(found.get('x_total{job="other"}')).toBe(2 * MAXIMUM_LABEL_VALUES)
  })

  test('one that is defined and not collected is a defect, and so is one collected twice', async () => {
    const definition = { name: 'y', type: 'gauge', help: 'y', labels: [] } as const
    const set = new MetricSet({ definition })
    await expect(set.text()).rejects.toThrow('the metrics y are defined and not collected')
    set.gauge(definition, (fill) => fill({}, 1))
    expect(() => set.gauge(definition, (fill) => fill({}, 1))).toThrow('collected twice')
  })
})

test('what should not have happened is logged, and the client is not told more', async () => {
  await begin()
  Object.defineProperty(process.generation?.dataflows.get(DATAFLOW), 'outputs', {
    get: () => {
      throw new Error(`broken with ${TOKEN}`)
    },
  })
  const response = await face.handler(new Request('http://h/v1/jobs', { headers: { authorization: `Bearer ${TOKEN}` } }))
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('broken')
  expect(records[0]).toMatchObject({ level: 'error', message: 'a request failed', fields: { path: '/v1/jobs' } })
  expect(JSON.stringify(records)).toContain('broken with [redacted]')
})
