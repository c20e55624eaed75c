/** HTTP through Node. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { MillraceError } from '../error.ts'
import type { Connection } from './connection.ts'
import { type HttpHandler, type HttpServer, httpUrl, LOOPBACK, type Network, type ServeOptions } from './network.ts'

export class NodeNetwork implements Network {
  async serve(options: ServeOptions, handler: HttpHandler): Promise<HttpServer> {
    const host = options.host ?? LOOPBACK
    const server = createServer((incoming, outgoing) => void answer(incoming, outgoing, handler, options))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const where = `${host}:${options.port}`
        reject(new MillraceError('CONFIG', `cannot listen on ${where}: ${error.message}`, 'Choose a free port.', { cause: error }))
      })
      server.listen(options.port, host, resolve)
    })
    const { port } = server.address() as AddressInfo
    return {
      host,
      port,
      url: httpUrl(host, port),
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        }),
    }
  }

  connect(url: string): Promise<Connection> {
    return Promise.reject(new MillraceError('UNREACHABLE', `cannot connect to ${url}`))
  }

  fetch(request: Request): Promise<Response> {
    return fetch(request)
  }
}

async function answer(incoming: IncomingMessage, outgoing: ServerResponse, handler: HttpHandler, options: ServeOptions): Promise<void> {
  const gone = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort()
  })
  const request = webRequest(incoming, gone.signal)
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
function webRequest(incoming: IncomingMessage, signal: AbortSignal): Request | null {
  const method = incoming.method ?? 'GET'
  const headers: [string, string][] = []
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.push([incoming.rawHeaders[i], incoming.rawHeaders[i + 1]])
  const hasBody = method !== 'GET' && method !== 'HEAD'
  // Joined as text: resolved against a base, '//elsewhere/path' would change the host.
  const path = incoming.url ?? '/'
  if (!path.startsWith('/')) return null
  try {
    return new Request(new URL(`http://${incoming.headers.host ?? LOOPBACK}${path}`), {
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
