import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MetadataStore } from '../../coordinator/metadata/metadata-store.ts'
import { PostgresStore } from '../../coordinator/metadata/postgres-store.ts'
import { conformance } from './conformance.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
let clusters = 0

beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())

describe('on a real Postgres', () => {
  conformance(async () => {
    const cluster = `cluster ${clusters++}`
    const stores: MetadataStore[] = []
    return {
      open: () => {
        const store = new PostgresStore({ url: server.url, cluster })
        stores.push(store)
        return store
      },
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      close: async () => {
        for (const store of stores) await store.close()
      },
    }
  })
})

test('clusters in one database do not see each other', async () => {
  const stores = ['one', 'two'].map((cluster) => new PostgresStore({ url: server.url, cluster }))
  const leases = await Promise.all(stores.map((store) => store.acquire({ id: 'a', url: '' }, 1000)))
  if (leases[0] === null) throw new Error('not acquired')
  expect(leases[1]).not.toBeNull()
  await stores[0].write(leases[0], [{ key: 'x', value: new Uint8Array([1]) }])
  expect(await stores[1].read('x')).toBeNull()
  for (const store of stores) await store.close()
})

test('a server that is not there is an error that says so', async () => {
  const store = new PostgresStore({ url: 'postgres://nobody@127.0.0.1:1/nothing', cluster: 'c' })
  await expect(store.acquire({ id: 'a', url: '' }, 1000)).rejects.toMatchObject({ code: 'STORE', hint: expect.stringContaining('--store') })
  await store.close()
})
