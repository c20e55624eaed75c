/** `fetch` with a certificate authority of one's own, which the host's `fetch` has no option for: one request on a connection of its own. */
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import type { TlsIdentity } from './connection.ts'
import { reachError, secureContextOptions } from './node-tls.ts'

/** As `fetch` does, but follows no redirects and decompresses nothing. */
export async function fetchWithIdentity(request: Request, identity: TlsIdentity): Promise<Response> {
  const { signal } = request
  const context = secureContextOptions(identity)
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpsRequest(request.url, {
      ...context,
      method: request.method,
      headers: Object.fromEntries(request.headers),
      signal,
      agent: false,
    })
    outgoing.once('response', resolve)
    outgoing.once('error', (error) => {
      const reason = signal.aborted
        ? signal.reason
        : new TypeError('fetch failed', { cause: reachError(new URL(request.url).origin, error) })
      reject(reason)
    })
    if (request.body === null) outgoing.end()
    else void pipeline(Readable.fromWeb(request.body as NodeReadableStream), outgoing).catch((error) => outgoing.destroy(error))
  })
  return response(incoming)
}

const WITHOUT_BODY = new Set([204, 205, 304])

function response(incoming: IncomingMessage): Response {
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.append(incoming.rawHeaders[i], incoming.rawHeaders[i + 1])
  const status = incoming.statusCode ?? 500
  if (WITHOUT_BODY.has(status)) incoming.resume()
  const body = WITHOUT_BODY.has(status) ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
  return new Response(body, { status, statusText: incoming.statusMessage ?? '', headers })
}
