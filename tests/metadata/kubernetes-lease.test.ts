import { describe, expect, test } from 'vitest'
import { FactLog } from '../../coordinator/metadata/fact-log.ts'
import { KubernetesLease } from '../../coordinator/metadata/kubernetes-lease.ts'
import { LedStore } from '../../coordinator/metadata/leadership.ts'
import type { MetadataStore } from '../../coordinator/metadata/metadata-store.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import { conformance } from './conformance.ts'
import { FakeKubernetes } from './fake-kubernetes.ts'

async function world(token = 'secret') {
  const simulated = new SimulatedWorld({ seed: 1 })
  const environment = simulated.host('kubernetes')
  const kubernetes = new FakeKubernetes('secret')
  const server = await environment.network.serve({ port: 6443 }, kubernetes.handler)
  // Messages take simulated time, which passes only if somebody lets it.
  let pending = 0
  let moves = false
  const move = async (): Promise<void> => {
    moves = true
    while (pending > 0) await simulated.run(100)
    moves = false
  }
  const moving = <T>(work: Promise<T>): Promise<T> => {
    pending++
    const done = work.finally(() => {
      pending--
    })
    done.catch(() => undefined)
    if (!moves) void move()
    return done
  }
  const lease = () =>
    new KubernetesLease(environment, { server: server.url, namespace: 'test', name: 'millrace', token: async () => token })
  return { simulated, environment, kubernetes, moving, lease }
}

/** Runs the simulated network while a call is under way. */
function driven(store: MetadataStore, moving: <T>(work: Promise<T>) => Promise<T>): MetadataStore {
  return {
    acquire: (holder, milliseconds) => moving(store.acquire(holder, milliseconds)),
    renew: (lease, milliseconds) => moving(store.renew(lease, milliseconds)),
    release: (lease) => moving(store.release(lease)),
    leader: () => moving(store.leader()),
    read: (key) => moving(store.read(key)),
    list: (prefix) => moving(store.list(prefix)),
    write: (lease, facts) => moving(store.write(lease, facts)),
    close: () => moving(store.close()),
  }
}

describe('a lease of Kubernetes, facts in files', () => {
  conformance(async () => {
    const { simulated, environment, moving, lease } = await world()
    const stores: MetadataStore[] = []
    return {
      open: () => {
        const store = driven(new LedStore(lease(), new FactLog(environment.disk, '/facts')), moving)
        stores.push(store)
        return store
      },
      wait: async (milliseconds) => simulated.advance(milliseconds * 1000),
      close: async () => {
        for (const store of stores) await store.close()
      },
    }
  })
})

test('whoever is overtaken between reading and writing does not get it', async () => {
  const { kubernetes, moving, lease } = await world()
  const one = lease()
  const first = await moving(one.acquire({ id: 'a', url: '' }, 1000))
  if (first === null) throw new Error('not acquired')
  kubernetes.beforeWrite = () => {
    const stored = kubernetes.leases.get('millrace')
    if (stored !== undefined) kubernetes.touch(stored)
  }
  expect(await moving(one.renew(first, 1000))).toBe(false)
})

test('a wrong token says what the account needs', async () => {
  const { moving, lease } = await world('wrong')
  await expect(moving(lease().acquire({ id: 'a', url: '' }, 1000))).rejects.toThrow(/401[\s\S]*get, create and update on leases/)
})
