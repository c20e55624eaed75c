/** The HTTP API, request by request. */
import { beforeEach, describe, expect, test } from 'vitest'
import { Gateway } from '../../worker/process/gateway.ts'
import { queryHandler } from '../../worker/process/query-http.ts'
import { ask, begin, environment, finish, gateways, group, handlers, processes, put } from './api-stage.ts'

const TOKEN = 'correct horse battery'

beforeEach(begin)

describe('jobs', () => {
  test('say what they have, with types, keys and where to ask', async () => {
    const time = put('accounts', [{ accountId: 1, ownerId: 1, frauds: 0n }])
    await environment.run(200_000)
    const { body } = await ask('/v1/jobs')
    expect(body.jobs).toHaveLength(1)
    expect(body.jobs[0]).toMatchObject({
      name: 'shop',
      digest: 'abc',
      state: 'running',
      time,
      at: `1970-01-01T00:00:00.001${String(time % 1000).padStart(3, '0')}Z`,
    })
    expect(body.jobs[0].outputs[0]).toEqual({
      name: 'accounts',
      columns: { accountId: 'int32', ownerId: 'int32', frauds: 'int64' },
      key: ['accountId'],
      rows: '/v1/jobs/shop/outputs/accounts',
      changes: '/v1/jobs/shop/outputs/accounts/changes',
      errors: '/v1/jobs/shop/outputs/accounts/errors',
    })
    expect(body.jobs[0].outputs.at(-1)).toMatchObject({ name: 'log', rows: null })
    expect((await ask('/v1/jobs/shop')).body.job.name).toBe('shop')
  })

  test.each([
    ['/v1/jobs/shob', 'there is no job "shob" (shop). Did you mean "shop"?'],
    ['/v1/jobs/shop/outputs/acounts', 'Did you mean "accounts"?'],
    ['/v1/jobs/shop/output/accounts', 'Did you mean "outputs"?'],
    ['/v1/job', 'Did you mean "jobs"?'],
    ['/v2/jobs', 'there is nothing at /v2/jobs'],
    ['/v1/jobs/shop/outputs/accounts/changes/x', 'there is nothing at'],
  ])('%s is not there, and the answer says what is', async (path, message) => {
    const { status, body } = await ask(path)
    expect(status).toBe(404)
    expect(body.error.code).toBe('UNKNOWN_NAME')
    expect(body.error.message).toContain(message)
  })

  test('help at /', async () => {
    const { status, body } = await ask('/')
    expect(status).toBe(200)
    expect(body).toContain('/v1/jobs/JOB/outputs/OUTPUT/changes')
  })

  test('only GET', async () => {
    const { status, headers } = await ask('/v1/jobs', 0, { method: 'POST' })
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe('GET, HEAD')
  })
})

