/** The host's cryptographic randomness. */
import type { Random } from './environment.ts'

/** Words fetched at once: a call into the host costs microseconds. */
const WORDS = 256
/** The most bytes `getRandomValues` gives in one call (Web Cryptography API, section 10.1.1). */
const BYTES_PER_CALL = 65536

export class SystemRandom implements Random {
  private readonly words = new Uint32Array(WORDS)
  private used = WORDS

  uint32(): number {
    if (this.used === WORDS) {
      crypto.getRandomValues(this.words)
      this.used = 0
    }
    return this.words[this.used++]
  }

  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length)
    for (let i = 0; i < length; i += BYTES_PER_CALL) crypto.getRandomValues(result.subarray(i, i + BYTES_PER_CALL))
    return result
  }
}
