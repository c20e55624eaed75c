/**
 * The coordinator's durable facts, and who may write them.
 *
 * A *lease* makes one process the leader. It comes with an epoch, which grows with each holder; every write names
 * the epoch and is refused (FENCED) once a later one exists, so that a leader that was stopped and wakes writes nothing.
 * A lock alone does not do that. (Fencing tokens: Kleppmann, "Designing Data-Intensive Applications", chapter 8.)
 */
export interface MetadataStore {
  /**
   * Takes the lease if it is free, expired, or the holder's own; null if somebody else has it.
   * @throws MillraceError STORE if the store cannot be reached
   */
  acquire(holder: Holder, milliseconds: number): Promise<Lease | null>
  /** Prolongs; false if it is lost. */
  renew(lease: Lease, milliseconds: number): Promise<boolean>
  release(lease: Lease): Promise<void>
  /** Who leads now. */
  leader(): Promise<Holder | null>
  read(key: string): Promise<Uint8Array | null>
  /** Keys with a prefix, sorted. */
  list(prefix: string): Promise<string[]>
  /**
   * All writes or none, durable when it resolves; null removes.
   * @throws MillraceError FENCED if the lease's epoch is not the latest
   */
  write(lease: Lease, facts: readonly Fact[]): Promise<void>
  close(): Promise<void>
}

export interface Fact {
  readonly key: string
  readonly value: Uint8Array | null
}

export interface Holder {
  /** Unique to one start of one process. */
  readonly id: string
  /** Where workers reach it. */
  readonly url: string
}

export interface Lease {
  readonly holder: Holder
  readonly epoch: number
}
