import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FEED_WINDOW_BYTES, type ThreadCommand } from '../../runtime/protocol/thread.ts'
import type { LocalThreadOptions } from '../../worker/local-threads.ts'
import { BuiltEntries } from './built-entry.ts'
import { Mesh } from './mesh.ts'

const entries = new BuiltEntries()
let entry: URL
beforeAll(async () => {
  entry = await entries.build(new URL('./entries/scripted.ts', import.meta.url))
})
afterAll(() => entries.remove())

let mesh: Mesh | null = null
const start = (threads: number, options?: Partial<LocalThreadOptions>): Mesh => {
  mesh = new Mesh(threads, entry, options)
  return mesh
}
afterEach(async () => {
  await mesh?.end()
  mesh = null
})

const advance = (time: number): ThreadCommand => ({ kind: 'advance', dataflow: 1, time })

describe('dataflow threads', () => {
  it('bring messages between siblings, each once and in order, however small the rings are', async () => {
    const { feed, heard } = bound(start(3, { ringBytes: 4096 }))
    for (let from = 0; from < 3; from++) for (let to = 0; to < 3; to++) if (from !== to) feed(from, `flood ${10 + to} -3000`, 3000)
    for (let to = 0; to < 3; to++) {
      const completes = await heard(to, 'complete', 2)
      expect(completes.map(({ time }) => time)).toEqual([3000, 3000])
      expect(new Set(completes.map(({ dataflow }) => dataflow))).toEqual(new Set([10, 11, 12].filter((worker) => worker !== 10 + to)))
    }
  })

  it('do so while they never sleep', async () => {
    const { feed, heard } = bound(start(2, { ringBytes: 4096, spinAlways: true }))
    feed(0, 'flood 11 -1000', 200)
    feed(1, 'flood 10 -1000', 200)
    for (const thread of [0, 1]) expect((await heard(thread, 'complete'))[0].time).toBe(200)
  })

  it('bring messages that are larger than a ring', async () => {
    const { feed, heard } = bound(start(2, { ringBytes: 4096 }))
    feed(0, 'flood 11 300000', 20)
    feed(1, 'flood 10 300000', 20)
    expect((await heard(0, 'complete'))[0].time).toBe(20)
    expect((await heard(1, 'complete'))[0].time).toBe(20)
  })

  it('pass messages for other processes through the main thread, and take those of others', async () => {
    const mesh = start(2)
    mesh.feed(0, 'flood 50 24', 3)
    const sent = await mesh.heard(0, 'peer', 3)
    expect(sent.map(({ to, bytes }) => [to, bytes.length, bytes[0]])).toEqual([
      [50, 24, 0],
      [50, 24, 1],
      [50, 24, 2],
    ])
    for (const { bytes } of sent) mesh.ports[1].send({ kind: 'peer', from: 77, bytes })
    expect(await mesh.heard(1, 'complete')).toEqual([{ kind: 'complete', dataflow: 77, time: 3 }])
  })

  it('keep the order of feeds and advances, and let other commands pass those that wait', async () => {
    const mesh = start(1)
    const [port] = mesh.ports
    port.send({ kind: 'drop', dataflow: 1 })
    port.send(advance(1))
    mesh.feed(0, 'taken', 7)
    port.send(advance(2))
    mesh.feed(0, 'taken', 8)
    port.send(advance(3))
    port.send({ kind: 'ask-stats' })
    const [{ stats }] = await mesh.heard(0, 'stats')
    expect(stats.worker).toBe(10)
    expect(stats.inboundMessages).toBe(4)
    expect(stats.heapBytes).toBeGreaterThan(1 << 20)
    expect((await mesh.heard(0, 'complete')).map(({ time }) => time)).toEqual([1])
    port.send({ kind: 'start', dataflow: 1, times: [] })
    expect((await mesh.heard(0, 'complete', 5)).map(({ time }) => time)).toEqual([1, 7, 2, 8, 3])
  })

  it('tell how much waits for them, and when it no longer does', async () => {
    const mesh = start(1)
    const [port] = mesh.ports
    const rows = Array.from({ length: 1000 }, (_, i) => ({ number: i, text: 'x'.repeat(100) }))
    port.send({ kind: 'drop', dataflow: 1 })
    let drained = 0
    const drain = new Promise<void>((resolve) => {
      port.onDrain = () => {
        drained++
        resolve()
      }
    })
    let fed = 0
    for (; port.waitingBytes <= 2 * FEED_WINDOW_BYTES; fed++) mesh.feed(0, 'taken', 1, rows)
    port.send({ kind: 'ask-stats' })
    await mesh.heard(0, 'stats')
    expect(port.waitingBytes).toBeGreaterThan(2 * FEED_WINDOW_BYTES)
    expect(drained).toBe(0)
    port.send({ kind: 'start', dataflow: 1, times: [] })
    await drain
    expect(port.waitingBytes).toBeLessThanOrEqual(FEED_WINDOW_BYTES / 2)
    await mesh.heard(0, 'complete', fed)
    port.send({ kind: 'ask-stats' })
    await mesh.heard(0, 'stats', 2)
    expect(port.waitingBytes).toBeLessThan(100)
    expect(drained).toBe(1)
  })

  it('take no feeds while a sibling does not take what they say', async () => {
    const mesh = start(2)
    mesh.feed(1, 'work', 1e12)
    mesh.ports[1].send({ kind: 'ask-stats' })
    await mesh.heard(1, 'stats')
    for (let i = 0; i < 12; i++) mesh.feed(0, 'flood 11 1000000', 1)
    mesh.feed(0, 'taken', 99)
    mesh.ports[0].send({ kind: 'ask-stats' })
    const [{ stats }] = await mesh.heard(0, 'stats')
    expect(stats.outboundBytes).toBeGreaterThanOrEqual(8 << 20)
    expect(stats.outboundBytes).toBeLessThan(10 << 20)
    expect(stats.inboundMessages).toBeGreaterThanOrEqual(1)
    expect(mesh.events.filter(({ event }) => event.kind === 'complete')).toEqual([])
  })

  it('forget what waits when a generation begins', async () => {
    const mesh = start(1)
    const [port] = mesh.ports
    port.send({ kind: 'drop', dataflow: 1 })
    mesh.feed(0, 'taken', 7)
    port.send(advance(2))
    mesh.configure(1)
    port.send({ kind: 'start', dataflow: 1, times: [] })
    port.send(advance(3))
    port.send({ kind: 'ask-stats' })
    await mesh.heard(0, 'stats')
    expect((await mesh.heard(0, 'complete')).map(({ time }) => time)).toEqual([3])
    expect(port.waitingBytes).toBe(0)
  })

  it('that throw are told to be broken, once', async () => {
    const mesh = start(2)
    mesh.feed(0, 'throw', 1)
    await expect(mesh.heard(0, 'complete')).rejects.toThrow('as told')
    mesh.ports[0].send(advance(1))
    expect(mesh.ports[0].waitingBytes).toBe(0)
    await mesh.ports[0].terminate()
    expect(mesh.events.filter(({ event }) => event.kind === 'broken')).toHaveLength(1)
  })

  it('that run out of memory are told to be broken', async () => {
    const mesh = start(1, { maximumHeapMegabytes: 32 })
    mesh.feed(0, 'grow', 1)
    await expect(mesh.heard(0, 'complete')).rejects.toThrow(/memory/i)
  })

  it('end when they are told to stop, with what they said before', async () => {
    const mesh = start(2)
    mesh.feed(0, 'flood 11 100', 100)
    await mesh.heard(1, 'complete')
    mesh.ports[1].send({ kind: 'stop' })
    expect((await mesh.heard(1, 'complete', 2))[1]).toEqual({ kind: 'complete', dataflow: -1, time: 100 })
    await mesh.ports[1].terminate()
    expect(mesh.events.filter(({ event }) => event.kind === 'broken')).toEqual([])
  })

  it('are terminated while they are busy, and while they sleep', async () => {
    const mesh = start(2)
    mesh.feed(0, 'spin', 1)
    mesh.ports[1].send({ kind: 'ask-stats' })
    await mesh.heard(1, 'stats')
    await Promise.all(mesh.ports.map((port) => port.terminate()))
    expect(mesh.events.filter(({ event }) => event.kind === 'broken')).toEqual([])
  })

  it('do not use the processor while they have nothing to do', async () => {
    const mesh = start(4)
    for (let i = 0; i < 4; i++) mesh.ports[i].send({ kind: 'ask-stats' })
    for (let i = 0; i < 4; i++) await mesh.heard(i, 'stats')
    const before = process.cpuUsage()
    await new Promise((resolve) => setTimeout(resolve, 500))
    const { user, system } = process.cpuUsage(before)
    expect(user + system).toBeLessThan(250_000)
  })
})

/** The methods by themselves. */
function bound(mesh: Mesh): { feed: Mesh['feed']; heard: Mesh['heard'] } {
  return { feed: mesh.feed.bind(mesh), heard: mesh.heard.bind(mesh) as Mesh['heard'] }
}
