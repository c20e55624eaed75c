/**
 * BlockStore: what traces need of durable storage. Blocks are immutable; a commit is atomic.
 *
 * One contract suite (tests/trace/block-store.contract.ts) runs on every implementation. Keys are ordered bytewise as UTF-16
 * of ASCII strings, such as `arrangement/run/block`.
 */
import { MillraceError } from '../error.ts'

export interface BlockStore {
  /** The blocks of these keys; null where there is none. */
  read(keys: readonly string[]): (Uint8Array | null)[]
  /** All puts and deletes, or none of them. */
  commit(
    puts: readonly (readonly [key: string, block: Uint8Array])[],
    deletes: readonly string[],
    options?: { readonly sync?: boolean },
  ): void
  /** Keys from `from` up to, not including, `to`, in order. */
  keys(from: string, to: string): readonly string[]
  close(): void
}

/** For tests, simulation, and jobs whose state need not survive. */
export class MemoryBlockStore implements BlockStore {
  private readonly blocks = new Map<string, Uint8Array>()
  private closed = false
  /** Called before a commit with its size; a test throws from it to inject a fault. */
  beforeCommit: ((puts: number) => void) | null = null

  read(keys: readonly string[]): (Uint8Array | null)[] {
    this.check()
    return keys.map((key) => this.blocks.get(key)?.slice() ?? null)
  }

  commit(puts: readonly (readonly [string, Uint8Array])[], deletes: readonly string[]): void {
    this.check()
    this.beforeCommit?.(puts.length)
    for (const key of deletes) this.blocks.delete(key)
    for (const [key, block] of puts) this.blocks.set(key, block.slice())
  }

  keys(from: string, to: string): readonly string[] {
    this.check()
    return [...this.blocks.keys()].filter((key) => key >= from && key < to).sort()
  }

  close(): void {
    this.closed = true
  }

  /** Bytes of all blocks. */
  get bytes(): number {
    let bytes = 0
    for (const block of this.blocks.values()) bytes += block.length
    return bytes
  }

  private check(): void {
    if (this.closed) throw new MillraceError('STORE', 'the block store is closed')
  }
}
