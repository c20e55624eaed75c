/** Changes as server-sent events. */
import { beforeEach, describe, expect, test } from 'vitest'
import { PAGE_ROWS } from '../../worker/process/follower.ts'
import { LINGER_MILLISECONDS } from '../../worker/process/gateway-subscription.ts'
import { HEARTBEAT_MILLISECONDS } from '../../worker/process/query-events.ts'
import { ask, begin, environment, events, finish, gateways, group, handlers, processes, put } from './api-stage.ts'

beforeEach(begin)

describe('changes', () => {
  test('a snapshot in pages, then what changes, each time with its id', async () => {
    const many = Array.from({ length: PAGE_ROWS * 2 + 5 }, (_, accountId) => ({ accountId, ownerId: 1, frauds: 1n }))
    const time = put('accounts', many)
    await environment.run(200_000)
    const feed = await events('/v1/jobs/shop/outputs/accounts/changes?snapshot=true', 1)
    expect(feed.seen.map(({ event, id, data }) => [event, id, data.rows.length, data.last])).toEqual([
      ['snapshot', null, PAGE_ROWS, false],
      ['snapshot', null, PAGE_ROWS, false],
      ['snapshot', String(time), 5, true],
    ])
    const told = feed.seen.flatMap(({ data }) => data.rows.map((one: { row: { accountId: number } }) => one.row.accountId))
    expect(told.sort((a, b) => a - b)).toEqual(many.map(({ accountId }) => accountId))
    const later = put('accounts', [{ accountId: -1, ownerId: 2, frauds: 2n ** 60n }])
    await environment.run(200_000)
    expect(feed.seen.at(-1)).toEqual({
      event: 'changes',
      id: String(later),
      data: {
        time: later,
        at: expect.stringMatching(/Z$/),
        changes: [{ row: { accountId: -1, ownerId: 2, frauds: '1152921504606846976' }, diff: 1 }],
      },
    })
    await feed.cancel()
    await environment.run(LINGER_MILLISECONDS * 1000)
    expect(gateways[1].load).toMatchObject({ followers: 0, subscriptions: 0 })
  })

  test('without a snapshot they begin with where they begin', async () => {
    const feed = await events('/v1/jobs/shop/outputs/log/changes')
    expect(feed.seen).toEqual([{ event: 'start', id: String(group.time), data: { time: group.time, at: expect.any(String) } }])
    expect((await ask('/v1/jobs/shop/outputs/log/changes?snapshot=true')).body.error.code).toBe('NOT_KEYED')
    await feed.cancel()
  })

  test('Last-Event-ID goes on where it was, at another process too; one that is not known any more starts anew', async () => {
    const first = put('accounts', [{ accountId: 1, ownerId: 1, frauds: 1n }])
    await environment.run(200_000)
    const second = put('accounts', [{ accountId: 2, ownerId: 1, frauds: 1n }])
    await environment.run(200_000)
    for (const at of [0, 1]) {
      const feed = await events('/v1/jobs/shop/outputs/accounts/changes?snapshot=true', at, { 'last-event-id': String(first) })
      expect(feed.seen.map(({ event, id }) => [event, id])).toEqual([
        ['start', String(first)],
        ['changes', String(second)],
      ])
      await feed.cancel()
    }
    await environment.run(LINGER_MILLISECONDS * 1000)
    group.compact(second)
    const feed = await events('/v1/jobs/shop/outputs/accounts/changes', 0, { 'last-event-id': String(first) })
    expect(feed.seen.map(({ event }) => event)).toEqual(['reset', 'snapshot'])
    await feed.cancel()
    expect((await ask('/v1/jobs/shop/outputs/accounts/changes', 0, { headers: { 'last-event-id': 'x' } })).status).toBe(400)
  })

  test('comments while nothing happens', async () => {
    const feed = await events('/v1/jobs/shop/outputs/accounts/changes')
    await environment.run(HEARTBEAT_MILLISECONDS * 3000 + 1000)
    expect(feed.comments).toBe(3)
    expect(feed.seen).toHaveLength(1)
    await feed.cancel()
  })

  test('many followers share one subscription, and one write of each event', async () => {
    const feeds = await Promise.all([0, 1, 2].map(() => events('/v1/jobs/shop/outputs/accounts/changes')))
    expect(gateways[0].load).toMatchObject({ followers: 3, subscriptions: 1 })
    expect(processes.flatMap(({ commands }) => commands).filter(({ kind }) => kind === 'follow')).toHaveLength(4)
    put('accounts', [{ accountId: 1, ownerId: 1, frauds: 1n }])
    await environment.run(200_000)
    for (const feed of feeds) expect(feed.seen.at(-1)?.event).toBe('changes')
    for (const feed of feeds) await feed.cancel()
  })

  test('a follower that reads too slowly is told so, and the others are not held up', async () => {
    const response = await finish(handlers[0](new Request('http://127.0.0.1/v1/jobs/shop/outputs/accounts/changes')), 200_000)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const quick = await events('/v1/jobs/shop/outputs/accounts/changes')
    for (let i = 0; i < 40; i++) {
      put(
        'accounts',
        Array.from({ length: 500 }, (_, k) => ({ accountId: i * 500 + k, ownerId: 1, frauds: 1n })),
      )
      await environment.run(60_000)
    }
    let text = ''
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += new TextDecoder().decode(part.value)
    expect(text).toMatch(/event: overflow\ndata: \{"code":"OVERFLOW","message":"more than 1048576 bytes/)
    expect(text).not.toContain('event: changes')
    await environment.run(200_000)
    expect(quick.seen.filter(({ event }) => event === 'changes')).toHaveLength(40)
    await quick.cancel()
  })

  test('the process stops, the job is dropped: the streams end with the reason', async () => {
    const one = await events('/v1/jobs/shop/outputs/accounts/changes', 0)
    const other = await events('/v1/jobs/shop/outputs/accounts/changes', 1)
    gateways[0].close()
    processes[1].drop()
    await environment.run(1000)
    expect(one.seen.at(-1)).toMatchObject({ event: 'end', data: { code: 'CLOSED' } })
    expect(other.seen.at(-1)).toMatchObject({ event: 'end', data: { code: 'UNKNOWN_NAME', message: 'shop was dropped' } })
    expect([one.ended, other.ended]).toEqual([true, true])
    expect((await ask('/v1/jobs/shop/outputs/accounts')).status).toBe(503)
  })
})
