/** HTTP between the parts of one simulation: messages through pipes that delay by the seed. */
import { MillraceError } from '../error.ts'
import type { Connection } from './connection.ts'
import type { Timers } from './environment.ts'
import { MessagePipe } from './message-pipe.ts'
import { type HttpHandler, type HttpServer, httpUrl, LOOPBACK, type Network, type ServeOptions } from './network.ts'
import type { SeededRandom } from './seeded-random.ts'

const FIRST_FREE_PORT = 49152

interface Listening {
  readonly options: ServeOptions
  readonly handler: HttpHandler
  readonly closed: AbortController
}

export class SimulatedNetwork implements Network {
  /** The longest delay of a message, milliseconds; may be changed at any time. */
  maximumDelay: number
  private readonly timers: Timers
  private readonly random: SeededRandom
  private readonly listening = new Map<string, Listening>()
  private nextPort = FIRST_FREE_PORT

  constructor(timers: Timers, random: SeededRandom, maximumDelay: number) {
    this.timers = timers
    this.random = random
    this.maximumDelay = maximumDelay
  }

  async serve(options: ServeOptions, handler: HttpHandler): Promise<HttpServer> {
    const host = options.host ?? LOOPBACK
    const port = options.port === 0 ? this.nextPort++ : options.port
    const url = httpUrl(host, port)
    if (this.listening.has(url)) throw new MillraceError('CONFIG', `cannot listen on ${host}:${port}: the address is in use`)
    const entry: Listening = { options, handler, closed: new AbortController() }
    this.listening.set(url, entry)
    return {
      host,
      port,
      url,
      close: async () => {
        this.listening.delete(url)
        entry.closed.abort(new TypeError('fetch failed: the connection was closed'))
      },
    }
  }

  connect(url: string): Promise<Connection> {
    return Promise.reject(new MillraceError('UNREACHABLE', `cannot connect to ${url}`))
  }

  async fetch(request: Request): Promise<Response> {
    const arrived = await this.across(request)
    const entry = this.listening.get(new URL(request.url).origin)
    if (entry === undefined) throw new TypeError(`fetch failed: nothing listens at ${request.url}`)
    let response: Response
    try {
      response = await entry.handler(arrived)
    } catch (error) {
      entry.options.onError?.(error, request)
      response = new Response('internal error\n', { status: 500 })
    }
    const ended = AbortSignal.any([entry.closed.signal, request.signal])
    response = await this.across(response)
    ended.throwIfAborted()
    const { status, headers } = response
    return new Response(response.body === null ? null : this.delayed(response.body, ended), { status, headers })
  }

  /** A pipe whose messages arrive in order, each after a delay of its own. */
  pipe<T>(deliver: (message: T) => void): MessagePipe<T> {
    return new MessagePipe(this.timers, () => this.random.fraction() * this.maximumDelay, deliver)
  }

  private across<T>(message: T): Promise<T> {
    return new Promise((resolve) => this.pipe(resolve).send(message))
  }

  /** The chunks of a body, each a message; one is under way at a time, so a reader that waits holds the writer back. */
  private delayed(body: ReadableStream<Uint8Array>, ended: AbortSignal): ReadableStream<Uint8Array> {
    const reader = body.getReader()
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const end = (): void => {
            void reader.cancel(ended.reason).catch(() => undefined)
            controller.error(ended.reason)
          }
          if (ended.aborted) end()
          else ended.addEventListener('abort', end, { once: true })
        },
        pull: async (controller) => {
          const { done, value } = await this.across(await reader.read())
          if (ended.aborted) return
          if (done) controller.close()
          else controller.enqueue(value)
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    )
  }
}
