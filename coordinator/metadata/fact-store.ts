/** Durable facts with fencing by epoch, apart from who decides about epochs. */
import type { Fact } from './metadata-store.ts'

export interface FactStore {
  /**
   * Begins to write as an epoch: every earlier one is refused from now on, and all that it was told is written can be read.
   * @throws MillraceError FENCED if this or a later epoch was claimed already
   */
  claim(epoch: number): Promise<void>
  read(key: string): Promise<Uint8Array | null>
  list(prefix: string): Promise<string[]>
  /** All or none. @throws MillraceError FENCED if a later epoch was claimed; whether the facts were taken is unknown then */
  write(epoch: number, facts: readonly Fact[]): Promise<void>
  close(): Promise<void>
}
