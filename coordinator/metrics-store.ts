/** A metadata store that says how long its calls take. */
import type { Clock } from '../runtime/env/environment.ts'
import type { Fact, Holder, Lease, MetadataStore } from './metadata/metadata-store.ts'

export type StoreOperation = 'acquire' | 'renew' | 'release' | 'leader' | 'read' | 'list' | 'write'

export type StoreObserver = (operation: StoreOperation, seconds: number, failed: boolean) => void

export class TimedStore implements MetadataStore {
  private readonly store: MetadataStore
  private readonly clock: Clock
  private readonly observe: StoreObserver

  constructor(store: MetadataStore, clock: Clock, observe: StoreObserver) {
    this.store = store
    this.clock = clock
    this.observe = observe
  }

  acquire(holder: Holder, milliseconds: number): Promise<Lease | null> {
    return this.timed('acquire', () => this.store.acquire(holder, milliseconds))
  }

  renew(lease: Lease, milliseconds: number): Promise<boolean> {
    return this.timed('renew', () => this.store.renew(lease, milliseconds))
  }

  release(lease: Lease): Promise<void> {
    return this.timed('release', () => this.store.release(lease))
  }

  leader(): Promise<Holder | null> {
    return this.timed('leader', () => this.store.leader())
  }

  read(key: string): Promise<Uint8Array | null> {
    return this.timed('read', () => this.store.read(key))
  }

  list(prefix: string): Promise<string[]> {
    return this.timed('list', () => this.store.list(prefix))
  }

  write(lease: Lease, facts: readonly Fact[]): Promise<void> {
    return this.timed('write', () => this.store.write(lease, facts))
  }

  close(): Promise<void> {
    return this.store.close()
  }

  private async timed<T>(operation: StoreOperation, call: () => Promise<T>): Promise<T> {
    const begun = this.clock.monotonic()
    let failed = true
    try {
      const found = await call()
      failed = false
      return found
    } finally {
      this.observe(operation, (this.clock.monotonic() - begun) / 1_000_000, failed)
    }
  }
}
