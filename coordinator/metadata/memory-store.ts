/**
 * Facts in memory, with the epochs of a real store: for simulations and tests, where several coordinators share one. Leases run on
 * the clock of the store, as they do on a database's.
 */
import type { Clock } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Fact, Holder, Lease, MetadataStore } from './metadata-store.ts'

interface Held {
  readonly holder: Holder
  /** Monotonic, microseconds; 0 once released. */
  until: number
}

/** What all who use the store share: it outlives each of them. */
export class MemoryFacts {
  readonly facts = new Map<string, Uint8Array>()
  readonly clock: Clock
  epoch = 0
  held: Held | null = null

  constructor(clock: Clock) {
    this.clock = clock
  }
}

export class MemoryStore implements MetadataStore {
  private readonly shared: MemoryFacts
  private closed = false

  constructor(shared: MemoryFacts) {
    this.shared = shared
  }

  async acquire(holder: Holder, milliseconds: number): Promise<Lease | null> {
    this.check()
    const { shared } = this
    if (this.holds() && shared.held?.holder.id !== holder.id) return null
    // A new epoch also for the same holder: what it sent earlier and is still under way must not be written any more.
    shared.epoch++
    shared.held = { holder: { ...holder }, until: shared.clock.monotonic() + milliseconds * 1000 }
    return { holder, epoch: shared.epoch }
  }

  async renew(lease: Lease, milliseconds: number): Promise<boolean> {
    this.check()
    const { shared } = this
    if (lease.epoch !== shared.epoch || !this.holds()) return false
    ;(shared.held as Held).until = shared.clock.monotonic() + milliseconds * 1000
    return true
  }

  async release(lease: Lease): Promise<void> {
    this.check()
    if (lease.epoch === this.shared.epoch && this.shared.held !== null) this.shared.held.until = 0
  }

  async leader(): Promise<Holder | null> {
    this.check()
    return this.holds() ? (this.shared.held as Held).holder : null
  }

  async read(key: string): Promise<Uint8Array | null> {
    this.check()
    return this.shared.facts.get(key)?.slice() ?? null
  }

  async list(prefix: string): Promise<string[]> {
    this.check()
    return [...this.shared.facts.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  async write(lease: Lease, facts: readonly Fact[]): Promise<void> {
    this.check()
    if (lease.epoch !== this.shared.epoch)
      throw new MillraceError('FENCED', `epoch ${lease.epoch} writes no more: epoch ${this.shared.epoch} has begun`)
    for (const { key, value } of facts) {
      if (value === null) this.shared.facts.delete(key)
      else this.shared.facts.set(key, value.slice())
    }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  private holds(): boolean {
    return this.shared.held !== null && this.shared.held.until > this.shared.clock.monotonic()
  }

  private check(): void {
    if (this.closed) throw new MillraceError('CLOSED', 'the metadata store was closed')
  }
}
