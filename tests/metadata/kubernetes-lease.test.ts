import { describe, expect, test } from 'vitest'
import { FactLog } from '../../coordinator/metadata/fact-log.ts'
import { KubernetesLease } from '../../coordinator/metadata/kubernetes-lease.ts'
import { LedStore } from '../../coordinator/metadata/leadership.ts'
import type { MetadataStore } from '../../coordinator/metadata/metadata-store.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import { conformance } from './conformance.ts'
import { FakeKubernetes } from './fake-kubernetes.ts'

async function world(token = 'secret') {
  const environment = new SimulatedEnvironment({ seed: 1, maximumDelay: 0 })
  const kubernetes = new FakeKubernetes('secret')
  const server = await environment.network.serve({ host: 'kubernetes', port: 6443 }, kubernetes.handler)
  // Messages take simulated time, which passes only if somebody lets it.
  const moving = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    done.catch(() => undefined)
    while (!isDone) await environment.run(1)
    return done
  }
  const lease = () =>
    new KubernetesLease(environment, { server: server.url, namespace: 'test', name: 'millrace', token: async () => token })
  return { environment, kubernetes, moving, lease }
}

/** Runs the simulated network while a call is under way. */
function driven(store: MetadataStore, moving: <T>(work: Promise<T>) => Promise<T>): MetadataStore {
  return {
    acquire: (holder, milliseconds) => moving(store.acquire(holder, milliseconds)),
    renew: (lease, milliseconds) => moving(store.renew(lease, milliseconds)),
    release: (lease) => moving(store.release(lease)),
    leader: () => moving(store.leader()),
    read: (key) => store.read(key),
    list: (prefix) => store.list(prefix),
    write: (lease, facts) => store.write(lease, facts),
    close: () => store.close(),
  }
}

describe('a lease of Kubernetes, facts in files', () => {
  conformance(async () => {
    const { environment, moving, lease } = await world()
    const stores: MetadataStore[] = []
    return {
      open: () => {
        const store = driven(new LedStore(lease(), new FactLog(environment.disk, '/facts')), moving)
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
