/**
 * HTTP in the web's own types (`Request`, `Response`), so that a handler is the same on Node, in a browser's worker, in
 * a simulation, and under any router that speaks them. A response with a stream as its body is how server-sent events
 * are written: chunks are pulled as fast as the client reads, and the stream is cancelled when the client goes.
 */
import { bearer } from './address.ts'
import type { Connection, ConnectOptions, TlsIdentity } from './connection.ts'

export interface Network {
  /** Starts to listen; resolves once connections are accepted. Code `CONFIG` if the address cannot be bound. */
  serve(options: ServeOptions, handler: HttpHandler): Promise<HttpServer>
  /** @throws TypeError 'fetch failed', with the cause, if there is no answer */
  fetch(request: Request, options?: FetchOptions): Promise<Response>
  /**
   * Opens a connection for messages to a server that takes them (`ServeOptions.connections`), at an http(s) URL with a path.
   * @throws MillraceError UNREACHABLE; REFUSED if the other side does not let us in (a wrong token, too many connections)
   */
  connect(url: string, options?: ConnectOptions): Promise<Connection>
}

export interface FetchOptions {
  /** Sent as `Authorization: Bearer`; never logged. */
  readonly token?: string
  /** Whom to trust, and who we are, at an https URL. */
  readonly tls?: TlsIdentity
}

export interface ServeOptions {
  /** Default: loopback (127.0.0.1) only. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
  /** Receives what a handler throws; the client gets status 500. */
  readonly onError?: (error: unknown, request: Request) => void
  /** Encrypts; clients must trust the certificate. */
  readonly tls?: TlsIdentity
  /** Takes connections for messages on the same port. */
  readonly connections?: ConnectionOptions
}

export interface ConnectionOptions {
  /** Required of whoever connects, compared in constant time; null lets everybody in. Plain requests are the handler's business. */
  readonly token: string | null
  /** Whoever connects; `path` of the URL says what for. Throws a MillraceError to refuse. */
  readonly accept: (connection: Connection, path: string) => void
  /** Longer messages break the connection. */
  readonly maximumMessageBytes?: number
  /** Connections at one time, more are refused. Default `MAXIMUM_CONNECTIONS`. */
  readonly maximumConnections?: number
}

export const MAXIMUM_CONNECTIONS = 1024

/** `request.signal` aborts when the client goes before the response is complete. */
export type HttpHandler = (request: Request) => Response | Promise<Response>

export interface HttpServer {
  readonly host: string
  readonly port: number
  /** `http://host:port`, or `https:` with `tls`. */
  readonly url: string
  /** Stops listening and ends open connections. */
  close(): Promise<void>
}

export const LOOPBACK = '127.0.0.1'

/** `http://host:port`, with brackets around an IPv6 address. */
export function httpUrl(host: string, port: number, secure = false): string {
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** The request with `Authorization: Bearer`. @throws MillraceError CONFIG */
export function withToken(request: Request, token: string | undefined): Request {
  if (token === undefined) return request
  const headers = new Headers(request.headers)
  headers.set('authorization', bearer(token))
  return new Request(request, { headers })
}
