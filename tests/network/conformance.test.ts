/** What a connection promises, on both networks. */
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../runtime/error.ts'
import { numbered, numberOf, pair, Recorder, stages } from './stage.ts'

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe.each(stages)('a connection, %s', (_name, newStage) => {
  it('carries messages both ways, in order, each once and whole', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage)
    for (const n of range(2000)) {
      client.connection.send(numbered(n))
      if (n % 2 === 0) server.connection.send(numbered(n))
    }
    client.connection.send(new Uint8Array(0))
    await stage.settled(Promise.all([server.got(2001), client.got(1000)]))
    expect(server.messages.slice(0, 2000).map(numberOf)).toEqual(range(2000))
    expect(server.messages.slice(0, 2000).every((message, n) => Buffer.compare(message, numbered(n)) === 0)).toBe(true)
    expect(server.messages[2000].length).toBe(0)
    expect(client.messages.map(numberOf)).toEqual(range(1000).map((n) => n * 2))
    await close()
  })

  it('takes a part of a larger buffer, and large messages', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage)
    client.connection.send(new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3))
    const large = numbered(77, 20_000_000)
    client.connection.send(large)
    await stage.settled(server.got(2))
    expect([...server.messages[0]]).toEqual([2, 3])
    expect(Buffer.compare(server.messages[1], large)).toBe(0)
    await close()
  })

  it('is closed: what was sent arrives, then the reason; both ends hear of it once, and not from within a call', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage)
    for (const n of range(500)) client.connection.send(numbered(n, 10_000))
    client.connection.close('that was all')
    client.connection.close('again')
    client.connection.send(numbered(500))
    expect([client.connection.isOpen, client.reasons]).toEqual([false, []])
    await stage.settled(Promise.all([server.closed(), client.closed()]))
    expect(server.messages.map(numberOf)).toEqual(range(500))
    expect([server.reasons, client.reasons]).toEqual([['that was all'], ['that was all']])
    expect(server.connection.isOpen).toBe(false)
    server.connection.send(numbered(1))
    server.connection.close()
    server.connection.terminate()
    expect(server.connection.bufferedBytes).toBe(0)
    await close()
  })

  it('is closed without a reason, or with one that is too long', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage)
    server.connection.close()
    await stage.settled(Promise.all([server.closed(), client.closed()]))
    expect(client.reasons).toEqual(['the other end closed the connection'])
    await close()
    const second = await pair(stage)
    second.client.connection.close('é'.repeat(400))
    await stage.settled(second.server.closed())
    expect(second.server.reasons[0]).toMatch(/^é{60,}$/)
    await second.close()
  })

  it('is terminated: what was sent is lost, and both ends hear of it', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage)
    client.connection.send(numbered(0))
    await stage.settled(server.got(1))
    client.connection.send(numbered(1))
    client.connection.terminate()
    expect([client.connection.isOpen, client.reasons]).toEqual([false, []])
    await stage.settled(Promise.all([server.closed(), client.closed()]))
    expect(server.messages.length).toBe(1)
    expect(server.reasons[0]).toMatch(/the connection was lost/)
    expect(client.reasons).toEqual(['terminated here'])
    await close()
  })

  it('says nothing more to an end that closed it', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage)
    server.connection.onMessage = (bytes) => {
      server.messages.push(bytes)
      server.connection.close('enough')
    }
    for (const n of range(100)) client.connection.send(numbered(n))
    await stage.settled(Promise.all([server.closed(), client.closed()]))
    expect(server.messages.length).toBe(1)
    expect([client.reasons, server.reasons]).toEqual([['enough'], ['enough']])
    await close()
  })

  it('breaks at a message above the maximum, and says so on both ends', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage, { maximumMessageBytes: 1000 })
    client.connection.send(numbered(0, 1000))
    client.connection.send(numbered(1, 1001))
    await stage.settled(Promise.all([server.closed(), client.closed()]))
    expect(server.messages.length).toBe(1)
    expect(server.reasons).toEqual(['a message came that is longer than the maximum of 1000 bytes'])
    expect(client.reasons).toEqual(['the other end takes no messages as long as the one sent'])
    const again = await pair(stage, { maximumMessageBytes: 1000 })
    again.server.connection.send(numbered(1, 1001))
    await stage.settled(Promise.all([again.server.closed(), again.client.closed()]))
    expect(again.client.reasons).toEqual(['a message came that is longer than the maximum of 1000 bytes'])
    await Promise.all([close(), again.close()])
  })

  it('keeps what arrives before anybody listens, in order and ahead of the end', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage, { listens: false })
    for (const n of range(50)) client.connection.send(numbered(n))
    client.connection.close('bye')
    await stage.settled(client.closed())
    expect([server.messages.length, server.reasons]).toEqual([0, []])
    server.listen()
    await stage.settled(server.closed())
    expect(server.messages.map(numberOf)).toEqual(range(50))
    expect(server.reasons).toEqual(['bye'])
    await close()
  })

  it('holds a sender back whose receiver does not listen, and says when it has drained', async () => {
    const stage = newStage()
    const { client, server, close } = await pair(stage, { listens: false })
    expect(client.connection.bufferedBytes).toBe(0)
    // More than both networks hold on the way.
    for (const n of range(600)) client.connection.send(numbered(n, 100_000))
    expect(client.connection.bufferedBytes).toBeGreaterThan(30_000_000)
    const probe = await pair(stage)
    for (const n of range(300)) {
      probe.client.connection.send(numbered(n, 10_000))
      await stage.settled(probe.server.got(n + 1))
    }
    expect(client.connection.bufferedBytes).toBeGreaterThan(30_000_000)
    expect(client.drains).toBe(0)
    server.listen()
    await stage.settled(Promise.all([client.drained(), server.got(600)]))
    expect(server.messages.map(numberOf)).toEqual(range(600))
    expect([client.connection.bufferedBytes, client.drains]).toEqual([0, 1])
    await Promise.all([close(), probe.close()])
  })
})

