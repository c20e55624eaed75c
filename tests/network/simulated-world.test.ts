import { describe, expect, it } from 'vitest'
import type { Connection } from '../../runtime/env/connection.ts'
import type { DiskFile } from '../../runtime/env/disk.ts'
import type { SimulatedHost } from '../../runtime/env/simulated-host.ts'
import { SimulatedWorld, type WorldOptions } from '../../runtime/env/simulated-world.ts'
import { FaultSchedule } from './fault-schedule.ts'
import { numbered, numberOf, Recorder } from './stage.ts'

const ms = 1000
const second = 1_000_000

interface Talk {
  readonly world: SimulatedWorld
  readonly client: Recorder
  readonly server: Recorder
  readonly url: string
}

/** A connection from host a to host b. */
async function talk(options: Partial<WorldOptions> = {}): Promise<Talk> {
  const world = new SimulatedWorld({ seed: 1, ...options })
  const accepted: Recorder[] = []
  const accept = (connection: Connection): void => void accepted.push(new Recorder(connection))
  const url = 'http://b:7000'
  const listen = async (environment: SimulatedHost): Promise<void> => {
    await environment.network.serve({ host: 'b', port: 7000, connections: { token: null, accept } }, () => new Response('hello'))
  }
  world.start('b', listen)
  const connection = await world.settled(world.host('a').network.connect(url), second)
  return { world, url, client: new Recorder(connection), server: accepted[0] }
}

const numbers = (end: Recorder): number[] => end.messages.map(numberOf)

describe('a crash', () => {
  it('breaks connections for the others, after a part of what was under way; the dead process does nothing more', async () => {
    const delivered = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      const { world, client, server, url } = await talk({ seed })
      let ticks = 0
      world.host('a').timers.setInterval(() => ticks++, 1)
      await world.run(10 * ms)
      expect(ticks).toBe(10)
      for (let n = 0; n < 5; n++) client.connection.send(numbered(n))
      server.connection.send(numbered(9))
      world.crash('a')
      await world.run(second)
      expect(ticks).toBe(10)
      expect(numbers(server)).toEqual([0, 1, 2, 3, 4].slice(0, server.messages.length))
      delivered.add(server.messages.length)
      expect(server.reasons).toEqual(['the connection was lost: the other process is gone'])
      expect([client.reasons, client.messages.length]).toEqual([[], 0])
      await expect(world.settled(world.host('b').network.connect('http://a:1/'), second)).rejects.toMatchObject({ code: 'UNREACHABLE' })
      const again = world.restart('a')
      expect(again.incarnation).toBe(2)
      await expect(world.settled(again.network.connect(url), second)).resolves.toBeDefined()
    }
    expect(delivered.size).toBeGreaterThan(3)
  })

  it('of a whole machine is never told; a machine that is back knows nothing of old connections', async () => {
    const { world, client, server } = await talk()
    world.crash('b', { halfOpen: true })
    client.connection.send(numbered(1))
    await world.run(60 * second)
    expect([client.reasons, client.connection.isOpen, server.messages.length]).toEqual([[], true, 0])
    const attempt = world.host('a').network.connect('http://b:7000', { timeoutMilliseconds: 500 })
    await expect(world.settled(attempt, second)).rejects.toMatchObject({ message: expect.stringContaining('no answer within 500 ms') })
    world.restart('b')
    await world.run(second)
    expect(client.reasons).toEqual([])
    client.connection.send(numbered(2))
    await world.run(second)
    expect(client.reasons).toEqual(['the connection was lost: the other end knows nothing of it'])
  })

  it('may lose what was not synced, also between two operations; a killed process alone loses nothing', async () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 100; seed++) {
      const world = new SimulatedWorld({ seed })
      world.start('a', async ({ disk }) => {
        const file = await disk.open('/log', 'write')
        await disk.syncDirectory('/')
        for (let n = 0; n < 100; n++) {
          await file.write(n, new Uint8Array([n + 1]))
          if (n % 10 === 9) await file.sync()
        }
      })
      await world.run(world.random('test').below(40 * ms))
      const losesUnsynced = seed % 2 === 0
      const before = await sizeOf(world)
      world.crash('a', { losesUnsynced })
      world.host('a')
      const after = await sizeOf(world)
      if (!losesUnsynced) expect(after).toBe(before)
      else expect(after).toBeGreaterThanOrEqual(10 * (Math.ceil(before / 10) - 1))
      lengths.add(after)
    }
    expect(lengths.size).toBeGreaterThan(30)
  })

  async function sizeOf(world: SimulatedWorld): Promise<number> {
    const file = (await world.host('a').storage.open('/log', 'read')) as DiskFile | null
    return file === null ? 0 : (await file.stat()).size
  }

  it('leaves the old environment without effect', async () => {
    const world = new SimulatedWorld({ seed: 3 })
    const old = world.host('a', { diskFaults: { delay: 0 } })
    world.crash('a')
    let happened = 0
    const note = (): void => void happened++
    void old.disk.open('/x', 'write').then(note)
    void old.network.connect('http://a:1/').catch(note)
    void old.network.fetch(new Request('http://a:1/')).catch(note)
    old.timers.setTimeout(note, 1)
    world.restart('a')
    await world.run(60 * second)
    expect(happened).toBe(0)
    expect(await world.host('a').storage.list('/')).toEqual([])
  })

  it('ends programs, and a restart begins them again with what the disk has', async () => {
    const world = new SimulatedWorld({ seed: 3 })
    const starts: string[] = []
    world.start('a', async (environment) => {
      const file = await environment.disk.open('/starts', 'write')
      const { size } = await file.stat()
      starts.push(`${environment.incarnation} ${size}`)
      await file.write(size, new Uint8Array(1))
      await file.sync()
      await environment.disk.syncDirectory('/')
      await new Promise<void>((resolve) => environment.timers.setTimeout(resolve, 3_600_000))
      starts.push('never')
    })
    for (let n = 0; n < 3; n++) {
      await world.run(second)
      world.restart('a')
    }
    await world.run(second)
    expect(starts).toEqual(['1 0', '2 1', '3 2', '4 3'])
  })
})