describe('rows', () => {
  test('by key, asked of the one worker that has it, from any process', async () => {
    const rows = Array.from({ length: 50 }, (_, accountId) => ({ accountId, ownerId: accountId % 7, frauds: BigInt(accountId) }))
    const time = put('accounts', rows)
    await environment.run(200_000)
    for (const at of [0, 1]) {
      for (const process of processes) process.commands.length = 0
      const { status, body } = await ask('/v1/jobs/shop/outputs/accounts?accountId=17', at)
      expect(status).toBe(200)
      expect(body).toMatchObject({
        job: 'shop',
        output: 'accounts',
        time,
        rows: [{ accountId: 17, ownerId: 3, frauds: 17 }],
        more: false,
        next: null,
      })
      expect(processes.flatMap(({ commands }) => commands)).toHaveLength(1)
    }
    expect((await ask('/v1/jobs/shop/outputs/accounts?key.accountId=99')).body.rows).toEqual([])
  })

  test('in pages, each with where the next begins, over all workers', async () => {
    put(
      'accounts',
      Array.from({ length: 25 }, (_, accountId) => ({ accountId, ownerId: 1, frauds: 1n })),
    )
    await environment.run(200_000)
    const seen: number[] = []
    let pages = 0
    for (let path: string | null = '/v1/jobs/shop/outputs/accounts?limit=10'; path !== null; pages++) {
      const { body } = await ask(path, pages % 2)
      seen.push(...body.rows.map(({ accountId }: { accountId: number }) => accountId))
      expect(body.more).toBe(body.next !== null)
      path = body.next
    }
    expect(pages).toBe(3)
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => i))
    expect((await ask('/v1/jobs/shop/outputs/accounts?from=23')).body.rows).toHaveLength(2)
  })

  test('in pages that end between keys of several rows', async () => {
    put(
      'orders',
      [1, 1, 1, 2, 2, 3].map((customer, i) => ({ customer, item: `i${i}` })),
    )
    await environment.run(200_000)
    const first = (await ask('/v1/jobs/shop/outputs/orders?limit=4')).body
    expect(first.rows.map(({ item }: { item: string }) => item)).toEqual(['i0', 'i1', 'i2'])
    const second = (await ask(first.next)).body
    expect(second.rows.map(({ item }: { item: string }) => item)).toEqual(['i3', 'i4', 'i5'])
    // A key with more rows than a page: more, and no page after it.
    expect((await ask('/v1/jobs/shop/outputs/orders?limit=2')).body).toMatchObject({ more: true, next: null })
  })

  test('a key of several columns, all or the first few', async () => {
    put(
      'bySensor',
      ['a', 'b'].flatMap((sensor) => [1, 2].map((slot) => ({ sensor, slot, n: 5n }))),
    )
    await environment.run(200_000)
    expect((await ask('/v1/jobs/shop/outputs/bySensor?sensor=b&slot=2')).body.rows).toEqual([{ sensor: 'b', slot: 2, n: 5 }])
    expect((await ask('/v1/jobs/shop/outputs/bySensor?from.sensor=a&from.slot=2')).body.rows).toHaveLength(3)
    expect((await ask('/v1/jobs/shop/outputs/bySensor?sensor=b')).body.error).toEqual({
      code: 'NOT_KEYED',
      message: 'the key column slot is missing',
      hint: 'Give all of sensor, slot, or from.sensor=...',
    })
    expect((await ask('/v1/jobs/shop/outputs/bySensor?from.slot=2')).status).toBe(400)
  })

  test('values of all types, out and in again', async () => {
    const row = {
      small: -5,
      big: 2n ** 60n,
      real: Number.NaN,
      yes: true,
      word: 'ü &=+',
      at: 1_767_225_600_000_001n,
      price: '1.10',
      raw: Uint8Array.of(0, 250, 255),
      any: { a: [1, null] },
      list: [1n, 2n ** 62n],
      maybe: null,
    }
    put('everything', [row])
    await environment.run(200_000)
    const { body } = await ask('/v1/jobs/shop/outputs/everything?limit=1')
    expect(body.rows).toEqual([
      {
        small: -5,
        big: '1152921504606846976',
        real: 'NaN',
        yes: true,
        word: 'ü &=+',
        at: '2026-01-01T00:00:00.000001Z',
        price: '1.10',
        raw: 'APr/',
        any: { a: [1, null] },
        list: [1, '4611686018427387904'],
        maybe: null,
      },
    ])
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(body.rows[0]))
      query.set(`key.${name}`, typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value))
    const asked = processes.flatMap(({ commands }) => commands).length
    expect((await ask(`/v1/jobs/shop/outputs/everything?${query}`)).status).toBe(200)
    const command = processes.flatMap(({ commands }) => commands).slice(asked)[0]
    expect(command).toMatchObject({ kind: 'read', key: row })
  })

  test.each([
    ['accountId=x', 'COLUMN_TYPE', 'accountId: expected int32, got "x"'],
    ['accountId=3000000000', 'COLUMN_TYPE', 'expected int32'],
    ['acountId=1', 'UNKNOWN_NAME', 'there is no parameter "acountId". Did you mean "accountId"?'],
    ['limit=0', 'CONFIG', 'limit is a whole number from 1 to 10000'],
    ['limit=ten', 'CONFIG', 'not "ten"'],
    ['atLeast=1&asOf=1', 'CONFIG', 'exclude each other'],
    ['accountId=1&from=2', 'CONFIG', 'exclude each other'],
    ['multiset=maybe', 'CONFIG', 'true or false'],
    ['limt=5', 'UNKNOWN_NAME', 'Did you mean "limit"?'],
  ])('?%s is refused', async (query, code, message) => {
    const { status, body } = await ask(`/v1/jobs/shop/outputs/accounts?${query}`)
    expect(status).toBe(400)
    expect(body.error.code).toBe(code)
    expect(body.error.message).toContain(message)
  })

  test('copies, and rows that are there less than not at all', async () => {
    put('plain', [{ word: 'twice' }, { word: 'twice' }])
    await environment.run(200_000)
    expect((await ask('/v1/jobs/shop/outputs/plain')).body.rows).toEqual([{ word: 'twice' }, { word: 'twice' }])
    expect((await ask('/v1/jobs/shop/outputs/plain?multiset=true')).body.rows).toEqual([{ row: { word: 'twice' }, diff: 2 }])
    put('plain', [{ word: 'never' }], -1)
    await environment.run(200_000)
    const { status, body } = await ask('/v1/jobs/shop/outputs/plain')
    expect(status).toBe(500)
    expect(body.error.hint).toBe('Ask with multiset=true to see such rows.')
    expect((await ask('/v1/jobs/shop/outputs/plain?multiset=true')).body.rows[0]).toEqual({ row: { word: 'never' }, diff: -1 })
    expect((await ask('/v1/jobs/shop/outputs/plain?word=x')).body.error.code).toBe('NOT_KEYED')
  })

  test('errors of an output, put together from all workers', async () => {
    const row = { operator: 'map', origin: 'job.ts:3', row: null, message: 'no', source: null, position: null }
    group.current?.errors.set('accounts', [{ row, diff: 1 }])
    const { status, body } = await ask('/v1/jobs/shop/outputs/accounts/errors')
    expect(status).toBe(200)
    // Each of the four workers has one.
    expect(body.errors).toEqual([{ ...row, count: 4 }])
  })

  test('a changelog keeps none', async () => {
    const { status, body } = await ask('/v1/jobs/shop/outputs/log')
    expect(status).toBe(400)
    expect(body.error).toMatchObject({ code: 'NOT_KEYED', hint: expect.stringContaining('/changes') })
  })
})

