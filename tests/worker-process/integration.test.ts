/**
 * The feature store on a coordinator and three worker processes of two threads, from generated sources, while processes crash, stop and
 * leave: every answer, at every visible time, is what one worker computes from the same rows.
 */
import { afterEach, expect, test } from 'vitest'
import { generated } from '../../connectors/generated.ts'
import { Coordinator } from '../../coordinator/coordinator.ts'
import { MemoryFacts, MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import { sha256 } from '../../coordinator/sha256.ts'
import { featureStore } from '../../examples/feature-store/job.ts'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../../operators/job.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import { type ClientCounts, SimulatedClient } from '../../simulation/client.ts'
import { Ledger } from '../../simulation/ledger.ts'
import { type ScriptedChange, ScriptedSource } from '../../simulation/scripted-source.ts'
import { tapped } from '../../simulation/wiretap.ts'
import { Gateway } from '../../worker/process/gateway.ts'
import { SimulatedThreads } from '../../worker/process/simulated-threads.ts'
import { WorkerProcess } from '../../worker/process/worker-process.ts'

const SECOND = 1_000_000
const TOKEN = 'open-sesame'
const NAMES = ['w0', 'w1', 'w2']
const ACCOUNTS = 120
const OWNERS = 30
/** Rows of each partition, and how many a second. */
const TOTALS = { accounts: 400, frauds: 300 }
const RATES = { accounts: 150, frauds: 100 }

/** The first writes each account once; then owners change, and accounts go and come back. */
function accountRow(index: number): ChangeRun {
  const accountId = index % ACCOUNTS
  if (index >= ACCOUNTS && index % 11 === 0) return { op: 'delete', rows: [{ accountId }] }
  return { op: 'upsert', rows: [{ accountId, ownerId: (index * 7) % OWNERS }] }
}

function fraudRow(partition: number, index: number, now: number): ChangeRun {
  if (index % 13 === 12)
    return { op: 'reject', rows: [{ source: 'test', position: `${partition}/${index}`, excerpt: '?', message: 'no row' }] }
  if (index % 7 === 6) return { op: 'remove', rows: [fraud(partition, index - 1, now)] }
  return { op: 'insert', rows: [fraud(partition, index, now)] }
}

/** Some expire while the test runs. */
function fraud(partition: number, index: number, now: number): object {
  const thirtyDays = 30 * 86_400 * SECOND
  const offset = index % 3 === 0 ? -thirtyDays + ((index * 37) % 8000) * 1000 : -index * 1000
  return { accountId: (index * 31 + partition) % ACCOUNTS, at: BigInt(now + offset) }
}

class Cluster {
  readonly world: SimulatedWorld
  readonly counts: ClientCounts = { reads: 0, refusals: 0, changes: 0, snapshots: 0, resets: 0 }
  readonly processes = new Map<string, WorkerProcess>()
  readonly clients = new Map<string, SimulatedClient>()
  readonly ended: string[] = []
  coordinator: Coordinator | null = null
  readonly ledger: Ledger
  private defect: unknown = null
  private readonly facts: MemoryFacts
  private readonly sources = {
    accounts: generated({ total: TOTALS.accounts, rate: RATES.accounts, rows: (_, index) => accountRow(index) }),
    frauds: generated({
      partitions: 2,
      total: TOTALS.frauds,
      rate: RATES.frauds,
      rows: (partition, index) => fraudRow(partition, index, this.begun),
    }),
  }
  readonly begun: number

  constructor(seed: number) {
    this.world = new SimulatedWorld({ seed })
    this.begun = this.world.now
    this.facts = new MemoryFacts({ now: () => this.world.now, monotonic: () => this.world.now })
    const scripted = (total: number, rows: ((index: number) => ChangeRun)[]): ScriptedSource =>
      new ScriptedSource(
        new Map(
          rows.map((row, i) => [String(i), Array.from({ length: total }, (_, index): ScriptedChange => ({ at: 0, run: row(index) }))]),
        ),
        () => this.world.now,
      )
    const job = featureStore as unknown as Job<InputDefinitions, OutputDefinitions>
    const scripts = {
      accounts: scripted(TOTALS.accounts, [accountRow]),
      frauds: scripted(TOTALS.frauds, [(index) => fraudRow(0, index, this.begun), (index) => fraudRow(1, index, this.begun)]),
    }
    this.ledger = new Ledger(job, scripts, () => this.world.now)
    this.world.start('c', (environment) => this.runCoordinator(environment))
    for (const name of NAMES) this.world.start(name, (environment) => this.runWorker(name, environment))
    this.world.start('client', (environment) => this.deploy(environment))
  }

  /** Runs until something is so; what is wrong fails. */
  async until(what: string, done: () => boolean, seconds = 30): Promise<void> {
    const isSo = await this.world.runUntil(() => this.defect !== null || done(), seconds * SECOND)
    if (this.defect !== null) throw this.defect
    if (!isSo) throw new Error(`not within ${seconds} s: ${what}; ${this.shown}`)
  }

  private get shown(): string {
    const views = [...this.processes.values()].map(({ name, links, generation, sources }) => ({
      name,
      links,
      generation: generation?.generation,
      dataflows: [...(generation?.dataflows.values() ?? [])].map(({ live, minted, visible, complete, failure }) => ({
        live,
        minted,
        visible,
        complete,
        failure,
      })),
      sources,
    }))
    return JSON.stringify({ status: this.coordinator?.status(), views }, null, 1)
  }

  async run(seconds: number): Promise<void> {
    await this.until('', () => false, seconds).catch((error: unknown) => {
      if (this.defect !== null) throw error
    })
  }

  /** Every output read at every process that runs. */
  async readAll(): Promise<number> {
    let answered = 0
    for (const client of this.clients.values())
      for (const output of Object.keys(featureStore.outputs)) if (await this.world.settled(client.read(output), 10 * SECOND)) answered++
    if (this.defect !== null) throw this.defect
    return answered
  }

  close(): void {
    this.ledger.close()
  }

  private async runCoordinator(environment: Environment): Promise<void> {
    this.coordinator = new Coordinator(environment, new MemoryStore(this.facts), {
      cluster: 'test',
      token: TOKEN,
      host: 'c',
      port: 7000,
      minimumProcesses: 3,
      onError: (error) => this.failed(error),
    })
    await this.coordinator.start()
  }

  private async runWorker(name: string, host: Environment): Promise<void> {
    const tap = this.ledger.tap()
    const { clock, timers, random, disk } = host
    const environment: Environment = { clock, timers, random, disk, network: tapped(host.network, tap) }
    const loader = {
      load: () => ({ job: featureStore as unknown as Job<InputDefinitions, OutputDefinitions>, sources: this.sources, config: {} }),
    }
    const process = new WorkerProcess(environment, new SimulatedThreads(environment, loader), loader, {
      cluster: 'test',
      coordinators: ['http://c:7000'],
      group: 'default',
      name,
      threads: 2,
      listen: { host: name, port: 7100 },
      token: TOKEN,
      version: '0.0.0',
    })
    process.onEnd = (error) => {
      this.ended.push(`${name} ${error?.code ?? 'ok'}`)
      this.clients.delete(name)
      if (error !== null) this.failed(error)
    }
    const gateway = new Gateway(process)
    process.attach({ events: gateway.events, handler: () => new Response(null, { status: 404 }) })
    this.processes.set(name, process)
    await process.start()
    const client = new SimulatedClient(name, gateway, this.ledger, 'store', this.counts, (error) => this.failed(error))
    this.clients.set(name, client)
    const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => void timers.setTimeout(resolve, milliseconds))
    for (const output of Object.keys(featureStore.outputs)) {
      void client.follow(output, true, () => pause(50))
      void (async () => {
        for (;;) {
          await pause(100)
          await client.read(output)
        }
      })()
    }
  }

  private async deploy(environment: Environment): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => void environment.timers.setTimeout(resolve, 100))
      const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ name: 'store', group: 'default', code: 'feature store', digest: sha256('feature store') })
      const response = await environment.network
        .fetch(new Request('http://c:7000/v1/jobs', { method: 'POST', headers, body }))
        .catch(() => null)
      if (response?.ok === true) return
    }
  }

  private failed(error: unknown): void {
    this.defect ??= error
  }
}

