/**
 * The processes of one parallel run, each connected to each by the links of worker processes over the real network. There is no
 * coordinator: whoever starts the processes tells each of them where all others listen.
 */
import type { Connection } from '../runtime/env/connection.ts'
import type { Environment, Timer } from '../runtime/env/environment.ts'
import type { HttpServer } from '../runtime/env/network.ts'
import { MillraceError } from '../runtime/error.ts'
import { PeerLink, type PeerServiceMessage } from './process/peer-link.ts'
import { PEER_HEARTBEAT_MILLISECONDS, PEER_WINDOW_BYTES } from './process/peer-links.ts'

const PATH = '/program/'
/** All processes are there when the first one connects: they only have to answer. */
const JOIN_MILLISECONDS = 20_000

/** What processes say to each other besides frames. */
export type GroupWord =
  | { readonly kind: 'report'; readonly worker: number; readonly value: unknown }
  /** One of its programs has returned. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly message: string }

export interface GroupEvents {
  /** The bytes are valid only during the call. */
  onFrame(from: number, to: number, bytes: Uint8Array): void
  onWord(process: number, word: GroupWord): void
  /** The group may no longer be congested. */
  onRelief(): void
  /** A process cannot be reached any more. */
  onBroken(process: number, reason: string): void
  isBacklogged(): boolean
}

/** A process that waits for the others. */
export class GroupListener {
  private readonly environment: Environment
  private server: HttpServer | null = null
  private readonly connected = new Map<number, Connection>()
  private onConnected: (() => void) | null = null

  private constructor(environment: Environment) {
    this.environment = environment
  }

  /** Listens on a free port of this machine. */
  static async open(environment: Environment): Promise<GroupListener> {
    const listener = new GroupListener(environment)
    const accept = (connection: Connection, path: string): void => {
      const process = path.startsWith(PATH) ? Number(path.slice(PATH.length)) : Number.NaN
      if (!Number.isInteger(process) || listener.connected.has(process))
        throw new MillraceError('REFUSED', `${path} is no other process of a parallel run`)
      listener.connected.set(process, connection)
      listener.onConnected?.()
    }
    const handler = (): Response => new Response('processes of a parallel run connect here\n', { status: 404 })
    listener.server = await environment.network.serve({ port: 0, connections: { token: null, accept } }, handler)
    return listener
  }

  get url(): string {
    return this.server?.url ?? ''
  }

  /**
   * Connects to all others; `urls` has one for each process, this one too, and this one is at `index`. Of two the lower one connects.
   * @throws MillraceError UNREACHABLE
   */
  async join(index: number, urls: readonly string[]): Promise<ProcessGroup> {
    const { network, timers } = this.environment
    const outgoing = urls.slice(index + 1).map(async (url) => network.connect(`${url}${PATH}${index}`))
    const incoming = new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (this.connected.size < index) return
        timer.clear()
        resolve()
      }
      const late = (): void =>
        reject(new MillraceError('UNREACHABLE', `${index - this.connected.size} processes did not connect within ${JOIN_MILLISECONDS} ms`))
      const timer = timers.setTimeout(late, JOIN_MILLISECONDS, { background: true })
      this.onConnected = check
      check()
    })
    const [later] = await Promise.all([Promise.all(outgoing), incoming])
    const connections = urls.map((_, i) => (i === index ? null : i < index ? (this.connected.get(i) as Connection) : later[i - index - 1]))
    return new ProcessGroup(this.environment, index, connections, this.server as HttpServer)
  }
}

export class ProcessGroup {
  readonly index: number
  readonly processes: number
  private readonly environment: Environment
  private readonly server: HttpServer
  private readonly connections: readonly (Connection | null)[]
  /** By process, null for this one; none before `start`. */
  private links: readonly (PeerLink | null)[] = []
  private timer: Timer | null = null

  constructor(environment: Environment, index: number, connections: readonly (Connection | null)[], server: HttpServer) {
    this.environment = environment
    this.index = index
    this.processes = connections.length
    this.connections = connections
    this.server = server
  }

  start(events: GroupEvents): void {
    const { environment } = this
    this.links = this.connections.map((connection, process) => {
      if (connection === null) return null
      return new PeerLink(environment, String(process), connection, {
        onFrame: events.onFrame,
        onService: (message) => {
          if (message.kind === 'call') events.onWord(process, message.message as GroupWord)
        },
        onAcknowledged: () => {
          if (!this.congested) events.onRelief()
        },
        onBroken: (reason) => events.onBroken(process, reason),
        isBacklogged: events.isBacklogged,
      })
    })
    this.timer = environment.timers.setInterval(() => {
      for (const link of this.links) link?.heartbeat(PEER_HEARTBEAT_MILLISECONDS)
    }, PEER_HEARTBEAT_MILLISECONDS)
  }

  /** Copies the bytes. */
  sendFrame(process: number, from: number, to: number, bytes: Uint8Array): void {
    this.links[process]?.sendFrame(from, to, bytes)
  }

  /** To one process, or to all others. */
  tell(word: GroupWord, process: number | null = null): void {
    const message: PeerServiceMessage = { kind: 'call', call: 0, message: word }
    for (let i = 0; i < this.links.length; i++) if (process === null || process === i) this.links[i]?.sendService(message)
  }

  /** Whether so much is on its way to a process that nothing more should be sent to any. */
  get congested(): boolean {
    for (const link of this.links)
      if (link !== null && (link.outstandingBytes > PEER_WINDOW_BYTES || link.bufferedBytes > PEER_WINDOW_BYTES)) return true
    return false
  }

  /** This process's threads have caught up: the others may be told. */
  relieve(): void {
    for (const link of this.links) link?.acknowledgeIfDue()
  }

  /** What was sent before is delivered. */
  async close(): Promise<void> {
    this.timer?.clear()
    for (const link of this.links) link?.close('the run is over')
    await this.server.close()
  }
}