describe('times', () => {
  test('atLeast waits for a time, and not for ever', async () => {
    const time = group.time + 5000
    const waiting = handlers[0](new Request(`http://127.0.0.1/v1/jobs/shop/outputs/accounts?atLeast=${time}`))
    await environment.run(1_000_000)
    while (group.time < time) put('accounts', [{ accountId: group.time, ownerId: 1, frauds: 1n }])
    const found = (await (await finish(waiting, 300_000)).json()) as { time: number }
    expect(found.time).toBeGreaterThanOrEqual(time)
    const { status, body, headers } = await ask(`/v1/jobs/shop/outputs/accounts?atLeast=${group.time + 1_000_000}`)
    expect(status).toBe(503)
    expect(headers.get('retry-after')).toBe('1')
    expect(body.error.message).toContain('is not visible yet')
  })

  test('asOf within what is kept', async () => {
    const first = put('accounts', [{ accountId: 1, ownerId: 1, frauds: 1n }])
    const second = put('accounts', [{ accountId: 2, ownerId: 1, frauds: 1n }])
    await environment.run(200_000)
    expect((await ask(`/v1/jobs/shop/outputs/accounts?asOf=${first}`)).body).toMatchObject({ time: first, rows: [{ accountId: 1 }] })
    group.compact(second)
    const { status, body } = await ask(`/v1/jobs/shop/outputs/accounts?asOf=${first}`)
    expect(status).toBe(410)
    expect(body.error).toMatchObject({ code: 'BAD_TIME', message: expect.stringContaining(String(second)) })
  })
})

