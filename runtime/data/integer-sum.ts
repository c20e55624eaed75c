/**
 * Exact sums of whole numbers, one a slot, in 128 bits: int64 values times int32 multiplicities can't leave them in
 * 2^33 additions of the largest. So a sum may leave int64 on its way, in any order of arrival, and come back; only
 * reading one that is outside is an error.
 */
import { MillraceError } from '../error.ts'
import { grown, powerOfTwo } from './batch.ts'
import { multiplyWords, product } from './wide-arithmetic.ts'

const WORDS = 4
const TWO_TO_32 = 0x100000000

export class IntegerSums {
  /** Four words a slot in two's complement, lowest first; generated kernels read it directly. */
  words = new Int32Array(0)

  /** Room for slots 0 .. capacity - 1. */
  ensure(capacity: number): void {
    if (WORDS * capacity > this.words.length) this.words = grown(this.words, WORDS * powerOfTwo(capacity))
  }

  /** Adds the int64 (low, high) `multiplicity` times; removes it when negative. */
  add(slot: number, low: number, high: number, multiplicity: number): void {
    if (high === low >> 31) {
      const small = low * multiplicity
      if (small >= -Number.MAX_SAFE_INTEGER && small <= Number.MAX_SAFE_INTEGER) {
        const upper = Math.floor(small / TWO_TO_32)
        this.plus(slot, small, upper, upper >> 31)
        return
      }
    }
    const negative = high < 0
    // The magnitude of the value, as unsigned words.
    const magnitudeLow = negative ? -low | 0 : low
    const magnitudeHigh = negative ? (~high + (low === 0 ? 1 : 0)) | 0 : high
    multiplyWords(magnitudeLow, magnitudeHigh, Math.abs(multiplicity))
    const p0 = product[0] as number
    const p1 = product[1] as number
    const p2 = product[2] as number
    if (negative === multiplicity < 0) {
      this.plusWords(slot, p0, p1, p2, 0)
      return
    }
    const n0 = -p0 | 0
    const n1 = (~p1 + (n0 === 0 ? 1 : 0)) | 0
    const n2 = (~p2 + (n0 === 0 && n1 === 0 ? 1 : 0)) | 0
    this.plusWords(slot, n0, n1, n2, (n0 | n1 | n2) === 0 ? 0 : -1)
  }

  /** Adds row i of an int32 or int64 column without nulls to slot slots[i], differences[i] times, for n rows. */
  addColumn(slots: Int32Array, column: Int32Array, width: 1 | 2, differences: Int32Array, n: number): void {
    if (width === 1) {
      for (let i = 0; i < n; i++) {
        const value = column[i] as number
        this.add(slots[i] as number, value, value >> 31, differences[i] as number)
      }
      return
    }
    for (let i = 0; i < n; i++) this.add(slots[i] as number, column[2 * i] as number, column[2 * i + 1] as number, differences[i] as number)
  }

  /** Whether the sum fits int64, so that `low` and `high` may be read. */
  inRange(slot: number): boolean {
    const { words } = this
    const at = WORDS * slot
    const sign = (words[at + 1] as number) >> 31
    return words[at + 2] === sign && words[at + 3] === sign
  }

  isZero(slot: number): boolean {
    const { words } = this
    const at = WORDS * slot
    return ((words[at] as number) | (words[at + 1] as number) | (words[at + 2] as number) | (words[at + 3] as number)) === 0
  }

  /** Low word of the sum. @throws MillraceError OVERFLOW when the sum is outside int64. */
  low(slot: number): number {
    if (!this.inRange(slot)) throw overflow()
    return this.words[WORDS * slot] as number
  }

  /** High word of the sum. @throws MillraceError OVERFLOW when the sum is outside int64. */
  high(slot: number): number {
    if (!this.inRange(slot)) throw overflow()
    return this.words[WORDS * slot + 1] as number
  }

  /** The whole sum, in range of int64 or not. */
  exact(slot: number): bigint {
    const word = (j: number) => BigInt((this.words[WORDS * slot + j] as number) >>> 0) << BigInt(32 * j)
    return BigInt.asIntN(128, word(0) | word(1) | word(2) | word(3))
  }

  clear(slot: number): void {
    this.words.fill(0, WORDS * slot, WORDS * slot + WORDS)
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return 4 * this.words.length
  }

  /** Adds a number of two words and sign; `low` may be any whole number, of which its lowest 32 bits count. */
  private plus(slot: number, low: number, high: number, sign: number): void {
    const words = this.words
    const at = WORDS * slot
    const sum = ((words[at] as number) >>> 0) + (low >>> 0)
    words[at] = sum
    const upper = ((words[at + 1] as number) >>> 0) + (high >>> 0) + (sum > 0xffffffff ? 1 : 0)
    words[at + 1] = upper
    const carry = (upper > 0xffffffff ? 1 : 0) + sign
    // Carry and sign cancel for most additions; else they run through the upper words.
    if (carry === 0) return
    words[at + 2] = (words[at + 2] as number) + carry
    if (carry > 0 ? words[at + 2] === 0 : words[at + 2] === -1) words[at + 3] = (words[at + 3] as number) + carry
  }

  private plusWords(slot: number, p0: number, p1: number, p2: number, sign: number): void {
    const words = this.words
    const at = WORDS * slot
    let sum = ((words[at] as number) >>> 0) + (p0 >>> 0)
    words[at] = sum
    sum = ((words[at + 1] as number) >>> 0) + (p1 >>> 0) + (sum > 0xffffffff ? 1 : 0)
    words[at + 1] = sum
    sum = ((words[at + 2] as number) >>> 0) + (p2 >>> 0) + (sum > 0xffffffff ? 1 : 0)
    words[at + 2] = sum
    words[at + 3] = (words[at + 3] as number) + sign + (sum > 0xffffffff ? 1 : 0)
  }
}

function overflow(): MillraceError {
  return new MillraceError('OVERFLOW', 'a sum is outside the 64 bits of int64', 'Sum fewer rows a group, or sum smaller units.')
}
