/** Takes connections for messages on the port of an HTTP server: who is let in, and how many. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { MAXIMUM_MESSAGE_BYTES, type TlsIdentity } from './connection.ts'
import { type ConnectionOptions, MAXIMUM_CONNECTIONS } from './network.ts'
import { NodeConnection } from './node-connection.ts'
import { isTrusted } from './node-tls.ts'
import { FOREIGN_PAGE, type Refusal, refusalBody, refusalOf, tooMany, WRONG_CERTIFICATE, WRONG_TOKEN } from './refusal.ts'

/** How long open connections have for what was sent when the server closes. */
const FAREWELL_MILLISECONDS = 1000

export class NodeUpgrade {
  private readonly options: ConnectionOptions
  private readonly tls: TlsIdentity | undefined
  private readonly maximumMessageBytes: number
  private readonly onError: (error: unknown, incoming: IncomingMessage) => void
  private readonly server: WebSocketServer
  private readonly tokenHash: Buffer | null
  private readonly connections = new Set<NodeConnection>()
  private readonly accepted = new WeakMap<IncomingMessage, NodeConnection>()

  /** `onError` receives what `accept` throws if it is not for whoever connects. */
  constructor(options: ConnectionOptions, tls: TlsIdentity | undefined, onError: (error: unknown, incoming: IncomingMessage) => void) {
    this.options = options
    this.tls = tls
    this.maximumMessageBytes = options.maximumMessageBytes ?? MAXIMUM_MESSAGE_BYTES
    this.onError = onError
    this.tokenHash = options.token === null ? null : sha256(`Bearer ${options.token}`)
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: this.maximumMessageBytes,
      verifyClient: ({ req }, answer) => {
        const refusal = this.admit(req)
        if (refusal === null) answer(true)
        else answer(false, refusal.status, refusalBody(refusal), { 'Content-Type': 'application/json' })
      },
    })
  }

  /** A request to upgrade: what is no proper one is answered with status 400 and the socket closed. */
  upgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): void {
    this.server.handleUpgrade(incoming, socket, head, (webSocket) => {
      const connection = this.accepted.get(incoming) as NodeConnection
      webSocket.once('close', () => this.connections.delete(connection))
      connection.attach(webSocket, socket)
      this.accepted.delete(incoming)
    })
    const connection = this.accepted.get(incoming)
    if (connection === undefined) return
    this.connections.delete(connection)
    connection.abandon('the other end has gone')
  }

  /** Ends all connections, with the time that it takes to deliver what was sent, up to a bound. */
  close(): void {
    this.server.close()
    if (this.connections.size === 0) return
    for (const connection of this.connections) connection.close('the server closes')
    const rest = setTimeout(() => {
      for (const connection of this.connections) connection.terminate()
    }, FAREWELL_MILLISECONDS)
    rest.unref()
  }

  /** Null if a client may come in: its connection then waits for the socket. */
  private admit(incoming: IncomingMessage): Refusal | null {
    const { maximumConnections = MAXIMUM_CONNECTIONS } = this.options
    if (!isTrusted(incoming.socket, this.tls)) return WRONG_CERTIFICATE
    // A page in a browser on this host can reach what listens on loopback, and has no token to show if none is asked for.
    if (isForeign(incoming)) return FOREIGN_PAGE
    if (this.tokenHash !== null && !timingSafeEqual(this.tokenHash, sha256(incoming.headers.authorization ?? ''))) return WRONG_TOKEN
    if (this.connections.size >= maximumConnections) return tooMany(maximumConnections)
    const { remoteAddress = '', remotePort = 0 } = incoming.socket
    const host = remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress
    const connection = new NodeConnection(`${host}:${remotePort}`, this.maximumMessageBytes)
    try {
      this.options.accept(connection, incoming.url ?? '/')
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal.status === 500) this.onError(error, incoming)
      return refusal
    }
    this.connections.add(connection)
    this.accepted.set(incoming, connection)
    return null
  }
}

/** Equal lengths, which a comparison in constant time needs. */
function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isForeign({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)
}
