import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import type { HttpServer } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { type Authority, issue, newAuthority } from './certificates.ts'
import { numbered, Recorder } from './stage.ts'

const { network } = nodeEnvironment()

let own: Authority
let foreign: Authority
let server: Required<TlsIdentity>
let client: Required<TlsIdentity>
let stranger: Required<TlsIdentity>

beforeAll(async () => {
  ;[own, foreign] = await Promise.all([newAuthority('Own'), newAuthority('Foreign')])
  ;[server, client, stranger] = await Promise.all([issue(own), issue(own), issue(foreign)])
})

function serve(tls: TlsIdentity): Promise<HttpServer> {
  return network.serve(
    {
      port: 0,
      tls,
      connections: { token: 'sesame', accept: (connection) => (connection.onMessage = (bytes) => connection.send(bytes)) },
    },
    async (request) => new Response(`${request.method} ${new URL(request.url).protocol} ${await request.text()}`, { status: 201 }),
  )
}

async function echo(url: string, tls: TlsIdentity): Promise<void> {
  const end = new Recorder(await network.connect(url, { token: 'sesame', tls }))
  end.connection.send(numbered(1, 1_000_000))
  for (let n = 0; n < 100; n++) end.connection.send(numbered(n))
  await end.got(101)
  expect(Buffer.compare(end.messages[0], numbered(1, 1_000_000))).toBe(0)
  expect(Buffer.compare(end.messages[100], numbered(99))).toBe(0)
  end.connection.close()
  await end.closed()
}

describe('TLS with an authority of our own', () => {
  it('encrypts connections and requests', async () => {
    const listening = await serve({ certificate: server.certificate, key: server.key })
    expect(listening.url).toMatch(/^https:/)
    await echo(listening.url, { ca: own.cert })
    const answer = await network.fetch(new Request(listening.url, { method: 'POST', body: 'rows' }), { tls: { ca: own.cert } })
    expect([answer.status, await answer.text()]).toEqual([201, 'POST https: rows'])
    await listening.close()
  })

  it('asks clients for a certificate if it has an authority to check them', async () => {
    const listening = await serve(server)
    await echo(listening.url, client)
    const answer = await network.fetch(new Request(listening.url), { tls: client })
    expect(await answer.text()).toBe('GET https: ')
    const refused = {
      code: 'REFUSED',
      message: expect.stringContaining('it wants a certificate'),
      hint: expect.stringContaining('issued by'),
    }
    const without = { ca: own.cert }
    const wrong = { ca: own.cert, certificate: stranger.certificate, key: stranger.key }
    for (const tls of [without, wrong]) {
      await expect(network.connect(listening.url, { token: 'sesame', tls })).rejects.toMatchObject(refused)
      expect((await network.fetch(new Request(listening.url), { tls })).status).toBe(403)
    }
    await listening.close()
  })

  it('trusts nobody else, and says what to do', async () => {
    const listening = await serve({ certificate: server.certificate, key: server.key })
    const attempt = (tls: TlsIdentity, url = listening.url): Promise<unknown> => network.connect(url, { token: 'sesame', tls })
    await expect(attempt({ ca: foreign.cert })).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('is not trusted'),
      hint: expect.stringContaining('give the certificate of the authority'),
    })
    await expect(attempt({})).rejects.toMatchObject({ code: 'REFUSED', hint: expect.stringContaining('authority') })
    await expect(network.fetch(new Request(listening.url), { tls: { ca: foreign.cert } })).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'REFUSED' },
    })
    await listening.close()
    const [elsewhere, expired] = await Promise.all([issue(own, ['elsewhere.example']), issue(own, [], -1)])
    const other = await serve({ certificate: elsewhere.certificate, key: elsewhere.key })
    await expect(attempt({ ca: own.cert }, other.url)).rejects.toMatchObject({
      code: 'REFUSED',
      hint: expect.stringContaining('other names'),
    })
    await other.close()
    const old = await serve({ certificate: expired.certificate, key: expired.key })
    await expect(attempt({ ca: own.cert }, old.url)).rejects.toMatchObject({ code: 'REFUSED', hint: expect.stringContaining('clocks') })
    await old.close()
  })

  it('and http: at its port, or https: at a plain one, fail clearly', async () => {
    const listening = await serve({ certificate: server.certificate, key: server.key })
    await expect(network.connect(listening.url.replace('https', 'http'))).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await listening.close()
  })

  it('and somebody who says nothing do not keep a server from closing', async () => {
    const listening = await serve({ certificate: server.certificate, key: server.key })
    const silent = connectSocket(listening.port, '127.0.0.1')
    silent.on('error', () => undefined)
    await once(silent, 'connect')
    await network.fetch(new Request(listening.url), { tls: { ca: own.cert } })
    const started = Date.now()
    await listening.close()
    expect(Date.now() - started).toBeLessThan(2000)
    silent.destroy()
  })

  it('is not given what is none', async () => {
    await expect(serve({ ca: own.cert })).rejects.toMatchObject({ code: 'CONFIG' })
    await expect(serve({ certificate: server.certificate, key: client.key })).rejects.toMatchObject({ code: 'CONFIG' })
    await expect(serve({ certificate: 'nonsense', key: 'nonsense' })).rejects.toMatchObject({ code: 'CONFIG' })
    await expect(network.connect('https://127.0.0.1:1', { tls: { certificate: server.certificate } })).rejects.toMatchObject({
      code: 'CONFIG',
    })
    await expect(network.connect('https://127.0.0.1:1', { tls: { ca: 'nonsense' } })).rejects.toMatchObject({ code: 'CONFIG' })
  })

  it('streams a response, and its reader may go', async () => {
    let cancelled = (): void => undefined
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve
    })
    let n = 0
    const body = new ReadableStream<Uint8Array>(
      { pull: (c) => c.enqueue(new Uint8Array([n++])), cancel: () => cancelled() },
      { highWaterMark: 0 },
    )
    const listening = await network.serve({ port: 0, tls: server }, () => new Response(body))
    const answer = await network.fetch(new Request(listening.url), { tls: client })
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
    expect((await reader.read()).value?.[0]).toBe(0)
    await reader.cancel()
    await gone
    const stopped = new AbortController()
    stopped.abort(new Error('changed my mind'))
    await expect(network.fetch(new Request(listening.url, { signal: stopped.signal }), { tls: client })).rejects.toThrow('changed my mind')
    await listening.close()
  })
})
