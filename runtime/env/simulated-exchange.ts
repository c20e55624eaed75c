/** HTTP between simulated hosts: one exchange, over a session of its own. */
import type { HttpHandler, ServeOptions } from './network.ts'
import type { SimulatedEnd } from './simulated-session.ts'

export type ExchangeParcel =
  | { readonly request: Request }
  | { readonly response: Response; readonly hasBody: boolean }
  | { readonly chunk: Uint8Array }
  | { readonly last: true }
  /** The reader has room for a chunk: one is under way at a time, so a reader that waits holds the writer back. */
  | { readonly pull: true }

/** Until a server has answered with headers (as the `fetch` of Node). */
const HEADERS_MILLISECONDS = 300_000

/** The client's half. */
export function exchange(end: SimulatedEnd, request: Request): Promise<Response> {
  const { life } = end
  const { signal } = request
  return new Promise((resolve, reject) => {
    let body: ReadableStreamDefaultController<Uint8Array> | null = null
    let arrived: (() => void) | null = null
    const { events } = life.world
    const timeout = events.at(events.time + HEADERS_MILLISECONDS * 1000, life, () => {
      end.reset()
      fail('no answer')
    })
    const abort = (): void => {
      end.reset()
      settle(signal.reason)
    }
    const settle = (reason: unknown): void => {
      events.cancel(timeout)
      signal.removeEventListener('abort', abort)
      reject(reason)
      body?.error(reason)
      body = null
      arrived?.()
    }
    const fail = (reason: string): void => settle(new TypeError('fetch failed', { cause: new Error(reason) }))
    end.onLost = fail
    end.onParcel = (content) => {
      const parcel = content as ExchangeParcel
      if ('response' in parcel) {
        events.cancel(timeout)
        const { status, statusText, headers } = parcel.response
        if (!parcel.hasBody) {
          signal.removeEventListener('abort', abort)
          end.finish()
        }
        resolve(new Response(parcel.hasBody ? stream : null, { status, statusText, headers }))
        return
      }
      if ('chunk' in parcel) body?.enqueue(parcel.chunk)
      else {
        signal.removeEventListener('abort', abort)
        body?.close()
        body = null
        end.finish()
      }
      arrived?.()
    }
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          body = controller
        },
        pull: () =>
          new Promise<void>((resolve) => {
            arrived = resolve
            if (end.over) resolve()
            else end.send({ pull: true })
          }),
        cancel: () => {
          body = null
          end.reset()
        },
      },
      { highWaterMark: 0 },
    )
    if (signal.aborted) {
      abort()
      return
    }
    signal.addEventListener('abort', abort, { once: true })
    end.send({ request })
  })
}

/** The server's half. */
export async function answer(end: SimulatedEnd, sent: Request, handler: HttpHandler, options: ServeOptions): Promise<void> {
  const gone = new AbortController()
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null
  end.onLost = () => {
    gone.abort()
    void reader?.cancel().catch(() => undefined)
  }
  const request = new Request(sent, { signal: gone.signal })
  let response: Response
  try {
    response = await handler(request)
  } catch (error) {
    if (end.over) return
    options.onError?.(error, request)
    response = new Response('internal error\n', { status: 500 })
  }
  const { body } = response
  if (end.over) {
    await body?.cancel()
    return
  }
  end.send({ response, hasBody: body !== null })
  if (body === null) {
    end.finish()
    return
  }
  reader = body.getReader()
  await serveBody(end, reader, request, options)
}

async function serveBody(
  end: SimulatedEnd,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  request: Request,
  options: ServeOptions,
): Promise<void> {
  for (;;) {
    await new Promise<void>((resolve) => {
      end.onParcel = () => resolve()
    })
    try {
      const { done, value } = await reader.read()
      if (end.over) return
      if (done) {
        end.send({ last: true })
        end.finish()
        return
      }
      end.send({ chunk: value })
    } catch (error) {
      if (end.over) return
      options.onError?.(error, request)
      end.reset('the other end broke off')
      return
    }
  }
}