describe('when things are not as they should be', () => {
  test('before the first generation: 503 at once, with retry-after', async () => {
    const process = group.add('new', 1)
    const gateway = new Gateway(process)
    const response = await queryHandler({ gateway, timers: environment.timers, token: null })(
      new Request('http://127.0.0.1/v1/jobs/shop/outputs/accounts'),
    )
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(((await response.json()) as { error: object }).error).toMatchObject({ code: 'UNREACHABLE' })
  })

  test('while a generation is put together reads wait, and then answer with what was visible before', async () => {
    const time = put('accounts', [{ accountId: 1, ownerId: 1, frauds: 1n }])
    await environment.run(200_000)
    for (const process of processes) process.leave()
    const waiting = handlers[0](new Request('http://127.0.0.1/v1/jobs/shop/outputs/accounts'))
    await environment.run(1_000_000)
    group.begin([processes[0]], time)
    const response = await finish(waiting, 500_000)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ time, rows: [{ accountId: 1 }] })
  })

  test('a process without a lease answers nothing, also if it lost it while it looked', async () => {
    processes[0].leased = false
    expect((await ask('/v1/jobs/shop/outputs/accounts')).body.error.code).toBe('FENCED')
    expect((await ask('/v1/jobs/shop/outputs/accounts')).status).toBe(503)
    processes[0].leased = true
    const waiting = handlers[0](new Request('http://127.0.0.1/v1/jobs/shop/outputs/accounts'))
    processes[0].leased = false
    expect((await finish(waiting)).status).toBe(503)
  })

  test('what another process answers is not passed on without a lease', async () => {
    put(
      'accounts',
      Array.from({ length: 50 }, (_, accountId) => ({ accountId, ownerId: 1, frauds: 1n })),
    )
    await environment.run(200_000)
    const isElsewhere = async (id: number): Promise<boolean> => {
      processes[1].commands.length = 0
      await ask(`/v1/jobs/shop/outputs/accounts?accountId=${id}`)
      return processes[1].commands.length > 0
    }
    let elsewhere = 0
    while (!(await isElsewhere(elsewhere))) elsewhere++
    const waiting = handlers[0](new Request(`http://127.0.0.1/v1/jobs/shop/outputs/accounts?accountId=${elsewhere}`))
    await environment.run(0)
    processes[0].leased = false
    expect((await finish(waiting)).status).toBe(503)
  })

  test('another process that lost its lease does not answer for this one, nor ask its threads', async () => {
    processes[1].leased = false
    processes[1].commands.length = 0
    const { status, body } = await ask('/v1/jobs/shop/outputs/accounts')
    expect([status, body.error.code]).toEqual([503, 'FENCED'])
    expect(processes[1].commands).toEqual([])
  })

  test('a job that has stopped says why', async () => {
    processes[0].fail('the function at job.ts:9 threw')
    const { status, body } = await ask('/v1/jobs/shop/outputs/accounts')
    expect(status).toBe(503)
    expect(body.error).toMatchObject({ code: 'JOB', message: 'shop has stopped: the function at job.ts:9 threw' })
    expect((await ask('/v1/jobs')).body.jobs[0]).toMatchObject({ state: 'failed', failure: 'the function at job.ts:9 threw' })
  })

  test('a worker that does not answer costs a bounded time', async () => {
    processes[1].silent = true
    const { status, body } = await ask('/v1/jobs/shop/outputs/accounts')
    expect(status).toBe(503)
    expect(body.error.message).toContain('1 of 2 processes have not answered in time')
  })
})

describe('tokens', () => {
  test('needed where there is one, and compared whole', async () => {
    handlers[0] = queryHandler({ gateway: gateways[0], timers: environment.timers, token: TOKEN })
    for (const authorization of [
      undefined,
      'Bearer wrong',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Bearer ${TOKEN}${TOKEN[0]}`,
      `Basic ${TOKEN}`,
      'Bearer ',
    ]) {
      const { status, headers, body } = await ask('/v1/jobs', 0, authorization === undefined ? {} : { headers: { authorization } })
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toBe('Bearer')
      expect(body.error.code).toBe('REFUSED')
    }
    expect((await ask('/v1/jobs', 0, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200)
  })

  test('without one only this host is answered', async () => {
    const response = await handlers[0](new Request('http://evil.example/v1/jobs'))
    expect(response.status).toBe(403)
    for (const host of ['localhost:80', '127.0.0.1', '[::1]:90'])
      expect((await handlers[0](new Request(`http://${host}/v1/jobs`))).status).toBe(200)
  })
})