describe.each(stages)('connecting, %s', (_name, newStage) => {
  it('tells the server the path, and what the server sends at once comes first', async () => {
    const stage = newStage()
    const paths: string[] = []
    const accept = (connection: Recorder['connection'], path: string): void => {
      paths.push(path)
      for (const n of range(3)) connection.send(numbered(n))
      if (path === '/bye') connection.close('no time')
    }
    const server = await stage.server.serve(
      { host: stage.host, port: 0, connections: { token: null, accept } },
      () => new Response('plain'),
    )
    const stays = new Recorder(await stage.settled(stage.client.connect(`${server.url}/control?x=1`)))
    const goes = new Recorder(await stage.settled(stage.client.connect(`${server.url}/bye`)))
    await stage.settled(Promise.all([stays.got(3), goes.closed()]))
    expect(paths).toEqual(['/control?x=1', '/bye'])
    expect([stays.messages.map(numberOf), goes.messages.map(numberOf), goes.reasons]).toEqual([range(3), range(3), ['no time']])
    const plain = await stage.settled(stage.client.fetch(new Request(server.url)).then((response) => response.text()))
    expect(plain).toBe('plain')
    await stage.settled(server.close())
    await stage.settled(stays.closed())
    expect(stays.reasons).toEqual(['the server closes'])
  })

  it('has a limit in time for connecting, not for the connection', async () => {
    const stage = newStage()
    const server = await stage.server.serve(
      { host: stage.host, port: 0, connections: { token: null, accept: () => undefined } },
      () => new Response(),
    )
    const end = new Recorder(await stage.settled(stage.client.connect(server.url, { timeoutMilliseconds: 100 })))
    await stage.wait(200)
    expect([end.connection.isOpen, end.reasons]).toEqual([true, []])
    await stage.settled(server.close())
  })

  it('is refused with a reason: token, number of connections, and what the server says', async () => {
    const stage = newStage()
    const errors: string[] = []
    const accepted: Recorder[] = []
    const server = await stage.server.serve(
      {
        host: stage.host,
        port: 0,
        onError: (error, request) => void errors.push(`${error} ${new URL(request.url).pathname}`),
        connections: {
          token: 'sesame',
          maximumConnections: 2,
          accept: (connection, path) => {
            if (path === '/fenced') throw new MillraceError('FENCED', 'your time is over', 'Start again.')
            if (path === '/broken') throw new Error('a defect')
            accepted.push(new Recorder(connection))
          },
        },
      },
      () => new Response('', { status: 404 }),
    )
    const attempt = (path: string, token?: string): Promise<Recorder['connection']> =>
      stage.settled(stage.client.connect(server.url + path, token === undefined ? {} : { token }))
    const refused = (text: string): object => ({ code: 'REFUSED', message: expect.stringContaining(text) })
    await expect(attempt('/', 'sesam')).rejects.toMatchObject({
      ...refused('the token is missing'),
      hint: expect.stringContaining('token'),
    })
    await expect(attempt('/')).rejects.toMatchObject(refused('the token is missing'))
    await expect(attempt('/fenced', 'sesame')).rejects.toMatchObject({ ...refused('your time is over'), hint: 'Start again.' })
    await expect(attempt('/broken', 'sesame')).rejects.toMatchObject(refused('an internal error'))
    expect(errors).toEqual(['Error: a defect /broken'])
    const first = new Recorder(await attempt('/', 'sesame'))
    await attempt('/', 'sesame')
    await expect(attempt('/', 'sesame')).rejects.toMatchObject(refused('there are 2 connections already'))
    first.connection.close()
    await stage.settled(Promise.all([first.closed(), accepted[0].closed()]))
    await expect(attempt('/', 'sesame')).resolves.toBeDefined()
    await stage.settled(server.close())
  })

  it('fails clearly where nobody listens, where no connections are taken, and at what is no address', async () => {
    const stage = newStage()
    const plain = await stage.server.serve({ host: stage.host, port: 0 }, () => new Response('hello'))
    const attempt = (url: string, token?: string): Promise<unknown> =>
      stage.settled(stage.client.connect(url, token === undefined ? {} : { token }))
    await expect(attempt(plain.url)).rejects.toMatchObject({ code: 'REFUSED' })
    await expect(attempt(plain.url.replace('http:', 'https:'))).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await stage.settled(plain.close())
    await expect(attempt(plain.url)).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining(plain.url) })
    await expect(attempt('http://no-such-host.invalid:1/')).rejects.toMatchObject({ code: 'UNREACHABLE' })
    for (const url of ['', 'somewhere', 'ws://x/', 'http://']) await expect(attempt(url)).rejects.toMatchObject({ code: 'CONFIG' })
    for (const token of ['', 'two words', 'schlüssel', 'a\nb'])
      await expect(attempt(plain.url, token)).rejects.toMatchObject({ code: 'CONFIG', message: expect.not.stringContaining(token || 'x') })
  })

  it('fetches with a token', async () => {
    const stage = newStage()
    const server = await stage.server.serve(
      { host: stage.host, port: 0 },
      async (request) => new Response(`${request.headers.get('authorization')} ${request.headers.get('x-a')} ${await request.text()}`),
    )
    const request = new Request(server.url, { method: 'POST', body: 'rows', headers: { 'x-a': 'b' } })
    const response = await stage.settled(stage.client.fetch(request, { token: 'sesame' }))
    expect(await stage.settled(response.text())).toBe('Bearer sesame b rows')
    await stage.settled(server.close())
  })
})
