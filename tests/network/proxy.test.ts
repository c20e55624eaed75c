/** The proxy does what it is told, and connections on Node notice what they can. */
import { afterEach, describe, expect, it } from 'vitest'
import type { HttpServer } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { NetworkProxy } from './proxy.ts'
import { numbered, numberOf, Recorder } from './stage.ts'

const { network } = nodeEnvironment()

interface Through {
  readonly proxy: NetworkProxy
  readonly server: HttpServer
  readonly client: Recorder
  readonly far: Recorder
}

const opened: Through[] = []

async function through(): Promise<Through> {
  const accepted: Recorder[] = []
  const accept = (connection: Recorder['connection']): void => void accepted.push(new Recorder(connection))
  const server = await network.serve({ port: 0, connections: { token: null, accept } }, () => new Response())
  const proxy = await NetworkProxy.start(server.url)
  const client = new Recorder(await network.connect(proxy.url))
  const all = { proxy, server, client, far: accepted[0] }
  opened.push(all)
  return all
}

afterEach(async () => {
  for (const { proxy, server } of opened.splice(0)) await Promise.all([proxy.close(), server.close()])
})

describe('through a proxy', () => {
  it('everything passes as it is', async () => {
    const { client, far, proxy } = await through()
    for (let n = 0; n < 500; n++) client.connection.send(numbered(n))
    far.connection.send(numbered(7, 5_000_000))
    await Promise.all([far.got(500), client.got(1)])
    expect(far.messages.map(numberOf)).toEqual(Array.from({ length: 500 }, (_, n) => n))
    expect(Buffer.compare(client.messages[0], numbered(7, 5_000_000))).toBe(0)
    expect(proxy.connections).toBe(1)
    client.connection.close('bye')
    await Promise.all([client.closed(), far.closed()])
    expect(far.reasons).toEqual(['bye'])
  })

  it('a cut is heard at both ends', async () => {
    const { client, far, proxy } = await through()
    expect(proxy.cut()).toBe(1)
    await Promise.all([client.closed(), far.closed()])
    expect(client.reasons[0]).toMatch(/the connection was lost/)
    expect(far.reasons[0]).toMatch(/the connection was lost/)
    proxy.refuse()
    await expect(network.connect(proxy.url)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    proxy.refuse(false)
    const again = new Recorder(await network.connect(proxy.url))
    again.connection.close()
    await again.closed()
  })

  it('a stall holds back, in one direction or both, and nobody hears of it', async () => {
    const { client, far, proxy } = await through()
    proxy.stall('toServer')
    for (let n = 0; n < 10; n++) client.connection.send(numbered(n))
    far.connection.send(numbered(1))
    await client.got(1)
    expect([far.messages.length, far.reasons, client.reasons]).toEqual([0, [], []])
    proxy.stall()
    await expect(network.connect(proxy.url, { timeoutMilliseconds: 100 })).rejects.toMatchObject({ code: 'UNREACHABLE' })
    for (let n = 0; n < 300; n++) client.connection.send(numbered(n, 100_000))
    expect(client.connection.bufferedBytes).toBeGreaterThan(1_000_000)
    proxy.resume()
    await far.got(310)
    expect(far.messages.slice(0, 10).map(numberOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('a delay keeps the order', async () => {
    const { client, far, proxy } = await through()
    proxy.delayMilliseconds = 30
    const started = performance.now()
    for (let n = 0; n < 100; n++) client.connection.send(numbered(n))
    proxy.delayMilliseconds = 0
    client.connection.send(numbered(100))
    await far.got(101)
    expect(far.messages.map(numberOf)).toEqual(Array.from({ length: 101 }, (_, n) => n))
    // All left in one turn: chunks that the proxy had not read when the delay ended came behind those that waited.
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it.each(['duplicate', 'corrupt', 'drop', 'cut'] as const)(
    'a script that says %s for a chunk breaks the connection or its bytes',
    async (fate) => {
      const { client, far, proxy } = await through()
      client.connection.send(numbered(1, 1000))
      await far.got(1)
      const seen: number[] = []
      proxy.script = (direction, chunk, count) => {
        seen.push(count)
        return direction === 'toServer' && chunk.length > 500 && seen.length === 1 ? fate : 'pass'
      }
      client.connection.send(numbered(2, 1000))
      if (fate === 'cut') {
        await Promise.all([far.closed(), client.closed()])
        return
      }
      await until(() => seen.length > 0)
      client.connection.send(numbered(3, 1000))
      // A whole frame went missing, came twice, or has a bit turned: WebSockets do not notice, the protocol above must.
      const expected = { duplicate: [1, 2, 2, 3], corrupt: [1, 2, 3], drop: [1, 3] }[fate]
      await far.got(expected.length)
      expect(far.messages.map(numberOf)).toEqual(expected)
      if (fate === 'corrupt') expect(Buffer.compare(far.messages[1], numbered(2, 1000))).not.toBe(0)
    },
  )
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
