/**
 * A TCP proxy for tests with real processes, which does to their connections what networks do: cut, delay, stall (half-open: nothing
 * passes and nobody is told), duplicate or corrupt chunks. Chunks are what one read of a socket gave, so that of an encrypted or framed stream
 * any part may be hit.
 */

import type { AddressInfo } from 'node:net'
import { createServer, type Server, Socket } from 'node:net'

export type Direction = 'toServer' | 'toClient'

/** What becomes of one chunk. */
export type ChunkFate = 'pass' | 'drop' | 'duplicate' | 'corrupt' | 'cut'

/** The proxy's script: asked for each chunk; `count` chunks went the same way on the same connection before. */
export type Script = (direction: Direction, chunk: Buffer, count: number) => ChunkFate

const DIRECTIONS: readonly Direction[] = ['toServer', 'toClient']
/** Bytes held back per direction of a connection before the sender is held back, too. */
const HELD_BYTES = 1 << 20

export class NetworkProxy {
  /** Where clients connect, `http://127.0.0.1:port`. */
  readonly url: string
  readonly port: number
  /** Milliseconds that each chunk waits; chunks keep their order. */
  delayMilliseconds = 0
  script: Script = () => 'pass'
  private readonly server: Server
  private readonly target: { readonly host: string; readonly port: number }
  private readonly relays = new Set<Relay>()
  private readonly stalled = new Set<Direction>()
  private refusing = false

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.server = server
    this.target = target
    this.port = (server.address() as AddressInfo).port
    this.url = `http://127.0.0.1:${this.port}`
  }

  /** Starts to listen on a free port (or the one given), for what listens at the target's address. */
  static async start(target: string, port = 0): Promise<NetworkProxy> {
    const { hostname, port: targetPort } = new URL(target)
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    const proxy = new NetworkProxy(server, { host: hostname, port: Number(targetPort) })
    server.on('connection', (socket) => proxy.take(socket))
    return proxy
  }

  /** Connections that are open through it. */
  get connections(): number {
    return this.relays.size
  }

  /** Breaks all connections now (RST); new ones are taken unless `refuse` was called. Returns how many there were. */
  cut(): number {
    const count = this.relays.size
    for (const relay of [...this.relays]) relay.cut()
    return count
  }

  /** Nothing passes any more in these directions, and nobody is told; new connections stall, too. */
  stall(...directions: Direction[]): void {
    for (const direction of directions.length === 0 ? DIRECTIONS : directions) this.stalled.add(direction)
  }

  /** What was held back passes now. */
  resume(): void {
    this.stalled.clear()
    for (const relay of this.relays) relay.flush()
  }

  /** New connections are broken at once, or taken again. */
  refuse(refusing = true): void {
    this.refusing = refusing
  }

  isStalled(direction: Direction): boolean {
    return this.stalled.has(direction)
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private take(client: Socket): void {
    if (this.refusing) {
      client.resetAndDestroy()
      return
    }
    const server = new Socket({ allowHalfOpen: true })
    const relay = new Relay(this, client, server, () => this.relays.delete(relay))
    this.relays.add(relay)
    server.connect(this.target)
  }
}

class Relay {
  private readonly client: Socket
  private readonly server: Socket
  private readonly ways: Record<Direction, Way>
  private readonly onOver: () => void

  constructor(proxy: NetworkProxy, client: Socket, server: Socket, onOver: () => void) {
    this.client = client
    this.server = server
    this.onOver = onOver
    const cut = (): void => this.cut()
    this.ways = { toServer: new Way(proxy, 'toServer', client, server, cut), toClient: new Way(proxy, 'toClient', server, client, cut) }
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => this.cut())
      socket.on('close', () => {
        if (client.destroyed && server.destroyed) onOver()
      })
    }
  }

  flush(): void {
    for (const direction of DIRECTIONS) this.ways[direction].flush()
  }

  cut(): void {
    for (const socket of [this.client, this.server]) {
      if (socket.connecting || socket.destroyed) socket.destroy()
      else socket.resetAndDestroy()
    }
    this.onOver()
  }
}

/** One direction of one connection. */
class Way {
  private readonly proxy: NetworkProxy
  private readonly direction: Direction
  private readonly from: Socket
  private readonly to: Socket
  private readonly cut: () => void
  /** Null is the end. */
  private readonly held: { readonly chunk: Buffer | null; readonly due: number }[] = []
  private heldBytes = 0
  private count = 0
  private timer: NodeJS.Timeout | null = null

  constructor(proxy: NetworkProxy, direction: Direction, from: Socket, to: Socket, cut: () => void) {
    this.proxy = proxy
    this.direction = direction
    this.from = from
    this.to = to
    this.cut = cut
    from.on('data', (chunk: Buffer) => this.take(chunk))
    from.on('end', () => this.take(null))
    to.on('drain', () => this.flush())
    to.on('close', () => {
      if (this.timer !== null) clearTimeout(this.timer)
    })
    from.resume()
  }

  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    while (this.held.length > 0 && !this.proxy.isStalled(this.direction) && !this.to.writableNeedDrain && !this.to.destroyed) {
      const wait = this.held[0].due - Date.now()
      if (wait > 0) {
        this.timer = setTimeout(() => this.flush(), wait)
        return
      }
      const { chunk } = this.held.shift() as { chunk: Buffer | null }
      if (chunk === null) this.to.end()
      else this.pass(chunk)
    }
    if (this.heldBytes < HELD_BYTES) this.from.resume()
  }

  private take(chunk: Buffer | null): void {
    this.held.push({ chunk, due: Date.now() + this.proxy.delayMilliseconds })
    this.heldBytes += chunk?.length ?? 0
    if (this.heldBytes >= HELD_BYTES) this.from.pause()
    this.flush()
  }

  private pass(chunk: Buffer): void {
    this.heldBytes -= chunk.length
    const fate = this.proxy.script(this.direction, chunk, this.count++)
    if (fate === 'cut') {
      this.cut()
      return
    }
    if (fate === 'drop') return
    if (fate === 'corrupt') chunk[chunk.length >> 1] ^= 0x10
    this.to.write(chunk)
    if (fate === 'duplicate') this.to.write(chunk)
  }
}