describe('a stopped host', () => {
  it('does nothing, is not told to the others, and goes on with everything at once', async () => {
    const { world, client, server } = await talk()
    const a = world.host('a')
    const fired: number[] = []
    for (const due of [30, 10, 20]) a.timers.setTimeout(() => fired.push(due), due)
    let ticks = 0
    a.timers.setInterval(() => ticks++, 1)
    server.connection.send(numbered(1))
    world.pause('a')
    const before = { wall: a.clock.now(), monotonic: a.clock.monotonic() }
    for (let n = 0; n < 5; n++) server.connection.send(numbered(n))
    await world.run(60 * second)
    expect([fired, ticks, client.messages.length, server.reasons, server.connection.isOpen]).toEqual([[], 0, 0, [], true])
    world.resume('a')
    await world.run(0)
    expect(fired).toEqual([10, 20, 30])
    expect(ticks).toBe(1)
    expect(numbers(client)).toEqual([1, 0, 1, 2, 3, 4])
    expect([a.clock.now() - before.wall, a.clock.monotonic() - before.monotonic]).toEqual([60 * second, 60 * second])
    await world.run(10 * ms)
    expect(ticks).toBe(11)
  })

  it('that is killed never goes on', async () => {
    const { world, client, server } = await talk()
    world.pause('a')
    server.connection.send(numbered(1))
    await world.run(second)
    world.crash('a')
    world.resume('a')
    await world.run(second)
    expect(client.messages.length).toBe(0)
    expect(server.reasons.length).toBe(1)
  })

  it('takes connections when it goes on, and finds that whoever asked has gone', async () => {
    const { world, url, server } = await talk()
    world.pause('b')
    const attempt = world.host('a').network.connect(url, { timeoutMilliseconds: 100 })
    await expect(world.settled(attempt, second)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    world.resume('b')
    await world.run(second)
    expect(server.reasons).toEqual([])
  })
})

describe('a partition', () => {
  it('stalls what is sent, tells nobody, and heals without loss', async () => {
    const { world, client, server } = await talk()
    world.host('c')
    client.connection.send(numbered(0))
    world.partition('a', 'b')
    for (let n = 1; n < 100; n++) client.connection.send(numbered(n, 2000))
    server.connection.send(numbered(0))
    await world.run(60 * second)
    expect([server.messages.length, client.messages.length, server.reasons, client.reasons]).toEqual([0, 0, [], []])
    expect(client.connection.bufferedBytes).toBeGreaterThan(100_000)
    world.heal('c')
    await world.run(second)
    expect(server.messages.length).toBe(0)
    world.heal('a', 'b')
    await world.run(second)
    expect(numbers(server)).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect([numbers(client), client.drains]).toEqual([[0], 1])
  })

  it('in one direction lets the other pass', async () => {
    const { world, client, server, url } = await talk()
    world.partition('a', 'b', { oneWay: true })
    client.connection.send(numbered(1))
    server.connection.send(numbered(2))
    await world.run(second)
    expect([server.messages.length, numbers(client)]).toEqual([0, [2]])
    await expect(world.settled(world.host('a').network.connect(url), 10 * second)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    world.heal()
    await world.run(second)
    expect(numbers(server)).toEqual([1])
  })

  it('keeps news of a crash from the other side until it heals', async () => {
    const { world, server } = await talk()
    world.isolate('a')
    world.crash('a')
    await world.run(60 * second)
    expect(server.reasons).toEqual([])
    world.heal()
    await world.run(second)
    expect(server.reasons.length).toBe(1)
  })
})

describe('a bad link', () => {
  it('breaks connections, with what was under way lost', async () => {
    const { world, client, server } = await talk()
    for (let n = 0; n < 10; n++) client.connection.send(numbered(n))
    expect(world.breakConnections('a', 'b')).toBe(1)
    await world.run(second)
    expect([server.messages.length, server.reasons.length, client.reasons.length]).toEqual([0, 1, 1])
    expect([client.connection.isOpen, server.connection.isOpen]).toEqual([false, false])
  })

  it('loses: a connection delivers all up to a message and none behind it', async () => {
    const { world, client, server } = await talk()
    world.setLink('a', 'b', { loss: 0.05 })
    for (let n = 0; n < 200; n++) client.connection.send(numbered(n))
    await world.run(second)
    expect(server.messages.length).toBeLessThan(200)
    expect(numbers(server)).toEqual(Array.from({ length: server.messages.length }, (_, n) => n))
    expect([server.reasons.length, client.reasons.length]).toEqual([1, 1])
  })

  it('duplicates and corrupts', async () => {
    const { world, client, server } = await talk()
    world.setLink('a', 'b', { duplicate: 0.5 })
    for (let n = 0; n < 100; n++) client.connection.send(numbered(n))
    await world.run(second)
    expect(server.messages.length).toBeGreaterThan(120)
    expect([...new Set(numbers(server))]).toEqual(Array.from({ length: 100 }, (_, n) => n))
    world.setLink('a', 'b', { duplicate: 0, corrupt: 1 })
    server.messages.length = 0
    client.connection.send(numbered(5, 100))
    await world.run(second)
    const different = numbered(5, 100).filter((byte, i) => byte !== server.messages[0][i])
    expect(different.length).toBe(1)
  })

  it('takes its time, and has a width', async () => {
    const { world, client, server } = await talk()
    world.setLink('a', 'b', { minimumDelay: 20, maximumDelay: 20, bytesPerMillisecond: 1000 })
    const sent = world.now
    const arrivals: number[] = []
    server.connection.onMessage = () => void arrivals.push(world.now - sent)
    for (let n = 0; n < 3; n++) client.connection.send(new Uint8Array(5000))
    await world.run(second)
    expect(arrivals).toEqual([25 * ms, 30 * ms, 35 * ms])
  })

  it('finds out senders that change what they sent, and receivers that rely on alignment', async () => {
    const { world, client, server } = await talk()
    const bytes = numbered(1, 100)
    client.connection.send(bytes)
    bytes[50] = 99
    for (let n = 0; n < 50; n++) client.connection.send(numbered(n))
    await world.run(second)
    expect(server.messages[0][50]).toBe(99)
    expect(new Set(server.messages.map((message) => message.byteOffset % 8)).size).toBe(8)
  })
})

describe('clocks', () => {
  it('are off, drift and jump, and monotonic ones never do', async () => {
    const world = new SimulatedWorld({ seed: 1, start: 0 })
    const ahead = world.host('ahead', { skew: 5 * second })
    const fast = world.host('fast', { drift: 100_000, monotonicStart: 0 })
    const fired: number[] = []
    fast.timers.setTimeout(() => fired.push(world.now), 1100)
    await world.run(10 * second)
    expect(ahead.clock.now()).toBe(15 * second)
    expect([fast.clock.now(), fast.clock.monotonic()]).toEqual([11 * second, 11 * second])
    expect(fired).toEqual([second])
    const before = ahead.clock.monotonic()
    world.jumpClock('ahead', -20 * second)
    expect(ahead.clock.now()).toBe(-5 * second)
    expect(ahead.clock.monotonic()).toBe(before)
    expect(world.restart('ahead').clock.now()).toBe(-5 * second)
  })
})

describe('HTTP between hosts', () => {
  it('fails when the server crashes, stalls in a partition, and is given up at once where nobody listens', async () => {
    const { world } = await talk()
    const { network } = world.host('a')
    const fetched = async (): Promise<string> => (await network.fetch(new Request('http://b:7000/'))).text()
    expect(await world.settled(fetched(), second)).toBe('hello')
    await expect(world.settled(network.fetch(new Request('http://b:1/')), second)).rejects.toThrow('fetch failed')
    await expect(world.settled(network.fetch(new Request('http://127.0.0.1:7000/')), second)).rejects.toThrow('fetch failed')
    world.partition('a', 'b')
    let over = false
    const stalled = fetched().finally(() => {
      over = true
    })
    await world.run(10 * second)
    expect(over).toBe(false)
    world.heal()
    expect(await world.settled(stalled, second)).toBe('hello')
    world.pause('b')
    const waiting = fetched()
    await world.run(second)
    world.crash('b')
    await expect(world.settled(waiting, second)).rejects.toThrow('fetch failed')
  })

  it('tells a server that its client has crashed', async () => {
    const world = new SimulatedWorld({ seed: 5 })
    let aborted = 0
    let cancelled = 0
    await world.host('b').network.serve({ host: '0.0.0.0', port: 80 }, ({ signal }) => {
      signal.addEventListener('abort', () => aborted++)
      return new Response(new ReadableStream<Uint8Array>({ pull: (c) => c.enqueue(new Uint8Array(1)), cancel: () => void cancelled++ }))
    })
    const response = await world.settled(world.host('a').network.fetch(new Request('http://b/')), second)
    await world.settled((response.body as ReadableStream).getReader().read(), second)
    world.crash('a')
    await world.run(second)
    expect([aborted, cancelled]).toEqual([1, 1])
  })
})

describe('addresses', () => {
  it('are those of the host, once', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    const { network } = world.host('a')
    const own = await network.serve({ port: 0 }, () => new Response('own'))
    const named = await network.serve({ host: 'a', port: 80 }, () => new Response('named'))
    expect([own.url, named.url]).toEqual(['http://127.0.0.1:49152', 'http://a:80'])
    await expect(network.serve({ host: 'b', port: 1 }, () => new Response())).rejects.toMatchObject({ code: 'CONFIG' })
    await expect(network.serve({ host: 'a', port: 80 }, () => new Response())).rejects.toMatchObject({ code: 'CONFIG' })
    const text = async (from: string, url: string): Promise<string> =>
      world.settled((await world.settled(world.host(from).network.fetch(new Request(url)), second)).text(), second)
    expect(await text('a', own.url)).toBe('own')
    expect(await text('b', 'http://a/')).toBe('named')
    await expect(text('b', 'http://a:49152/')).rejects.toThrow('fetch failed')
    await named.close()
    await expect(text('b', 'http://a/')).rejects.toThrow('fetch failed')
  })
})

describe('a run', () => {
  it('fails with what a program or a timer throws', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    world.start('a', async ({ timers }) => {
      await new Promise<void>((resolve) => timers.setTimeout(resolve, 5))
      throw new Error('a broken program')
    })
    await expect(world.run(second)).rejects.toThrow('a broken program')
    const other = new SimulatedWorld({ seed: 1 })
    other.host('a').timers.setTimeout(() => {
      throw new Error('a broken timer')
    }, 1)
    await expect(other.run(second)).rejects.toThrow('a broken timer')
    await expect(other.settled(new Promise(() => undefined), second)).rejects.toThrow('did not happen within 1 simulated seconds')
  })

  it('is the same for the same seed, byte for byte, and another for another', async () => {
    const run = async (seed: number): Promise<string> => {
      const { lines, gossip } = await gossiping(seed, 20 * second)
      return `${lines.join('\n')}\n${gossip}`
    }
    const first = await run(1)
    expect(await run(1)).toBe(first)
    expect(first.length).toBeGreaterThan(10_000)
    for (const kind of ['crashes', 'crashes silently', 'stops', 'are parted', 'in one direction', 'break', 'jumps', 'lose', 'over:'])
      expect(first).toContain(kind)
    expect(await run(2)).not.toBe(first)
    // Seeds may use 53 bits.
    expect(await run(2 ** 40)).not.toBe(await run(2 ** 41))
  })

  it('comes to rest and delivers again once its faults are over', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const { world, faults, seen } = await gossiping(seed, 10 * second)
      expect(faults.count).toBeGreaterThan(10)
      faults.stop()
      await world.run(5 * second)
      const before = new Map(seen)
      await world.run(second)
      for (const a of world.hosts)
        for (const b of world.hosts)
          if (a !== b) expect(seen.get(`${a}>${b}`), `${seed} ${a}>${b}`).toBeGreaterThan(before.get(`${a}>${b}`) ?? 0)
    }
  })
})

