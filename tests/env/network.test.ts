import { describe, expect, it } from 'vitest'
import type { Network } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'

/** A stream of events that ends never; tells when it is cancelled. */
function events(): { response: Response; cancelled: Promise<void> } {
  let cancel: () => void
  const cancelled = new Promise<void>((resolve) => {
    cancel = resolve
  })
  let n = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (n < 3) controller.enqueue(new TextEncoder().encode(`data: ${n++}\n\n`))
        else return new Promise<void>(() => undefined)
        return undefined
      },
      cancel: () => cancel(),
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(body, { headers: { 'content-type': 'text/event-stream' } }), cancelled }
}

async function readThree(response: Response): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  let text = ''
  while (text.length < 27) text += new TextDecoder().decode((await reader.read()).value)
  await reader.cancel()
  return text
}

async function check(network: Network): Promise<void> {
  const errors: string[] = []
  const { response, cancelled } = events()
  const onError = (error: unknown): void => void errors.push(String(error))
  const server = await network.serve({ port: 0, onError }, async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/echo') return new Response(`${request.method} ${await request.text()}`, { status: 201, headers: { 'x-a': 'b' } })
    if (pathname === '/events') return response
    throw new Error('broken handler')
  })
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const echo = await network.fetch(new Request(`${server.url}/echo`, { method: 'POST', body: 'héllo' }))
  expect([echo.status, echo.headers.get('x-a'), await echo.text()]).toEqual([201, 'b', 'POST héllo'])
  expect((await network.fetch(new Request(`${server.url}/broken`))).status).toBe(500)
  expect(errors).toEqual(['Error: broken handler'])
  expect(await readThree(await network.fetch(new Request(`${server.url}/events`)))).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n')
  await cancelled
  await expect(network.serve({ port: server.port }, () => new Response())).rejects.toMatchObject({ code: 'CONFIG' })
  await server.close()
  await expect(network.fetch(new Request(`${server.url}/echo`))).rejects.toThrow('fetch failed')
}

describe('HTTP', () => {
  it('on Node: requests, streams, a client that goes, errors', () => check(nodeEnvironment().network))

  it('on Node: closing ends open streams', async () => {
    const { network } = nodeEnvironment()
    const { response, cancelled } = events()
    const server = await network.serve({ port: 0 }, () => response)
    const reader = ((await network.fetch(new Request(server.url))).body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    await server.close()
    await cancelled
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toThrow()
  })

  it('simulated: the same', async () => {
    const env = new SimulatedEnvironment({ seed: 3 })
    let done = false
    const checked = check(env.network).finally(() => {
      done = true
    })
    const started = env.clock.now()
    while (!done) await env.run(1000)
    await checked
    expect(env.clock.now() - started).toBeGreaterThan(1000)
  })
})
