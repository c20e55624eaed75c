/** A store that several simulated coordinators share: it takes its time, can fail, and answers nobody that is dead. */

import { type GroupFact, groupKey } from '../../coordinator/facts.ts'
import { MemoryFacts, MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import type { Fact, Holder, Lease, MetadataStore } from '../../coordinator/metadata/metadata-store.ts'
import type { Clock } from '../../runtime/env/environment.ts'
import type { SimulatedHost } from '../../runtime/env/simulated-host.ts'
import type { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import { MillraceError } from '../../runtime/error.ts'
import { decodeMessage } from '../../runtime/protocol/codec.ts'

export class SharedStore {
  readonly facts: MemoryFacts
  /** Milliseconds that an operation takes at most. */
  delay = 5
  failing = false
  /** Nobody gets an answer. */
  hanging = false
  writes = 0
  readonly epochs: number[] = []
  private readonly world: SimulatedWorld

  constructor(world: SimulatedWorld) {
    this.world = world
    const clock: Clock = { now: () => world.now, monotonic: () => world.now }
    this.facts = new MemoryFacts(clock)
  }

  /** The generation of a group that is durable now. */
  durable(group: string): number {
    const bytes = this.facts.facts.get(groupKey(group))
    return bytes === undefined ? 0 : (decodeMessage<GroupFact>(bytes) as GroupFact).generation
  }

  connect(host: SimulatedHost): MetadataStore {
    const store = new MemoryStore(this.facts)
    const random = this.world.random(`store of ${host.name} ${host.incarnation}`)
    const over = <T>(work: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        this.world.schedule(random.below(this.delay * 1000 + 1), () => {
          if (this.hanging) return
          const done = this.failing ? Promise.reject(new MillraceError('STORE', 'no route to the store')) : work()
          // The answer comes to a process that may have stopped or died meanwhile.
          const answer = (then: () => void): void => void host.timers.setTimeout(then, random.fraction() * this.delay)
          done.then(
            (value) => answer(() => resolve(value)),
            (error) => answer(() => reject(error)),
          )
        })
      })
    return {
      acquire: (holder: Holder, milliseconds: number) => over(() => store.acquire(holder, milliseconds)),
      renew: (lease: Lease, milliseconds: number) => over(() => store.renew(lease, milliseconds)),
      release: (lease: Lease) => over(() => store.release(lease)),
      leader: () => over(() => store.leader()),
      read: (key: string) => over(() => store.read(key)),
      list: (prefix: string) => over(() => store.list(prefix)),
      write: (lease: Lease, facts: readonly Fact[]) =>
        over(async () => {
          await store.write(lease, facts)
          this.writes++
          this.epochs.push(lease.epoch)
        }),
      close: async () => undefined,
    }
  }
}