/** Four hosts that all connect to each other, again and again, and talk, under faults. */
async function gossiping(seed: number, duration: number) {
  const lines: string[] = []
  const world = new SimulatedWorld({ seed, trace: (line) => void lines.push(line) })
  const seen = new Map<string, number>()
  const hosts = ['w1', 'w2', 'w3', 'w4']
  for (const host of hosts) world.host(host)
  for (const host of hosts) {
    world.start(host, async ({ network, timers, random, clock, disk }) => {
      const log = await disk.open('/log', 'write')
      await network.serve(
        {
          host,
          port: 1,
          connections: {
            token: 'sesame',
            accept: (connection, path) => {
              connection.onMessage = (bytes) => {
                const way = `${path.slice(1)}>${host}`
                seen.set(way, (seen.get(way) ?? 0) + 1)
                connection.send(bytes.slice(0, 10))
              }
            },
          },
        },
        () => new Response(),
      )
      const talkTo = async (other: string): Promise<void> => {
        try {
          const connection = await network.connect(`http://${other}:1/${host}`, { token: 'sesame', timeoutMilliseconds: 300 })
          let answered = clock.monotonic()
          connection.onMessage = () => {
            answered = clock.monotonic()
          }
          const timer = timers.setInterval(() => {
            if (clock.monotonic() - answered > second) connection.terminate()
            connection.send(random.bytes(20 + (random.uint32() % 100)))
          }, 50)
          await new Promise<void>((resolve) => {
            connection.onClose = () => resolve()
          })
          timer.clear()
        } catch {
          // Tried again below.
        }
        await log.write(0, random.bytes(8))
        timers.setTimeout(() => void talkTo(other), 100)
      }
      for (const other of hosts) if (other !== host) void talkTo(other)
    })
  }
  const faults = new FaultSchedule(world, { hosts, interval: 300 * ms, maximumOutage: 2 * second })
  await world.run(duration)
  return { world, lines, seen, faults, gossip: [...seen].sort().join(' ') }
}
