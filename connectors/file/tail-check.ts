/** The last bytes before a position, kept to notice that a file is no longer the one that was read. */

/**
 * Bytes kept. A file truncated and written past the position again between two polls goes unnoticed only if these bytes
 * are the same in both.
 */
export const TAIL_BYTES = 256

export class Tail {
  length = 0
  private readonly bytes = new Uint8Array(TAIL_BYTES)

  /** Takes the last bytes before `end` in `buffer`; all of `buffer` up to `end` precedes the position. */
  take(buffer: Uint8Array, end: number): void {
    this.length = Math.min(end, TAIL_BYTES)
    for (let i = 0; i < this.length; i++) this.bytes[i] = buffer[end - this.length + i]
  }

  clear(): void {
    this.length = 0
  }

  /** Whether `buffer` starts with these bytes. */
  matches(buffer: Uint8Array): boolean {
    for (let i = 0; i < this.length; i++) if (buffer[i] !== this.bytes[i]) return false
    return true
  }

  hash(): number {
    return fnv1a(this.bytes, this.length)
  }
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo). */
export function fnv1a(bytes: Uint8Array, length: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193)
  return hash >>> 0
}
