import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'

describe('SeededRandom', () => {
  it('is the published algorithm, whatever the platform', () => {
    const random = new SeededRandom(1)
    // A reference of xoshiro128** in 64-bit arithmetic, on the same splitmix32 seeds.
    const mask = 0xffffffffn
    let state = 1n
    const seed = (): bigint => {
      state = (state + 0x9e3779b9n) & mask
      let z = state ^ (state >> 16n)
      z = (z * 0x21f0aaadn) & mask
      z ^= z >> 15n
      z = (z * 0x735a2d97n) & mask
      return (z ^ (z >> 15n)) & mask
    }
    const s = [seed(), seed(), seed(), seed() | 1n]
    const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask
    for (let i = 0; i < 1000; i++) {
      const expected = (rotate((s[1] * 5n) & mask, 7n) * 9n) & mask
      const t = (s[1] << 9n) & mask
      s[2] ^= s[0]
      s[3] ^= s[1]
      s[1] ^= s[2]
      s[0] ^= s[3]
      s[2] ^= t
      s[3] = rotate(s[3], 11n)
      expect(random.uint32()).toBe(Number(expected))
    }
  })

  it('is uniform enough and within its bounds', () => {
    const random = new SeededRandom(7)
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) counts[random.below(10)]++
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
    for (let i = 0; i < 1000; i++) {
      const x = random.fraction()
      expect(x >= 0 && x < 1).toBe(true)
    }
  })

  it('differs by seed, also beyond 32 bits, and forks independently', () => {
    const first = (seed: number): number => new SeededRandom(seed).uint32()
    expect(new Set([0, 1, 2, 2 ** 32, 2 ** 40, 2 ** 53 - 1].map(first)).size).toBe(6)
    const a = new SeededRandom(5)
    const b = new SeededRandom(5)
    const forked = a.fork()
    expect(b.fork().bytes(16)).toEqual(forked.bytes(16))
    expect(a.uint32()).toBe(b.uint32())
  })
})
