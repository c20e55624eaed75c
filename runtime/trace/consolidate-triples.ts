/** Consolidation of (value id, time id, difference) triples in place. */
import { powerOfTwo } from '../data/batch.ts'
import { MillraceError } from '../error.ts'

/** Up to this many triples comparing all with all beats hashing. */
const COMPARED = 16
const KEPT_SLOTS = 1 << 16

let kept = new Int32Array(64)
const result = { length: 0, settled: 0 }

/**
 * Sums the differences of equal (value, time) among `length` triples from `offset` on and drops zero sums; what stays
 * keeps its order. Returns the new length, and how many of the first `settled` triples stay. The result is reused. Triples that are
 * summed or dropped take the same way through the code as others: a load, during which it is compiled, may have none of them.
 */
export function consolidateTriples(pool: Int32Array, offset: number, length: number, settled: number): { length: number; settled: number } {
  const end = offset + 3 * length
  if (length <= COMPARED) {
    for (let p = offset; p < end; p += 3) {
      const value = pool[p]
      const time = pool[p + 1]
      const difference = pool[p + 2]
      pool[p + 2] = 0
      let q = offset
      while (pool[q] !== value || pool[q + 1] !== time) q += 3
      pool[q + 2] = sumOf(pool[q + 2], difference)
    }
  } else sumHashed(pool, offset, end)
  let to = offset
  const border = offset + 3 * settled
  let staying = 0
  for (let p = offset; p < end; p += 3) {
    const difference = pool[p + 2]
    pool[to] = pool[p]
    pool[to + 1] = pool[p + 1]
    pool[to + 2] = difference
    staying += difference !== 0 && p < border ? 1 : 0
    to += difference !== 0 ? 3 : 0
  }
  result.settled = staying
  result.length = ((to - offset) / 3) | 0
  return result
}

function sumHashed(pool: Int32Array, offset: number, end: number): void {
  const slots = powerOfTwo((2 * (end - offset)) / 3)
  if (kept.length < slots) kept = new Int32Array(slots)
  const table = kept
  table.fill(0, 0, slots)
  const mask = slots - 1
  for (let p = offset; p < end; p += 3) {
    const value = pool[p]
    const time = pool[p + 1]
    let hash = Math.imul(value, 0x9e3779b1) ^ Math.imul(time, 0x85ebca6b)
    hash ^= hash >>> 15
    hash = Math.imul(hash, 0x2c1b3c6d)
    let slot = (hash ^ (hash >>> 13)) & mask
    let q = table[slot] - 1
    while (q >= 0 && (pool[q] !== value || pool[q + 1] !== time)) {
      slot = (slot + 1) & mask
      q = table[slot] - 1
    }
    const at = q < 0 ? p : q
    const difference = pool[p + 2]
    pool[p + 2] = 0
    pool[at + 2] = sumOf(pool[at + 2], difference)
    table[slot] = at + 1
  }
  if (slots > KEPT_SLOTS) kept = new Int32Array(64)
}

function sumOf(a: number, b: number): number {
  const sum = a + b
  if (sum !== (sum | 0)) throw new MillraceError('OVERFLOW', 'the multiplicity of a row left the range of int32')
  return sum
}
