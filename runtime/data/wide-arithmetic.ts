/** Products wider than a JavaScript number holds exactly, as int32 words, lowest first. */

/** Where `multiplyWords` leaves its result. */
export const product = new Int32Array(3)

/** product = (low, high) * factor, all unsigned; factor up to 2^32 - 1. */
export function multiplyWords(low: number, high: number, factor: number): void {
  const f0 = factor & 0xffff
  const f1 = factor >>> 16
  const a = (low & 0xffff) * f0
  // Each sum below stays under 2^34 + 2^32, far from 2^53.
  const b = (low >>> 16) * f0 + (low & 0xffff) * f1
  const first = a + (b % 0x10000) * 0x10000
  product[0] = first | 0
  const c = (low >>> 16) * f1 + Math.floor(b / 0x10000) + (first > 0xffffffff ? 1 : 0)
  const d = (high & 0xffff) * f0
  const e = (high >>> 16) * f0 + (high & 0xffff) * f1
  const second = c + d + (e % 0x10000) * 0x10000
  product[1] = second | 0
  product[2] = ((high >>> 16) * f1 + Math.floor(e / 0x10000) + Math.floor(second / 0x100000000)) | 0
}
