/** Opens connections on Node. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { MillraceError } from '../error.ts'
import { bearer, connectUrl } from './address.ts'
import { CONNECT_TIMEOUT_MILLISECONDS, type Connection, type ConnectOptions, MAXIMUM_MESSAGE_BYTES } from './connection.ts'
import { NodeConnection } from './node-connection.ts'
import { reachError, secureContextOptions } from './node-tls.ts'
import { refusalError } from './refusal.ts'

/** Bytes of a refusal's body that are read. */
const REFUSAL_BYTES = 4096

export function connectOnNode(url: string, options: ConnectOptions = {}): Promise<Connection> {
  const { timeoutMilliseconds = CONNECT_TIMEOUT_MILLISECONDS, maximumMessageBytes = MAXIMUM_MESSAGE_BYTES } = options
  return new Promise((resolve, reject) => {
    const target = connectUrl(url)
    target.protocol = target.protocol === 'http:' ? 'ws:' : 'wss:'
    const webSocket = new WebSocket(target, {
      headers: options.token === undefined ? {} : { authorization: bearer(options.token) },
      ...(options.tls === undefined ? {} : secureContextOptions(options.tls)),
      // The mask protects proxies from bytes that a page's script chose (RFC 6455, section 10.3): not our case, and it costs most of the time.
      generateMask: (mask) => void mask.fill(0),
      perMessageDeflate: false,
      maxPayload: maximumMessageBytes,
    })
    let failure: MillraceError | null = null
    let socket: Socket | null = null
    const give = (error: MillraceError): void => {
      failure = error
      webSocket.terminate()
    }
    const timer = setTimeout(
      () => give(new MillraceError('UNREACHABLE', `${url} cannot be reached: no answer within ${timeoutMilliseconds} ms`)),
      timeoutMilliseconds,
    )
    webSocket.once('upgrade', (response) => {
      socket = response.socket
    })
    webSocket.once('unexpected-response', (_request, response) => {
      void head(response).then((body) => give(refusalError(url, response.statusCode ?? 0, body)))
    })
    const fail = (error: Error): void => {
      clearTimeout(timer)
      reject(failure ?? reachError(url, error))
    }
    webSocket.once('error', fail)
    webSocket.once('open', () => {
      clearTimeout(timer)
      webSocket.off('error', fail)
      const connection = new NodeConnection(target.host, maximumMessageBytes)
      connection.attach(webSocket, socket as Socket)
      resolve(connection)
    })
  })
}

/** The beginning of a response's body. */
async function head(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk
      if (text.length > REFUSAL_BYTES) break
    }
  } catch {
    // Cut off: what there is must do.
  }
  return text
}
