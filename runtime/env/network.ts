/**
 * HTTP in the web's own types (`Request`, `Response`), so that a handler is the same on Node, in a browser's worker, in
 * a simulation, and under any router that speaks them. A response with a stream as its body is how server-sent events
 * are written: chunks are pulled as fast as the client reads, and the stream is cancelled when the client goes.
 */
export interface Network {
  /** Starts to listen; resolves once connections are accepted. Code `CONFIG` if the address cannot be bound. */
  serve(options: ServeOptions, handler: HttpHandler): Promise<HttpServer>
  fetch(request: Request): Promise<Response>
}

export interface ServeOptions {
  /** Default: loopback (127.0.0.1) only. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
  /** Receives what a handler throws; the client gets status 500. */
  readonly onError?: (error: unknown, request: Request) => void
}

/** `request.signal` aborts when the client goes before the response is complete. */
export type HttpHandler = (request: Request) => Response | Promise<Response>

export interface HttpServer {
  readonly host: string
  readonly port: number
  /** `http://host:port` */
  readonly url: string
  /** Stops listening and ends open connections. */
  close(): Promise<void>
}

export const LOOPBACK = '127.0.0.1'

/** `http://host:port`, with brackets around an IPv6 address. */
export function httpUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
