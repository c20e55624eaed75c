/** HTTP and connections for messages through Node. */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { MillraceError } from '../error.ts'
import type { Connection, ConnectOptions, TlsIdentity } from './connection.ts'
import {
  type ConnectionOptions,
  type FetchOptions,
  type HttpHandler,
  type HttpServer,
  httpUrl,
  LOOPBACK,
  type Network,
  type ServeOptions,
  withToken,
} from './network.ts'
import { fetchWithIdentity } from './node-fetch.ts'
import { PendingSockets } from './node-pending-sockets.ts'
import { isTrusted, secureContextOptions } from './node-tls.ts'
import type { NodeUpgrade } from './node-upgrade.ts'
import { type Refusal, refusalBody, WRONG_CERTIFICATE } from './refusal.ts'

/** Sockets at one time that have not sent the headers of a first request. */
export const MAXIMUM_PENDING_SOCKETS = 256
/** Sockets at one time in all. */
export const MAXIMUM_SOCKETS = 16_384
/** Bytes of a request's headers. */
export const MAXIMUM_HEADER_BYTES = 16 << 10
/** Until a socket has sent the headers of its request; TLS has as much again for its handshake. */
export const HEADERS_TIMEOUT_MILLISECONDS = 10_000
/** Until it has sent all of its request. */
const REQUEST_TIMEOUT_MILLISECONDS = 60_000
/** Between looks for sockets whose time is over. */
const SWEEP_MILLISECONDS = 1000

const BOUNDS: ServerOptions = {
  maxHeaderSize: MAXIMUM_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MILLISECONDS,
  requestTimeout: REQUEST_TIMEOUT_MILLISECONDS,
  connectionsCheckingInterval: SWEEP_MILLISECONDS,
}

export class NodeNetwork implements Network {
  async serve(options: ServeOptions, handler: HttpHandler): Promise<HttpServer> {
    const host = options.host ?? LOOPBACK
    const pending = new PendingSockets(MAXIMUM_PENDING_SOCKETS)
    const server = newServer(options.tls)
    server.maxConnections = MAXIMUM_SOCKETS
    server.on('connection', (socket) => pending.add(socket))
    server.on('request', (incoming, outgoing) => {
      pending.settle(incoming.socket)
      if (!isTrusted(incoming.socket, options.tls)) refuse(outgoing, WRONG_CERTIFICATE)
      else void answer(incoming, outgoing, handler, options)
    })
    const upgrade = options.connections === undefined ? null : await newUpgrade(options.connections, options)
    if (upgrade !== null)
      server.on('upgrade', (incoming, socket, head) => {
        pending.settle(incoming.socket)
        upgrade.upgrade(incoming, socket as Socket, head)
      })
    await listen(server, host, options.port)
    const { port } = server.address() as AddressInfo
    return {
      host,
      port,
      url: httpUrl(host, port, options.tls !== undefined),
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve())
          upgrade?.close()
          server.closeAllConnections()
          // Those in the middle of a TLS handshake are not yet connections of the server.
          pending.destroy()
        }),
    }
  }

  async connect(url: string, options?: ConnectOptions): Promise<Connection> {
    const { connectOnNode } = await import('./node-connect.ts')
    return connectOnNode(url, options)
  }

  async fetch(request: Request, options: FetchOptions = {}): Promise<Response> {
    const authorized = withToken(request, options.token)
    return options.tls === undefined ? fetch(authorized) : fetchWithIdentity(authorized, options.tls)
  }
}

/** What speaks WebSocket is loaded when it is used: programs that only serve HTTP, and bundles of them, do without it. */
async function newUpgrade(connections: ConnectionOptions, options: ServeOptions): Promise<NodeUpgrade> {
  const { NodeUpgrade } = await import('./node-upgrade.ts')
  return new NodeUpgrade(connections, options.tls, tell(options))
}

function newServer(tls: TlsIdentity | undefined): Server {
  if (tls === undefined) return createServer(BOUNDS)
  if (tls.certificate === undefined)
    throw new MillraceError('CONFIG', 'TLS needs a certificate and a key to listen with', 'Give both, as PEM texts.')
  return createSecureServer({
    ...BOUNDS,
    ...secureContextOptions(tls),
    handshakeTimeout: HEADERS_TIMEOUT_MILLISECONDS,
    requestCert: tls.ca !== undefined,
    // Checked with each request instead: so whoever shows a wrong one is told what is wrong.
    rejectUnauthorized: false,
  })
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new MillraceError('CONFIG', `cannot listen on ${host}:${port}: ${error.message}`, 'Choose a free port.', { cause: error }))
    server.once('error', fail)
    server.listen(port, host, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

function refuse(outgoing: ServerResponse, refusal: Refusal): void {
  const body = refusalBody(refusal)
  outgoing.writeHead(refusal.status, { 'content-type': 'application/json', connection: 'close' }).end(body)
}

function tell(options: ServeOptions): (error: unknown, incoming: IncomingMessage) => void {
  return (error, incoming) => {
    const request = webRequest(incoming, new AbortController().signal, options.tls !== undefined)
    if (request !== null) options.onError?.(error, request)
  }
}

async function answer(incoming: IncomingMessage, outgoing: ServerResponse, handler: HttpHandler, options: ServeOptions): Promise<void> {
  const gone = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort()
  })
  const request = webRequest(incoming, gone.signal, options.tls !== undefined)
  if (request === null) {
    outgoing.writeHead(400).end()
    return
  }
  try {
    await send(await handler(request), outgoing, gone.signal, incoming.method === 'HEAD')
  } catch (error) {
    if (gone.signal.aborted) return
    options.onError?.(error, request)
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(500, { 'content-type': 'text/plain' }).end('internal error\n')
  }
}

/** Null if the request's address or headers cannot be expressed as a `Request`. */
function webRequest(incoming: IncomingMessage, signal: AbortSignal, secure: boolean): Request | null {
  const method = incoming.method ?? 'GET'
  const headers: [string, string][] = []
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.push([incoming.rawHeaders[i], incoming.rawHeaders[i + 1]])
  const hasBody = method !== 'GET' && method !== 'HEAD'
  // Joined as text: resolved against a base, '//elsewhere/path' would change the host.
  const path = incoming.url ?? '/'
  if (!path.startsWith('/')) return null
  try {
    return new Request(new URL(`${secure ? 'https' : 'http'}://${incoming.headers.host ?? LOOPBACK}${path}`), {
      method,
      headers,
      signal,
      ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: 'half' } : {}),
    })
  } catch {
    return null
  }
}

async function send(response: Response, outgoing: ServerResponse, gone: AbortSignal, headOnly: boolean): Promise<void> {
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies)
  if (response.body === null || headOnly) {
    await response.body?.cancel()
    outgoing.end()
    return
  }
  // A stream of events may have nothing to say for long: its headers go out at once.
  outgoing.flushHeaders()
  const reader = response.body.getReader()
  const cancel = (): void => void reader.cancel().catch(() => undefined)
  if (gone.aborted) cancel()
  gone.addEventListener('abort', cancel)
  for (;;) {
    const { done, value } = await reader.read()
    if (done || gone.aborted) break
    if (!outgoing.write(value)) await drained(outgoing)
  }
  outgoing.end()
}

/** Resolves when the client has read on, or is gone. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      outgoing.off('drain', settle)
      outgoing.off('close', settle)
      resolve()
    }
    outgoing.on('drain', settle)
    outgoing.on('close', settle)
    if (outgoing.destroyed) settle()
  })
}
