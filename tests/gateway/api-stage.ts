/** The HTTP API of two fake processes under the simulated clock: what its tests ask, and how they read events. */
import { expect } from 'vitest'
import { array, bool, bytes, decimal, float64, int32, int64, json, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import type { HttpHandler } from '../../runtime/env/network.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import { Gateway } from '../../worker/process/gateway.ts'
import { queryHandler } from '../../worker/process/query-http.ts'
import { FakeGroup, type FakeProcess, outputShape } from './fake-group.ts'

const EVERYTHING = {
  small: int32,
  big: int64,
  real: float64,
  yes: bool,
  word: text,
  at: timestamp,
  price: decimal,
  raw: bytes,
  any: json(),
  list: array(int64),
  maybe: nullable(int64),
}

const SHAPES = [
  outputShape('accounts', { accountId: int32, ownerId: int32, frauds: int64 }, { key: ['accountId'], sharded: true }),
  outputShape('bySensor', { sensor: text, slot: int32, n: int64 }, { key: ['sensor', 'slot'], sharded: true }),
  outputShape('orders', { customer: int32, item: text }, { key: ['customer'], sharded: true }),
  outputShape('everything', EVERYTHING, { key: Object.keys(EVERYTHING), sharded: true }),
  outputShape('plain', { word: text }),
  outputShape('log', { id: int32 }, { kept: false }),
]

// biome-ignore lint/suspicious/noExplicitAny: what a client gets is looked into without types
export type Json = any

export let environment: SimulatedEnvironment
export let group: FakeGroup
export let processes: FakeProcess[]
export let gateways: Gateway[]
export let handlers: HttpHandler[]

/** Before each test. */
export async function begin(): Promise<void> {
  environment = new SimulatedEnvironment({ seed: 7 })
  group = new FakeGroup(environment, 7, SHAPES)
  processes = [group.add('a', 2), group.add('b', 2)]
  gateways = processes.map((process) => {
    const gateway = new Gateway(process)
    process.face = gateway.events
    return gateway
  })
  handlers = gateways.map((gateway) => queryHandler({ gateway, timers: environment.timers, token: null }))
  group.begin(processes, null)
  await environment.run(200_000)
}

export function put(output: string, rows: readonly object[], diff = 1): number {
  return group.commit(new Map([[output, rows.map((row) => ({ row, diff }) as CountedRow)]]))
}

export async function finish<T>(work: Promise<T> | T, microseconds = 6_000_000): Promise<T> {
  const [found] = await Promise.all([work, environment.run(microseconds)])
  return found
}

export async function ask(path: string, at = 0, init: RequestInit = {}): Promise<{ status: number; body: Json; headers: Headers }> {
  const response = await finish(handlers[at](new Request(`http://127.0.0.1${path}`, init)))
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, body: type.includes('json') ? await response.json() : await response.text(), headers: response.headers }
}

/** Reads server-sent events. */
export class Events {
  readonly seen: { event: string; id: string | null; data: Json }[] = []
  comments = 0
  ended = false
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>
  private text = ''

  constructor(response: Response) {
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    this.reader = (response.body as ReadableStream<Uint8Array>).getReader()
    void this.pump()
  }

  async pump(): Promise<void> {
    for (;;) {
      const { done, value } = await this.reader.read()
      if (done) break
      this.text += new TextDecoder().decode(value)
      for (let end = this.text.indexOf('\n\n'); end >= 0; end = this.text.indexOf('\n\n')) {
        this.take(this.text.slice(0, end))
        this.text = this.text.slice(end + 2)
      }
    }
    this.ended = true
  }

  cancel(): Promise<void> {
    return this.reader.cancel()
  }

  private take(block: string): void {
    if (block.startsWith(':')) this.comments++
    const fields = Object.fromEntries(
      block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
    )
    if (fields['event'] !== undefined)
      this.seen.push({ event: fields['event'], id: fields['id'] ?? null, data: JSON.parse(fields['data']) })
  }
}

export async function events(path: string, at = 0, headers: Record<string, string> = {}): Promise<Events> {
  const response = await finish(handlers[at](new Request(`http://127.0.0.1${path}`, { headers })), 0)
  expect(response.status).toBe(200)
  const found = new Events(response)
  await environment.run(200_000)
  return found
}
