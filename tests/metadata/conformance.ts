/** What every store of metadata must do, whatever it is built on. */
import { expect, test } from 'vitest'
import type { Holder, MetadataStore } from '../../coordinator/metadata/metadata-store.ts'

export interface StoreUnderTest {
  /** Another client of the same store. */
  open(): MetadataStore
  /** Lets time pass. */
  wait(milliseconds: number): Promise<void>
  close(): Promise<void>
}

const LEASE = 1000
const a: Holder = { id: 'a', url: 'http://a:1' }
const b: Holder = { id: 'b', url: 'http://b:1' }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (value: Uint8Array | null): string | null => (value === null ? null : new TextDecoder().decode(value))

export function conformance(make: () => Promise<StoreUnderTest>): void {
  const run = (name: string, body: (store: StoreUnderTest) => Promise<void>): void => {
    test(name, async () => {
      const store = await make()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })
  }

  run('one leads at a time, and is named', async (under) => {
    const [one, two] = [under.open(), under.open()]
    expect(await two.leader()).toBeNull()
    const lease = await one.acquire(a, LEASE)
    expect(lease?.holder).toEqual(a)
    expect(await two.acquire(b, LEASE)).toBeNull()
    expect(await two.leader()).toEqual(a)
  })

  run('of several that try at once, one gets the lease', async (under) => {
    const stores = Array.from({ length: 5 }, () => under.open())
    const leases = await Promise.all(stores.map((store, i) => store.acquire({ id: `h${i}`, url: `http://h${i}` }, LEASE)))
    expect(leases.filter((lease) => lease !== null)).toHaveLength(1)
  })

  run('a lease that is renewed stays, one that is not goes to the next with a later epoch', async (under) => {
    const [one, two] = [under.open(), under.open()]
    const first = await one.acquire(a, LEASE)
    if (first === null) throw new Error('not acquired')
    for (let i = 0; i < 4; i++) {
      await under.wait(LEASE / 2)
      expect(await one.renew(first, LEASE)).toBe(true)
      expect(await two.acquire(b, LEASE)).toBeNull()
    }
    await under.wait(2.2 * LEASE)
    await two.acquire(b, LEASE) // some count from when they have first seen it
    await under.wait(1.1 * LEASE)
    const second = (await two.acquire(b, LEASE)) ?? (await two.acquire(b, LEASE))
    expect(second).not.toBeNull()
    expect(second?.epoch).toBeGreaterThan(first.epoch)
    expect(await one.renew(first, LEASE)).toBe(false)
    expect(await two.leader()).toEqual(b)
  })

  run('a leader whose lease is over writes nothing more', async (under) => {
    const [one, two] = [under.open(), under.open()]
    const first = await one.acquire(a, LEASE)
    if (first === null) throw new Error('not acquired')
    await one.write(first, [{ key: 'x', value: bytes('1') }])
    await one.release(first)
    const second = await two.acquire(b, LEASE)
    if (second === null) throw new Error('not acquired')
    await expect(one.write(first, [{ key: 'x', value: bytes('old') }])).rejects.toMatchObject({ code: 'FENCED' })
    await two.write(second, [{ key: 'y', value: bytes('2') }])
    expect(textOf(await two.read('x'))).toBe('1')
    expect(textOf(await two.read('y'))).toBe('2')
  })

  run('a lease that was given back is free at once', async (under) => {
    const [one, two] = [under.open(), under.open()]
    const first = await one.acquire(a, LEASE)
    if (first === null) throw new Error('not acquired')
    await one.release(first)
    expect(await two.leader()).toBeNull()
    expect((await two.acquire(b, LEASE))?.epoch).toBeGreaterThan(first.epoch)
  })

  run('facts are written together, replaced, removed, listed by prefix, and read by others', async (under) => {
    const [one, two] = [under.open(), under.open()]
    const lease = await one.acquire(a, LEASE)
    if (lease === null) throw new Error('not acquired')
    await one.write(lease, [
      { key: 'jobs/b', value: bytes('B') },
      { key: 'jobs/a', value: bytes('A') },
      { key: 'other', value: new Uint8Array([0, 255, 128]) },
    ])
    await one.write(lease, [
      { key: 'jobs/a', value: bytes('A2') },
      { key: 'jobs/b', value: null },
    ])
    expect(await one.list('jobs/')).toEqual(['jobs/a'])
    expect(textOf(await two.read('jobs/a'))).toBe('A2')
    expect(await two.read('jobs/b')).toBeNull()
    expect([...((await two.read('other')) ?? [])]).toEqual([0, 255, 128])
    expect(await two.read('nothing')).toBeNull()
  })

  run('a new leader finds the facts of those before it', async (under) => {
    let previous = ''
    for (let round = 0; round < 5; round++) {
      const store = under.open()
      const lease = await store.acquire({ id: `r${round}`, url: '' }, LEASE)
      if (lease === null) throw new Error('not acquired')
      expect(textOf(await store.read('round')) ?? '').toBe(previous)
      previous = String(round)
      await store.write(lease, [
        { key: 'round', value: bytes(previous) },
        { key: `round${round}`, value: bytes('.'.repeat(1000)) },
      ])
      await store.release(lease)
    }
    expect((await under.open().list('round')).length).toBe(6)
  })
}
