/** The API and the admin port over real HTTP on loopback. */
import { afterEach, expect, test } from 'vitest'
import { int32, text } from '../../runtime/data/column-type.ts'
import type { HttpServer } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import { GatewayFace } from '../../worker/process/gateway-face.ts'
import { FakeGroup, type FakeProcess, outputShape } from './fake-group.ts'
import { samplesOf } from './samples.ts'

const environment = nodeEnvironment()
const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(
  token: string | null,
): Promise<{ group: FakeGroup; faces: GatewayFace[]; servers: HttpServer[]; processes: FakeProcess[] }> {
  const group = new FakeGroup(environment, 5, [outputShape('rows', { id: int32, name: text }, { key: ['id'], sharded: true })])
  group.delay = 2
  const processes = [group.add('a', 1), group.add('b', 2)]
  const faces = processes.map((process, i) => {
    const face = new GatewayFace(process, { token, version: '1.0.0', nodeMetrics: i === 0 })
    process.face = face.events
    open.push(face)
    return face
  })
  const servers = await Promise.all(faces.map((face) => environment.network.serve({ port: 0 }, face.handler)))
  open.push(...servers)
  group.begin(processes, null)
  return { group, faces, servers, processes }
}

const rows = (...ids: number[]): Map<string, CountedRow[]> =>
  new Map([['rows', ids.map((id) => ({ row: { id, name: `n${id}` }, diff: 1 }))]])

/** Reads a stream of events until one satisfies, and gives all of it. */
async function until(reader: ReadableStreamDefaultReader<Uint8Array>, satisfies: (text: string) => boolean): Promise<string> {
  let found = ''
  while (!satisfies(found)) {
    const { done, value } = await reader.read()
    if (done) break
    found += new TextDecoder().decode(value)
  }
  return found
}

test('rows and changes at every process, and back again with the last id', async () => {
  const { group, servers, faces } = await start(null)
  const time = group.commit(rows(1, 2, 3))
  for (const { url } of servers) {
    const response = await fetch(`${url}/v1/jobs/shop/outputs/rows?atLeast=${time}&limit=2`)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      time,
      rows: [{ id: 1 }, { id: 2 }],
      next: '/v1/jobs/shop/outputs/rows?limit=2&from.id=3',
    })
  }
  const gone = new AbortController()
  const stream = await fetch(`${servers[0].url}/v1/jobs/shop/outputs/rows/changes?snapshot=true`, { signal: gone.signal })
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
  const snapshot = await until(reader, (text) => text.includes('"last":true'))
  expect(snapshot).toContain(`id: ${time}\ndata: {"time":${time}`)
  const next = group.commit(rows(4))
  expect(await until(reader, (text) => text.includes('event: changes') && text.endsWith('\n\n'))).toContain(`id: ${next}\n`)
  gone.abort()
  await expect.poll(() => faces[0].gateway.load.followers).toBe(0)
  const missed = group.commit(rows(5))
  const again = await fetch(`${servers[1].url}/v1/jobs/shop/outputs/rows/changes`, { headers: { 'last-event-id': String(next) } })
  const rest = (again.body as ReadableStream<Uint8Array>).getReader()
  const told = await until(rest, (text) => text.includes('event: changes') && text.endsWith('\n\n'))
  expect(told).toContain(`event: start\nid: ${next}\n`)
  expect(told).toContain(`event: changes\nid: ${missed}\n`)
  faces[1].close('it stops')
  expect(await until(rest, () => false)).toMatch(/event: end\ndata: \{"code":"CLOSED","message":"it stops"\}\n\n$/)
})

test('a client that does not read is told so, and holds nobody up', async () => {
  const { group, servers, faces } = await start(null)
  const lazy = await fetch(`${servers[0].url}/v1/jobs/shop/outputs/rows/changes?snapshot=true`)
  await expect.poll(() => faces[0].gateway.load.followers).toBe(1)
  let last = 0
  for (let i = 0; faces[0].gateway.load.followers === 1 && i < 200; i++) {
    last = group.commit(
      new Map([['rows', Array.from({ length: 200 }, (_, k) => ({ row: { id: i * 200 + k, name: 'x'.repeat(5000) }, diff: 1 }))]]),
    )
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(faces[0].gateway.load.followers).toBe(0)
  expect((await fetch(`${servers[0].url}/v1/jobs/shop/outputs/rows?id=0&atLeast=${last}`)).status).toBe(200)
  const all = await until((lazy.body as ReadableStream<Uint8Array>).getReader(), () => false)
  expect(all.slice(-300)).toContain('event: overflow')
})

test('a token over HTTP, and the metrics of Node beside ours', async () => {
  const { servers, faces } = await start('correct horse battery')
  expect((await fetch(`${servers[0].url}/v1/jobs`)).status).toBe(401)
  expect((await fetch(`${servers[0].url}/v1/jobs`, { headers: { authorization: 'Bearer correct horse battery' } })).status).toBe(200)
  const admin = await environment.network.serve({ port: 0 }, faces[0].admin)
  open.push(admin)
  expect((await fetch(`${admin.url}/livez`)).status).toBe(200)
  await expect.poll(async () => (await fetch(`${admin.url}/readyz`)).status).toBe(200)
  const response = await fetch(`${admin.url}/metrics`, { headers: { authorization: 'Bearer correct horse battery' } })
  const names = [...samplesOf(await response.text()).keys()]
  for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds', 'nodejs_heap_size_used_bytes', 'millrace_ready'])
    expect(names).toContain(name)
})
