/** What strangers can do to a port, on Node. */
import { once } from 'node:events'
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HttpServer } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { MAXIMUM_HEADER_BYTES, MAXIMUM_PENDING_SOCKETS } from '../../runtime/env/node-network.ts'
import { numbered, Recorder } from './stage.ts'

const { network } = nodeEnvironment()

interface Port {
  readonly server: HttpServer
  readonly accepted: Recorder[]
  readonly errors: unknown[]
}

async function open(token: string | null = 'sesame'): Promise<Port> {
  const accepted: Recorder[] = []
  const errors: unknown[] = []
  const server = await network.serve(
    {
      port: 0,
      onError: (error) => void errors.push(error),
      connections: { token, maximumMessageBytes: 1 << 20, accept: (connection) => void accepted.push(new Recorder(connection)) },
    },
    () => new Response('hello'),
  )
  return { server, accepted, errors }
}

/** Sends bytes, and gives all that comes until the other end closes. */
async function answerTo(port: number, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connectSocket(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  for (const part of parts) socket.write(part)
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return text
}

function upgradeRequest(headers: Readonly<Record<string, string>> = {}, path = '/x'): string {
  const all = {
    host: '127.0.0.1',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

const AUTHORIZED = { authorization: 'Bearer sesame' }

async function stillWorks({ server, accepted }: Port): Promise<void> {
  const before = accepted.length
  const end = new Recorder(await network.connect(server.url, { token: 'sesame' }))
  end.connection.send(numbered(1))
  await accepted[before].got(1)
  end.connection.close()
  await end.closed()
}

describe('a port on Node', () => {
  it('answers garbage with an error and goes on', async () => {
    const port = await open()
    expect(await answerTo(port.server.port, 'garbage\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    expect(await answerTo(port.server.port, new Uint8Array(100_000).fill(0x16))).toMatch(/^(HTTP\/1.1 400|$)/)
    expect(await answerTo(port.server.port, `GET / HTTP/1.1\r\nx: ${'y'.repeat(MAXIMUM_HEADER_BYTES)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/)
    await stillWorks(port)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        await answerTo(port.server.port, bytes, '\r\n\r\n\r\n')
      }),
      { numRuns: 50 },
    )
    await stillWorks(port)
    expect(port.errors).toEqual([])
    await port.server.close()
  })

  it('refuses improper requests to upgrade, by the status that fits', async () => {
    const port = await open()
    const attempt = (headers: Record<string, string>): Promise<string> => answerTo(port.server.port, upgradeRequest(headers))
    expect(await attempt({ ...AUTHORIZED, 'sec-websocket-key': 'short' })).toMatch(/^HTTP\/1.1 400/)
    expect(await attempt({ ...AUTHORIZED, 'sec-websocket-version': '99' })).toMatch(/^HTTP\/1.1 400/)
    expect(await attempt({ ...AUTHORIZED, upgrade: 'something' })).toMatch(/^HTTP\/1.1 400/)
    expect(await attempt({})).toMatch(/^HTTP\/1.1 401/)
    expect(await attempt({ authorization: 'sesame' })).toMatch(/^HTTP\/1.1 401/)
    expect(await attempt({ authorization: `Bearer ${'x'.repeat(8000)}` })).toMatch(/^HTTP\/1.1 401/)
    expect(port.accepted.length).toBe(0)
    await stillWorks(port)
    await port.server.close()
  })

  it('lets no page of another site in, even without a token', async () => {
    const port = await open(null)
    expect(await answerTo(port.server.port, upgradeRequest({ origin: 'https://evil.example' }))).toMatch(/^HTTP\/1.1 403/)
    expect(await answerTo(port.server.port, upgradeRequest({ origin: 'null' }))).toMatch(/^HTTP\/1.1 403/)
    expect(port.accepted.length).toBe(0)
    const own = connectSocket(port.server.port, '127.0.0.1')
    own.write(upgradeRequest({ origin: 'http://127.0.0.1' }))
    expect(String((await once(own, 'data'))[0])).toMatch(/^HTTP\/1.1 101/)
    own.destroy()
    await port.accepted[0].closed()
    await port.server.close()
  })

  it('closes connections whose frames are broken, and tells their owner', async () => {
    const port = await open()
    const frames: readonly (readonly [string, readonly number[]])[] = [
      ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0]],
      ['no mask', [0x82, 0x01, 0x00]],
      ['text', [0x81, 0x81, 0, 0, 0, 0, 0x41]],
      ['a length above the maximum', [0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]],
      ['a length of 63 bits', [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
      ['compression', [0xc2, 0x81, 0, 0, 0, 0, 0x41]],
    ]
    for (const [what, bytes] of frames) {
      const before = port.accepted.length
      const answer = await answerTo(port.server.port, upgradeRequest(AUTHORIZED), new Uint8Array(bytes))
      expect(answer, what).toMatch(/^HTTP\/1.1 101/)
      await port.accepted[before].closed()
      expect(port.accepted[before].messages.length, what).toBe(0)
      expect(port.accepted[before].reasons, what).toHaveLength(1)
    }
    const socket = connectSocket(port.server.port, '127.0.0.1')
    socket.write(upgradeRequest(AUTHORIZED))
    await once(socket, 'data')
    socket.write(new Uint8Array([0x82, 0xfe, 0x01]))
    socket.end()
    const last = port.accepted[port.accepted.length - 1]
    await last.closed()
    expect(last.messages.length).toBe(0)
    await stillWorks(port)
    await port.server.close()
  })

  it('bounds the sockets that say nothing: the oldest goes, and whoever speaks is served', async () => {
    const port = await open()
    const early = new Recorder(await network.connect(port.server.url, { token: 'sesame' }))
    const silent: Socket[] = []
    let closed = 0
    for (let i = 0; i < MAXIMUM_PENDING_SOCKETS + 40; i++) {
      const socket = connectSocket(port.server.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.on('close', () => closed++)
      silent.push(socket)
      await once(socket, 'connect')
    }
    await stillWorks(port)
    expect(early.connection.isOpen).toBe(true)
    expect(await (await network.fetch(new Request(port.server.url))).text()).toBe('hello')
    expect(closed).toBeGreaterThanOrEqual(40)
    expect(closed).toBeLessThanOrEqual(43)
    expect(silent.slice(0, 40).every((socket) => socket.destroyed)).toBe(true)
    expect(silent[silent.length - 1].destroyed).toBe(false)
    await port.server.close()
    for (const socket of silent) socket.destroy()
  })
})

describe('connecting from Node', () => {
  it('gives up in time where something listens and says nothing', async () => {
    const sockets: Socket[] = []
    const mute = createServer((socket) => void sockets.push(socket))
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const { port } = mute.address() as { port: number }
    const started = Date.now()
    await expect(network.connect(`http://127.0.0.1:${port}/`, { timeoutMilliseconds: 200 })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('no answer within 200 ms'),
    })
    expect(Date.now() - started).toBeLessThan(2000)
    for (const socket of sockets) socket.destroy()
    mute.close()
  })

  it('is not taken in by what answers otherwise', async () => {
    const answers = [
      'SSH-2.0-OpenSSH\r\n',
      'HTTP/1.1 101 Switching Protocols\r\n\r\n',
      'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n',
    ]
    const codes: string[] = []
    for (const text of [...answers, `HTTP/1.1 500 X\r\n\r\n${'x'.repeat(1 << 20)}`, 'HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n', '']) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => socket.end(text))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      codes.push(
        await network.connect(`http://127.0.0.1:${port}/`).then(
          () => 'connected',
          (error: { code: string }) => error.code,
        ),
      )
      server.close()
    }
    expect(codes).toEqual(['UNREACHABLE', 'REFUSED', 'REFUSED', 'REFUSED', 'UNREACHABLE', 'UNREACHABLE'])
  })

  it('does not write the token into errors', async () => {
    const port = await open()
    const error = (await network.connect(port.server.url, { token: 'very-secret' }).catch((thrown: unknown) => thrown)) as Error
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('very-secret')
    await port.server.close()
  })
})
