/** The network as one simulated host has it. */
import { MillraceError } from '../error.ts'
import { bearer, connectUrl } from './address.ts'
import { CONNECT_TIMEOUT_MILLISECONDS, type Connection, type ConnectOptions, MAXIMUM_MESSAGE_BYTES } from './connection.ts'
import {
  type FetchOptions,
  type HttpHandler,
  type HttpServer,
  httpUrl,
  LOOPBACK,
  MAXIMUM_CONNECTIONS,
  type Network,
  type ServeOptions,
  withToken,
} from './network.ts'
import { type Refusal, refusalBody, refusalError, refusalOf, tooMany, WRONG_TOKEN } from './refusal.ts'
import { SimulatedConnection } from './simulated-connection.ts'
import { answer, exchange } from './simulated-exchange.ts'
import type { Listening, SimulatedFabric } from './simulated-fabric.ts'
import type { SimulatedLife } from './simulated-life.ts'
import type { SimulatedEnd } from './simulated-session.ts'

const FIRST_FREE_PORT = 49152
const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '::1']
const WILDCARD_HOSTS = ['0.0.0.0', '::']

const NO_CONNECTIONS: Refusal = { status: 404, message: 'no connections are taken here' }

/** What a client says first. */
type Opening =
  | { readonly connect: { readonly path: string; readonly authorization: string | null; readonly secure: boolean } }
  | { readonly request: Request }

type Reply = { readonly refused: Refusal } | { readonly accepted: true }

export class SimulatedNetwork implements Network {
  private readonly fabric: SimulatedFabric
  private readonly life: SimulatedLife
  private nextPort = FIRST_FREE_PORT

  constructor(fabric: SimulatedFabric, life: SimulatedLife) {
    this.fabric = fabric
    this.life = life
  }

  async serve(options: ServeOptions, handler: HttpHandler): Promise<HttpServer> {
    const { life } = this
    const host = options.host ?? LOOPBACK
    const port = options.port === 0 ? this.nextPort++ : options.port
    const reach = WILDCARD_HOSTS.includes(host) ? 'any' : LOOPBACK_HOSTS.includes(host) ? 'loopback' : 'name'
    const cannot = (why: string): MillraceError =>
      new MillraceError('CONFIG', `cannot listen on ${host}:${port}: ${why}`, 'Choose a free port.')
    if (reach === 'name' && host !== life.host) throw cannot('the address is not one of this host')
    const ports = this.fabric.listening(life)
    if (ports.has(port)) throw cannot('the address is in use')
    const server = new SimulatedServer(life, options, handler)
    const listening: Listening = { reach, accept: (end) => server.accept(end) }
    ports.set(port, listening)
    return {
      host,
      port,
      url: httpUrl(host, port, options.tls !== undefined),
      close: async () => {
        if (ports.get(port) === listening) ports.delete(port)
        server.close()
      },
    }
  }

  connect(url: string, options: ConnectOptions = {}): Promise<Connection> {
    const { life } = this
    const { timeoutMilliseconds = CONNECT_TIMEOUT_MILLISECONDS, maximumMessageBytes = MAXIMUM_MESSAGE_BYTES, token } = options
    return new Promise((resolve, reject) => {
      const target = connectUrl(url)
      const authorization = token === undefined ? null : bearer(token)
      const { events } = life.world
      const end = this.fabric.open(life, target)
      const timeout = events.at(events.time + timeoutMilliseconds * 1000, life, () => {
        end.reset()
        unreachable(`no answer within ${timeoutMilliseconds} ms`)
      })
      const unreachable = (why: string): void => {
        events.cancel(timeout)
        reject(new MillraceError('UNREACHABLE', `${url} cannot be reached: ${why}`))
      }
      end.onLost = unreachable
      end.onParcel = (content) => {
        const reply = content as Reply
        events.cancel(timeout)
        if ('accepted' in reply) resolve(new SimulatedConnection(target.host, end, maximumMessageBytes))
        else {
          end.finish()
          reject(refusalError(url, reply.refused.status, refusalBody(reply.refused)))
        }
      }
      end.send({
        connect: { path: `${target.pathname}${target.search}`, authorization, secure: target.protocol === 'https:' },
      } satisfies Opening)
    })
  }

  async fetch(request: Request, options: FetchOptions = {}): Promise<Response> {
    const { life } = this
    const authorized = withToken(request, options.token)
    return exchange(this.fabric.open(life, new URL(request.url)), authorized)
  }
}

class SimulatedServer {
  private readonly life: SimulatedLife
  private readonly options: ServeOptions
  private readonly handler: HttpHandler
  private readonly authorization: string | null
  private readonly connections = new Set<SimulatedConnection>()
  private readonly exchanges = new Set<SimulatedEnd>()

  constructor(life: SimulatedLife, options: ServeOptions, handler: HttpHandler) {
    this.life = life
    this.options = options
    this.handler = handler
    const token = options.connections?.token ?? null
    this.authorization = token === null ? null : `Bearer ${token}`
  }

  accept(end: SimulatedEnd): void {
    end.onParcel = (content) => {
      const opening = content as Opening
      const secure = 'request' in opening ? opening.request.url.startsWith('https:') : opening.connect.secure
      const isSecure = this.options.tls !== undefined
      if (secure !== isSecure) end.reset(isSecure ? 'it speaks TLS only' : 'it does not speak TLS')
      else if ('request' in opening) this.answer(end, opening.request)
      else this.admit(end, opening.connect.path, opening.connect.authorization)
    }
  }

  close(): void {
    for (const connection of [...this.connections]) connection.close('the server closes')
    for (const end of [...this.exchanges]) {
      const { onLost } = end
      end.reset()
      onLost('the server closes')
    }
  }

  private answer(end: SimulatedEnd, request: Request): void {
    this.exchanges.add(end)
    void answer(end, request, this.handler, this.options).finally(() => this.exchanges.delete(end))
  }

  private admit(end: SimulatedEnd, path: string, authorization: string | null): void {
    end.cork()
    const { connections: options } = this.options
    const refuse = (refused: Refusal): void => {
      end.uncork({ refused }, true)
      end.finish()
    }
    const refusal = this.refusal(authorization)
    if (refusal !== null || options === undefined) {
      refuse(refusal ?? NO_CONNECTIONS)
      return
    }
    const maximumMessageBytes = options.maximumMessageBytes ?? MAXIMUM_MESSAGE_BYTES
    const connection = new SimulatedConnection(`${end.peerHost}:0`, end, maximumMessageBytes)
    try {
      options.accept(connection, path)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal.status === 500) this.options.onError?.(error, new Request(`http://${this.life.host}${path}`))
      refuse(refusal)
      return
    }
    this.connections.add(connection)
    connection.onOver = () => this.connections.delete(connection)
    end.uncork({ accepted: true })
  }

  private refusal(authorization: string | null): Refusal | null {
    const { maximumConnections = MAXIMUM_CONNECTIONS } = this.options.connections ?? {}
    if (this.authorization !== null && authorization !== this.authorization) return WRONG_TOKEN
    return this.connections.size < maximumConnections ? null : tooMany(maximumConnections)
  }
}
