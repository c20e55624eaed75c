/** Clients of the changes: what they are told, and what happens to slow ones. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { accountChanges, ChangeFeed, CLIENT_BYTES } from '../../examples/feature-store/change-feed.ts'

let feed: ChangeFeed
beforeEach(() => {
  feed = new ChangeFeed()
})
afterEach(() => {
  feed.close()
})

const row = (accountId: number, frauds: number, ownerId = 7) => ({ accountId, ownerId, frauds: BigInt(frauds) })

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text()
}

test('changes by account', () => {
  expect(
    accountChanges([
      { row: row(1, 2), diff: -1 },
      { row: row(2, 1), diff: 1 },
      { row: row(1, 3), diff: 1 },
      { row: row(3, 0), diff: -1 },
    ]),
  ).toEqual([
    { accountId: 1, before: { ownerId: 7, frauds: 2 }, after: { ownerId: 7, frauds: 3 } },
    { accountId: 2, before: null, after: { ownerId: 7, frauds: 1 } },
    { accountId: 3, before: { ownerId: 7, frauds: 0 }, after: null },
  ])
})

test('a client is told the time at its start, what it missed, each commit, and the end', async () => {
  const stream = feed.open(100, '90')
  feed.publish({ time: 101, changes: [{ row: row(1, 2), diff: 1 }] })
  expect(feed.close()).toBe(1)
  expect(await readAll(stream)).toBe(
    'retry: 1000\nevent: start\nid: 100\ndata: {"time":100,"missedSince":"90"}\n\n' +
      'id: 101\ndata: {"time":101,"accounts":[{"accountId":1,"before":null,"after":{"ownerId":7,"frauds":2}}]}\n\n' +
      'event: end\ndata: {"message":"the feature store stops"}\n\n',
  )
})

test('a client that does not read is dropped with a last event; others go on', async () => {
  const slow = feed.open(0, null)
  const fast = feed.open(0, null).getReader()
  const changes = Array.from({ length: 100 }, (_, i) => ({ row: row(i, 1), diff: 1 }))
  let time = 0
  while (feed.droppedCount === 0) {
    feed.publish({ time: ++time, changes })
    await fast.read()
    expect(time).toBeLessThan(1000)
  }
  expect(feed.clientCount).toBe(1)
  feed.publish({ time: ++time, changes })
  const text = await readAll(slow)
  expect(text).toMatch(/event: overflow\ndata: \{"message":"more than 262144 bytes were waiting.*"\}\n\n$/)
  // One event may go over the bound, no more.
  expect(text.length).toBeLessThan(CLIENT_BYTES + 20_000)
  expect(text).not.toContain(`id: ${time}\n`)
})

test('a client that goes is forgotten', async () => {
  const reader = feed.open(0, null).getReader()
  await reader.read()
  expect(feed.clientCount).toBe(1)
  await reader.cancel()
  expect(feed.clientCount).toBe(0)
  feed.publish({ time: 1, changes: [{ row: row(1, 2), diff: 1 }] })
})