let cluster: Cluster
afterEach(() => cluster.close())

test.each([1])('nothing happens to anybody (%i)', async (seed) => {
  cluster = new Cluster(seed)
  await cluster.until('all is visible', () => cluster.ledger.isWhole)
  await cluster.run(1)
  expect(await cluster.readAll()).toBe(6)
  expect(cluster.ledger.generation).toBe(1)
  expect(cluster.ledger.moments.length).toBeGreaterThan(50)
  expect(cluster.counts.changes).toBeGreaterThan(100)
  expect(cluster.counts.resets).toBe(0)
})

test.each([1, 2])('a process crashes in the middle and comes back (%i)', async (seed) => {
  cluster = new Cluster(seed)
  const { world, ledger } = cluster
  await cluster.until('rows are visible', () => ledger.moments.length > 30)
  world.crash('w1')
  cluster.clients.delete('w1')
  const crashed = world.now
  const before = ledger.visible
  await cluster.until('it is whole again', () => ledger.generation > 1 && ledger.visible > before, 5)
  expect((world.now - crashed) / SECOND).toBeLessThan(5)
  expect(await cluster.readAll()).toBe(4)
  await cluster.run(1)
  world.restart('w1')
  await cluster.until('it is back', () => ledger.generation > 2)
  await cluster.until('all is visible', () => ledger.isWhole)
  await cluster.run(1)
  expect(await cluster.readAll()).toBe(6)
  expect(ledger.generation).toBe(3)
  // Followers at the others went on from where they were.
  expect(cluster.counts.resets).toBe(0)
})

