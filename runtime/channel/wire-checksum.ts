/**
 * A checksum of words that finds what copying between processes can do to a message: flipped bits, halves of it, other messages'
 * parts. Four lanes of multiply and rotate, joined at the end (xxHash32, Y. Collet); about 4 GB/s.
 */
const PRIME_1 = 0x9e3779b1
const PRIME_2 = 0x85ebca77
const PRIME_3 = 0xc2b2ae3d

/** The checksum of `count` words from `at` on. */
export function checksum(words: Int32Array, at: number, count: number, seed: number): number {
  let a = (seed + PRIME_1 + PRIME_2) | 0
  let b = (seed + PRIME_2) | 0
  let c = seed | 0
  let d = (seed - PRIME_1) | 0
  const end = at + count
  let i = at
  for (; i + 4 <= end; i += 4) {
    a = lane(a, words[i])
    b = lane(b, words[i + 1])
    c = lane(c, words[i + 2])
    d = lane(d, words[i + 3])
  }
  for (; i < end; i++) a = lane(a, words[i])
  let h = (rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18) + count) | 0
  h = Math.imul(h ^ (h >>> 15), PRIME_2)
  h = Math.imul(h ^ (h >>> 13), PRIME_3)
  return h ^ (h >>> 16)
}

function lane(sum: number, word: number): number {
  return Math.imul(rotated((sum + Math.imul(word, PRIME_2)) | 0, 13), PRIME_1)
}

function rotated(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits))
}
