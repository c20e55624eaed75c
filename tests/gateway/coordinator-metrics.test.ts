/** The metrics of a coordinator, of a real one on a simulated network with real worker processes. */
import { expect, test } from 'vitest'
import { Coordinator } from '../../coordinator/coordinator.ts'
import { MemoryFacts, MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import { CoordinatorMetrics } from '../../coordinator/metrics.ts'
import { coordinatorAdminHandler } from '../../coordinator/metrics-http.ts'
import { TimedStore } from '../../coordinator/metrics-store.ts'
import { table } from '../../operators/input-definition.ts'
import { job } from '../../operators/job.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import { GatewayFace } from '../../worker/process/gateway-face.ts'
import { SimulatedThreads } from '../../worker/process/simulated-threads.ts'
import { WorkerProcess } from '../../worker/process/worker-process.ts'
import { samplesOf } from './samples.ts'

const SECOND = 1_000_000
const TOKEN = 'open-sesame'

const counted = job('counted', { rows: table({ id: int32 }) }, ({ rows }) => ({ rows }))

test('members, generations by reason, leadership and the store', async () => {
  const world = new SimulatedWorld({ seed: 11 })
  const facts = new MemoryFacts({ now: () => world.now, monotonic: () => world.now })
  let metrics: CoordinatorMetrics | null = null
  let coordinator: Coordinator | null = null
  world.start('c', async (environment) => {
    const store = new TimedStore(new MemoryStore(facts), environment.clock, (...args) => metrics?.onStore(...args))
    metrics = new CoordinatorMetrics({ status: () => coordinator?.status() ?? null, version: '1.2.3', ofNode: false })
    coordinator = new Coordinator(environment, store, {
      cluster: 'test',
      token: TOKEN,
      host: 'c',
      port: 7000,
      onEvent: (event) => metrics?.onEvent(event),
    })
    await coordinator.start()
  })
  const faces = new Map<string, GatewayFace>()
  const join = (name: string): unknown =>
    world.start(name, async (environment) => {
      const loader = { load: () => ({ job: counted as never, sources: {}, config: {} }) }
      const worker = new WorkerProcess(environment, new SimulatedThreads(environment, loader), loader, {
        cluster: 'test',
        coordinators: ['http://c:7000'],
        group: 'default',
        name,
        threads: 2,
        listen: { host: name, port: 7100 },
        token: TOKEN,
        version: '1.2.3',
      })
      const face = new GatewayFace(worker, { token: TOKEN, version: '1.2.3' })
      faces.set(name, face)
      worker.attach(face)
      await worker.start()
    })
  const read = async (): Promise<Record<string, number>> =>
    Object.fromEntries(samplesOf(await (metrics as unknown as CoordinatorMetrics).text()))

  await world.run(SECOND)
  expect(await read()).toMatchObject({
    millrace_coordinator_leader: 1,
    millrace_coordinator_leader_epoch: 1,
    millrace_coordinator_terms_total: 1,
  })
  join('a')
  join('b')
  await world.run(5 * SECOND)
  expect(await read()).toMatchObject({
    'millrace_coordinator_build_info{version="1.2.3"}': 1,
    'millrace_cluster_processes{group="default",state="member"}': 2,
    'millrace_cluster_generation{group="default"}': 1,
    'millrace_cluster_running{group="default"}': 1,
    'millrace_cluster_generations_total{group="default",reason="join"}': 1,
  })
  expect(faces.get('a')?.readiness.ready).toBe(true)
  world.crash('b')
  await world.run(20 * SECOND)
  const found = await read()
  expect(found).toMatchObject({
    'millrace_cluster_processes{group="default",state="member"}': 1,
    'millrace_cluster_generation{group="default"}': 2,
    'millrace_cluster_generations_total{group="default",reason="lost"}': 1,
  })
  expect(found['millrace_store_seconds_count{operation="write"}']).toBeGreaterThan(2)
  expect(found['millrace_store_seconds_count{operation="renew"}']).toBeGreaterThan(2)
  const admin = coordinatorAdminHandler({
    metrics: metrics as unknown as CoordinatorMetrics,
    token: TOKEN,
    isReady: () => (coordinator as unknown as Coordinator).leads,
  })
  expect((await admin(new Request('http://c/readyz'))).status).toBe(200)
  expect((await admin(new Request('http://c/metrics'))).status).toBe(401)
  expect((await admin(new Request('http://c/metrics', { headers: { authorization: `Bearer ${TOKEN}` } }))).status).toBe(200)
  await (coordinator as unknown as Coordinator).stop()
  expect(await read()).toMatchObject({ millrace_coordinator_leader: 0, millrace_coordinator_leader_epoch: 0 })
  expect((await admin(new Request('http://c/readyz'))).status).toBe(503)
})

test('what the status says of a job', async () => {
  const named = {
    name: 'orders',
    group: 'default',
    digest: '',
    state: 'running',
    message: null,
    deployed: '',
    dataflow: 0,
    minted: 4_000_000,
    visible: 3_000_000,
    open: 2,
    lagMilliseconds: 500,
    heldBackBy: null,
    rows: 10,
    errors: 1,
    stateBytes: 99,
    busiestShards: [
      { shard: 7, share: 0.25, worker: 0, process: 'a' },
      { shard: 8, share: 0.125, worker: 1, process: 'a' },
    ],
  } as const
  const jobs = [named, { ...named, name: 'quiet', busiestShards: [] }]
  const status = { cluster: 'c', leader: '', epoch: 1, since: '', now: '', groups: [], jobs, events: [] }
  const metrics = new CoordinatorMetrics({ status: () => status, version: '1', ofNode: false })
  expect(Object.fromEntries(samplesOf(await metrics.text()))).toMatchObject({
    'millrace_cluster_job_state{job_name="orders",state="running"}': 1,
    'millrace_cluster_job_minted_time_seconds{job_name="orders"}': 4,
    'millrace_cluster_job_visible_time_seconds{job_name="orders"}': 3,
    'millrace_cluster_job_open_times{job_name="orders"}': 2,
    'millrace_cluster_job_lag_seconds{job_name="orders"}': 0.5,
    'millrace_cluster_job_state_rows{job_name="orders"}': 10,
    'millrace_cluster_job_error_rows{job_name="orders"}': 1,
    'millrace_cluster_job_busiest_shard_ratio{job_name="orders"}': 0.25,
    'millrace_cluster_job_busiest_shard_ratio{job_name="quiet"}': 0,
  })
})
