import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LocalStore } from '../../coordinator/metadata/local-store.ts'
import type { Lease, MetadataStore } from '../../coordinator/metadata/metadata-store.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import { conformance } from './conformance.ts'

describe('on a simulated disk', () => {
  conformance(async () => {
    const environment = new SimulatedEnvironment({ seed: 1, diskFaults: { turns: 3, shortReads: true } })
    const stores: MetadataStore[] = []
    return {
      open: () => {
        const store = new LocalStore(environment, '/facts')
        stores.push(store)
        return store
      },
      wait: async (milliseconds) => environment.advance(milliseconds * 1000),
      close: async () => {
        for (const store of stores) await store.close()
      },
    }
  })
})

describe('on this disk', () => {
  conformance(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-facts-'))
    const real = nodeEnvironment()
    let shift = 0
    const clock = { now: () => real.clock.now() + shift, monotonic: () => real.clock.monotonic() + shift }
    const stores: MetadataStore[] = []
    return {
      open: () => {
        const store = new LocalStore({ ...real, clock }, directory)
        stores.push(store)
        return store
      },
      wait: async (milliseconds) => {
        shift += milliseconds * 1000
      },
      close: async () => {
        for (const store of stores) await store.close()
        rmSync(directory, { recursive: true })
      },
    }
  })
})

test('whatever was acknowledged survives crashes at any moment, and each batch is there whole or not at all', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }), async (seed, lives) => {
      const environment = new SimulatedEnvironment({ seed, diskFaults: { tornWrites: true } })
      let acknowledged = -1
      let tried = -1
      let epoch = 0
      for (const [life, operations] of lives.entries()) {
        let left = operations
        environment.disk.faults.fail = () => {
          if (left-- <= 0) throw new Error('the machine is gone')
        }
        const store = new LocalStore(environment, '/facts')
        try {
          const holder = { id: `life ${life}`, url: '' }
          environment.advance(10_000_000)
          let lease = await store.acquire(holder, 1000)
          // A lease that the crash tore says nothing about when it ends.
          if (lease === null) environment.advance(1_100_000)
          lease ??= await store.acquire(holder, 1000)
          if (lease === null) throw new Error('not acquired')
          expect(lease.epoch).toBeGreaterThan(epoch)
          epoch = lease.epoch
          const [x, y] = [await number(store, 'x'), await number(store, 'y')]
          expect(x).toBe(y)
          expect(x).toBeGreaterThanOrEqual(acknowledged)
          expect(x).toBeLessThanOrEqual(tried)
          for (let n = tried + 1; ; n++) {
            tried = n
            const value = new TextEncoder().encode(`${n}${' '.repeat(50)}`)
            await store.write(lease, [
              { key: 'x', value },
              { key: 'y', value },
            ])
            acknowledged = n
          }
        } catch (error) {
          if (!(error instanceof Error) || error.message !== 'the machine is gone') throw error
        }
        environment.disk.faults.fail = () => undefined
        environment.disk.crash()
      }
    }),
    { numRuns: 200 },
  )
})

test('a file that grew is begun anew with what is live', async () => {
  const environment = new SimulatedEnvironment({ seed: 1 })
  const store = new LocalStore(environment, '/facts')
  const lease = await store.acquire({ id: 'a', url: '' }, 1000)
  if (lease === null) throw new Error('not acquired')
  for (let i = 0; i < 100; i++) await store.write(lease, [{ key: 'big', value: new Uint8Array(100_000).fill(i) }])
  const sizes = await Promise.all(
    (await environment.disk.list('/facts')).map(async (name) => (await environment.disk.stat(`/facts/${name}`))?.size ?? 0),
  )
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(6_000_000)
  const other = new LocalStore(environment, '/facts')
  expect((await other.read('big'))?.[0]).toBe(99)
})

test('a clock that jumps back keeps nobody from taking over', async () => {
  const environment = new SimulatedEnvironment({ seed: 1 })
  const clock = { shift: 0, now: () => environment.clock.now() + clock.shift, monotonic: () => environment.clock.monotonic() }
  const one = new LocalStore({ ...environment, clock }, '/facts')
  await one.acquire({ id: 'a', url: '' }, 1000)
  clock.shift = -3_600_000_000
  const two = new LocalStore({ ...environment, clock }, '/facts')
  expect(await two.acquire({ id: 'b', url: '' }, 1000)).toBeNull()
  environment.advance(1_100_000)
  expect(await two.acquire({ id: 'b', url: '' }, 1000)).not.toBeNull()
})

test('nobody waits for a process that is known to have ended', async () => {
  const environment = new SimulatedEnvironment({ seed: 1 })
  const ended = new Set<string>()
  const marks = (own: string | null) => ({ own, hasEnded: (mark: string) => Promise.resolve(ended.has(mark)) })
  const [one, two, unmarked] = ['one', 'two', null].map((own) => new LocalStore(environment, '/facts', marks(own)))
  const first = await one.acquire({ id: 'a', url: '' }, 4000)
  expect(await two.acquire({ id: 'b', url: '' }, 4000)).toBeNull()
  ended.add('one')
  const second = await two.acquire({ id: 'b', url: '' }, 4000)
  expect(second?.epoch).toBeGreaterThan(first?.epoch as number)
  // Should it live after all, it can write nothing.
  await expect(one.write(first as Lease, [{ key: 'k', value: new Uint8Array(1) }])).rejects.toMatchObject({ code: 'FENCED' })
  expect(await one.renew(first as Lease, 4000)).toBe(false)
  // The lease of one without a mark is waited for.
  await two.release(second as Lease)
  expect(await unmarked.acquire({ id: 'c', url: '' }, 4000)).not.toBeNull()
  expect(await two.acquire({ id: 'd', url: '' }, 4000)).toBeNull()
  environment.advance(4_100_000)
  expect(await two.acquire({ id: 'd', url: '' }, 4000)).not.toBeNull()
})

async function number(store: MetadataStore, key: string): Promise<number> {
  const value = await store.read(key)
  return value === null ? -1 : Number(new TextDecoder().decode(value))
}
