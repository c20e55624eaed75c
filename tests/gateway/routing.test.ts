/** Reads by key over the real engine, coordinator and all: each key is at the worker that is asked for it, whatever its type. */
import { expect, test } from 'vitest'
import { Coordinator } from '../../coordinator/coordinator.ts'
import { MemoryFacts, MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import { sha256 } from '../../coordinator/sha256.ts'
import { table } from '../../operators/input-definition.ts'
import { job } from '../../operators/job.ts'
import { bool, bytes, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import { ScriptedSource } from '../../simulation/scripted-source.ts'
import { Gateway } from '../../worker/process/gateway.ts'
import { SimulatedThreads } from '../../worker/process/simulated-threads.ts'
import { WorkerProcess } from '../../worker/process/worker-process.ts'

const SECOND = 1_000_000
const TOKEN = 'open-sesame'
const COLUMNS = {
  small: int32,
  big: int64,
  real: float64,
  yes: bool,
  word: text,
  at: timestamp,
  price: decimal,
  raw: bytes,
  maybe: nullable(int64),
  name: nullable(text),
}

const routed = job('routed', { rows: table(COLUMNS) }, ({ rows }) => ({
  bySmall: rows.keyBy('small'),
  byBig: rows.keyBy('big'),
  byReal: rows.keyBy('real'),
  byYes: rows.keyBy('yes', 'small'),
  byWord: rows.keyBy('word'),
  byAt: rows.keyBy('at'),
  byPrice: rows.keyBy('price'),
  byRaw: rows.keyBy('raw'),
  byMaybe: rows.keyBy('maybe', 'word'),
  byName: rows.keyBy('name', 'yes'),
}))

const rows = Array.from({ length: 60 }, (_, i) => ({
  small: (i - 30) * 7919,
  big: BigInt(i - 30) * 2n ** 40n,
  real: i === 0 ? -0 : i === 1 ? Number.NaN : (i - 30) / 7,
  yes: i % 2 === 0,
  word: i % 3 === 0 ? `w${i}` : `a longer word, number ${i}, ü`,
  at: 1_700_000_000_000_000n + BigInt(i),
  price: `${i}.${i % 10}0`,
  raw: Uint8Array.of(i, 255 - i),
  maybe: i % 4 === 0 ? null : BigInt(i),
  name: i % 5 === 0 ? null : `n${i}`,
}))

test('every key is found, at every process, by asking one worker', async () => {
  const world = new SimulatedWorld({ seed: 21 })
  const facts = new MemoryFacts({ now: () => world.now, monotonic: () => world.now })
  world.start('c', async (environment) => {
    await new Coordinator(environment, new MemoryStore(facts), {
      cluster: 'test',
      token: TOKEN,
      host: 'c',
      port: 7000,
      minimumProcesses: 3,
    }).start()
  })
  const at = world.now
  const source = new ScriptedSource(
    new Map([['one', rows.map((row) => ({ at, run: { op: 'insert' as const, rows: [row] } }))]]),
    () => world.now,
  )
  const gateways: Gateway[] = []
  const asked: number[] = []
  for (const name of ['a', 'b', 'c1'])
    world.start(name, async (environment) => {
      const loader = { load: () => ({ job: routed as never, sources: { rows: source }, config: {} }) }
      const worker = new WorkerProcess(environment, new SimulatedThreads(environment, loader), loader, {
        cluster: 'test',
        coordinators: ['http://c:7000'],
        group: 'default',
        name,
        threads: 2,
        listen: { host: name, port: 7100 },
        token: TOKEN,
        version: '1.0.0',
      })
      const command = worker.command.bind(worker)
      worker.command = (number, what) => {
        if (what.kind === 'read') asked.push(number)
        command(number, what)
      }
      const gateway = new Gateway(worker)
      gateways.push(gateway)
      worker.attach({ events: gateway.events, handler: () => new Response(null, { status: 404 }) })
      await worker.start()
    })
  world.start('client', async (environment) => {
    const request = new Request('http://c:7000/v1/jobs', {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'routed', group: 'default', code: 'x', digest: sha256('x') }),
    })
    expect((await environment.network.fetch(request)).status).toBe(201)
  })
  await world.run(8 * SECOND)
  expect(gateways.map(({ jobs }) => jobs[0]?.state)).toEqual(['running', 'running', 'running'])
  const workers = new Set<number>()
  let n = 0
  for (const [output, definition] of Object.entries(routed.outputs))
    for (const row of rows) {
      const names = definition.key as readonly (keyof typeof COLUMNS)[]
      const key = Object.fromEntries(names.map((name) => [name, row[name]]))
      asked.length = 0
      const found = gateways[n++ % 3].read({ job: 'routed', output, key, limit: 100 })
      await world.settled(found, SECOND)
      const expected = rows.filter((other) => names.every((name) => String(other[name]) === String(row[name])))
      expect((await found).rows.map((one) => one.row['small']).sort(), `${output} ${String(Object.values(key))}`).toEqual(
        expected.map(({ small }) => small).sort(),
      )
      expect(asked).toHaveLength(1)
      workers.add(asked[0])
    }
  // Equal keys that are written differently are one key, at one worker.
  for (const [output, key] of [
    ['byReal', { real: 0 }],
    ['byPrice', { price: '7.7' }],
  ] as const) {
    const found = gateways[0].read({ job: 'routed', output, key, limit: 10 })
    await world.settled(found, SECOND)
    expect((await found).rows.length, output).toBeGreaterThan(0)
  }
  expect(workers.size).toBe(6)
})
