/**
 * xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), seeded by
 * splitmix32: fast, 128 bits of state, all from one number. Not for secrets.
 */
import type { Random } from './environment.ts'

export class SeededRandom implements Random {
  private a: number
  private b: number
  private c: number
  private d: number

  /** Uses the low 53 bits of the integer `seed`. */
  constructor(seed: number) {
    let state = (seed ^ Math.imul(Math.floor(seed / 0x100000000), 0x9e3779b1)) | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let mixed = state ^ (state >>> 16)
      mixed = Math.imul(mixed, 0x21f0aaad)
      mixed ^= mixed >>> 15
      mixed = Math.imul(mixed, 0x735a2d97)
      return mixed ^ (mixed >>> 15)
    }
    this.a = next()
    this.b = next()
    this.c = next()
    // An all-zero state would stay zero for ever.
    this.d = next() | 1
  }

  uint32(): number {
    const scaled = Math.imul(this.b, 5)
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0
    const shifted = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= shifted
    this.d = (this.d << 11) | (this.d >>> 21)
    return result
  }

  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length)
    for (let i = 0; i < length; i++) result[i] = this.uint32() >>> 24
    return result
  }

  /** A number from 0 (inclusive) to 1 (exclusive), 53 bits. */
  fraction(): number {
    return ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 0x20000000000000
  }

  /** A whole number from 0 to `bound` - 1; `bound` is from 1 to 2^53. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** An independent generator for one part of a simulation, so that parts do not shift each other's choices. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32() * 0x200000 + (this.uint32() >>> 11))
  }
}