test.each([1, 2])('a process is stopped, and wakes when nobody counts on it any more (%i)', async (seed) => {
  cluster = new Cluster(seed)
  const { world, ledger } = cluster
  await cluster.until('rows are visible', () => ledger.moments.length > 30)
  world.pause('w2')
  await cluster.until('the others go on without it', () => ledger.generation > 1 && ledger.isWhole)
  expect(cluster.processes.get('w2')?.isLeased()).toBe(false)
  world.resume('w2')
  await cluster.until(
    'it is a member again',
    () => ledger.generation > 2 && cluster.processes.get('w2')?.generation?.generation === ledger.generation,
  )
  await cluster.run(2)
  expect(await cluster.readAll()).toBe(6)
  expect(cluster.ended).toEqual([])
})

test('a process leaves, and another one is drained from outside: both end well', async () => {
  cluster = new Cluster(1)
  const { world, ledger } = cluster
  await cluster.until('rows are visible', () => ledger.moments.length > 30)
  const stopped = (cluster.processes.get('w0') as WorkerProcess).stop()
  await world.settled(stopped, 5 * SECOND)
  expect(cluster.ended).toEqual(['w0 ok'])
  await cluster.until('it goes on', () => ledger.moments.length > 60)
  const headers = { authorization: `Bearer ${TOKEN}` }
  const drain = new Request('http://c:7000/v1/processes/w1/drain', { method: 'POST', headers })
  expect((await world.settled(world.host('client').network.fetch(drain), SECOND)).status).toBe(202)
  await cluster.until('it is gone', () => cluster.ended.length > 1)
  expect(cluster.ended).toEqual(['w0 ok', 'w1 ok'])
  await cluster.until('all is visible', () => ledger.isWhole)
  expect(await cluster.readAll()).toBe(2)
})

test.each([1, 2])('the coordinator starts again: dataflows go on where they were (%i)', async (seed) => {
  cluster = new Cluster(seed)
  const { world, ledger } = cluster
  await cluster.until('rows are visible', () => ledger.moments.length > 30)
  world.crash('c')
  await cluster.run(0.5)
  world.restart('c')
  await cluster.until('all is visible', () => ledger.isWhole)
  expect(ledger.generation).toBe(1)
  expect(await cluster.readAll()).toBe(6)
  expect(cluster.counts.resets).toBe(0)
})

test.each([1])('two processes lose each other, and only each other (%i)', async (seed) => {
  cluster = new Cluster(seed)
  const { world, ledger } = cluster
  await cluster.until('rows are visible', () => ledger.moments.length > 30)
  expect(world.breakConnections('w0', 'w1')).toBe(1)
  await cluster.until('a new generation', () => ledger.generation === 2)
  await cluster.until('rows are visible', () => ledger.moments.length > 60)
  world.partition('w0', 'w1')
  await cluster.until('all is visible', () => ledger.isWhole)
  expect(ledger.generation).toBeGreaterThan(2)
  world.heal()
  await cluster.until(
    'all are members',
    () => [...cluster.processes.values()].every((process) => process.generation?.members.length === 3),
    60,
  )
  expect(await cluster.readAll()).toBe(6)
})
