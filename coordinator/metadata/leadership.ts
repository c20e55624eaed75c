/** Who leads, decided by another system than the one that keeps the facts. */
import type { FactStore } from './fact-store.ts'
import type { Fact, Holder, Lease, MetadataStore } from './metadata-store.ts'

export interface Leadership {
  /** As of MetadataStore. */
  acquire(holder: Holder, milliseconds: number): Promise<Lease | null>
  renew(lease: Lease, milliseconds: number): Promise<boolean>
  release(lease: Lease): Promise<void>
  leader(): Promise<Holder | null>
}

/** A store of facts under another system's lease: its epochs fence the writes. */
export class LedStore implements MetadataStore {
  private readonly leadership: Leadership
  private readonly facts: FactStore

  constructor(leadership: Leadership, facts: FactStore) {
    this.leadership = leadership
    this.facts = facts
  }

  async acquire(holder: Holder, milliseconds: number): Promise<Lease | null> {
    const lease = await this.leadership.acquire(holder, milliseconds)
    if (lease !== null) await this.facts.claim(lease.epoch)
    return lease
  }

  renew(lease: Lease, milliseconds: number): Promise<boolean> {
    return this.leadership.renew(lease, milliseconds)
  }

  release(lease: Lease): Promise<void> {
    return this.leadership.release(lease)
  }

  leader(): Promise<Holder | null> {
    return this.leadership.leader()
  }

  read(key: string): Promise<Uint8Array | null> {
    return this.facts.read(key)
  }

  list(prefix: string): Promise<string[]> {
    return this.facts.list(prefix)
  }

  write(lease: Lease, facts: readonly Fact[]): Promise<void> {
    return this.facts.write(lease.epoch, facts)
  }

  close(): Promise<void> {
    return this.facts.close()
  }
}
