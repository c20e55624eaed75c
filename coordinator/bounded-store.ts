/** A metadata store that always answers: what it was asked for and did not come within a time fails as `TooLate`. */
import type { Timer, Timers } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Fact, Holder, Lease, MetadataStore } from './metadata/metadata-store.ts'

/** The answer may still come, or what was asked for happen. */
export class TooLate extends MillraceError {
  constructor(milliseconds: number) {
    super('STORE', `no answer from the metadata store within ${milliseconds} ms`)
  }
}

export class BoundedStore implements MetadataStore {
  private readonly store: MetadataStore
  private readonly timers: Timers
  private readonly milliseconds: number

  constructor(store: MetadataStore, timers: Timers, milliseconds: number) {
    this.store = store
    this.timers = timers
    this.milliseconds = milliseconds
  }

  acquire(holder: Holder, milliseconds: number): Promise<Lease | null> {
    return this.inTime(this.store.acquire(holder, milliseconds))
  }

  renew(lease: Lease, milliseconds: number): Promise<boolean> {
    return this.inTime(this.store.renew(lease, milliseconds))
  }

  release(lease: Lease): Promise<void> {
    return this.inTime(this.store.release(lease))
  }

  leader(): Promise<Holder | null> {
    return this.inTime(this.store.leader())
  }

  read(key: string): Promise<Uint8Array | null> {
    return this.inTime(this.store.read(key))
  }

  list(prefix: string): Promise<string[]> {
    return this.inTime(this.store.list(prefix))
  }

  write(lease: Lease, facts: readonly Fact[]): Promise<void> {
    return this.inTime(this.store.write(lease, facts))
  }

  close(): Promise<void> {
    return this.store.close()
  }

  private async inTime<T>(answer: Promise<T>): Promise<T> {
    let timer: Timer | undefined
    const late = new Promise<never>((_, reject) => {
      timer = this.timers.setTimeout(() => reject(new TooLate(this.milliseconds)), this.milliseconds)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      timer?.clear()
    }
  }
}
