/**
 * Exact sums of floats, so that neither the order of arrival nor a removal ever shows in a result.
 *
 * Each slot is a superaccumulator (Kulisch; see Neal, "Fast exact summation using small and large superaccumulators",
 * 2015): the sum as one fixed-point number in units of 2^-1074, in two's complement limbs of 32 bits. All doubles need
 * 66 limbs, but the values of one group have similar exponents, so a slot keeps only a window of limbs, usually six,
 * that widens when a value falls outside: memory is bounded by the range of the values, never by their number. A
 * Shewchuk expansion would be as exact, but its length grows with the data and each addition walks it.
 */
import { grown, powerOfTwo } from './batch.ts'
import { multiplyWords, product } from './wide-arithmetic.ts'

/** Limbs of a new window: one below the first value's lowest limb, its four, and one of headroom. */
const START_LIMBS = 6
/** Windows are multiples of this, so that few different sizes wait for reuse. */
const LIMB_STEP = 2
/** All doubles, times 2^31, added up 2^63 times: (2046 + 53 + 31 + 63) / 32, rounded up, and one for the sign. */
const MAX_LIMBS = 72
/** A top limb beyond this gets another limb above it; each addition changes it by one at most. */
const TOP_LIMIT = 1 << 30

const TWO_TO_32 = 0x100000000

const words = new Int32Array(2)
const double = new Float64Array(words.buffer)

/** How often each special value is in a slot. */
interface Specials {
  nan: number
  plus: number
  minus: number
}

/** One slot's state: the limbs of the sum from limb `first` on, and how often each special value is in it. */
export interface SavedFloatSum extends Readonly<Specials> {
  readonly first: number
  readonly limbs: Int32Array
}

export class ExactFloatSums {
  /** Per slot: offset of its window in the pool (0 = none), then first limb | limbs << 8. */
  private places = new Int32Array(0)
  private pool = new Int32Array(1 << 10)
  private top = LIMB_STEP
  /** Freed windows by limbs / LIMB_STEP; a free window's first limb links to the next, 0 ends. */
  private readonly freeBySize = new Int32Array(MAX_LIMBS / LIMB_STEP + 1)
  private readonly specials = new Map<number, Specials>()
  private readonly magnitude = new Int32Array(MAX_LIMBS)

  /** Room for slots 0 .. capacity - 1. */
  ensure(capacity: number): void {
    if (2 * capacity > this.places.length) this.places = grown(this.places, 2 * powerOfTwo(capacity))
  }

  /** Adds a value `multiplicity` times; removes it when negative. */
  add(slot: number, value: number, multiplicity: number): void {
    double[0] = value
    this.addWords(slot, words[0] as number, words[1] as number, multiplicity)
  }

  /** As add, with the double in two words as columns have it. Null must not come here. */
  addWords(slot: number, low: number, high: number, multiplicity: number): void {
    const exponent = (high >>> 20) & 0x7ff
    if (exponent === 0x7ff) {
      this.addSpecial(slot, low, high, multiplicity)
      return
    }
    if (multiplicity === 0 || (low | (high & 0x7fffffff)) === 0) return
    const mantissaHigh = exponent === 0 ? high & 0xfffff : (high & 0xfffff) | 0x100000
    const position = exponent === 0 ? 0 : exponent - 1
    let x0 = low
    let x1 = mantissaHigh
    let x2 = 0
    if (multiplicity !== 1 && multiplicity !== -1) {
      multiplyWords(low, mantissaHigh, Math.abs(multiplicity))
      x0 = product[0] as number
      x1 = product[1] as number
      x2 = product[2] as number
    }
    const shift = position & 31
    const rest = 31 - shift
    const limb = position >> 5
    const at = this.window(slot, limb)
    const y0 = x0 << shift
    const y1 = (x1 << shift) | ((x0 >>> 1) >>> rest)
    const y2 = (x2 << shift) | ((x1 >>> 1) >>> rest)
    const y3 = (x2 >>> 1) >>> rest
    if ((high ^ multiplicity) < 0) this.subtract(slot, at, y0, y1, y2, y3)
    else this.plus(slot, at, y0, y1, y2, y3)
  }

  /** Adds row i of a float64 column without nulls to slot slots[i], differences[i] times, for n rows. */
  addColumn(slots: Int32Array, column: Int32Array, differences: Int32Array, n: number): void {
    for (let i = 0; i < n; i++) {
      this.addWords(slots[i] as number, column[2 * i] as number, column[2 * i + 1] as number, differences[i] as number)
    }
  }

  /** The sum, correctly rounded (half to even); NaN, or infinite, as IEEE addition of the values would be. */
  read(slot: number): number {
    const special = this.specials.size === 0 ? undefined : this.specials.get(slot)
    if (special !== undefined) {
      if (special.nan !== 0 || (special.plus !== 0 && special.minus !== 0)) return Number.NaN
      return special.plus !== 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    }
    const offset = this.places[2 * slot] as number
    return offset === 0 ? 0 : this.rounded(offset, this.places[2 * slot + 1] as number)
  }

  /** Whether the slot holds what an unused one does: the sum is exactly 0 and no special value is in it. */
  isZero(slot: number): boolean {
    if (this.specials.has(slot)) return false
    const offset = this.places[2 * slot] as number
    if (offset === 0) return true
    const limbs = (this.places[2 * slot + 1] as number) >> 8
    for (let i = offset; i < offset + limbs; i++) if (this.pool[i] !== 0) return false
    return true
  }

  /** Forgets the slot's sum and gives its memory back. */
  clear(slot: number): void {
    this.specials.delete(slot)
    const offset = this.places[2 * slot] as number
    if (offset === 0) return
    this.free(offset, (this.places[2 * slot + 1] as number) >> 8)
    this.places[2 * slot] = 0
    this.places[2 * slot + 1] = 0
  }

  /** A copy of the slot's state, for checkpoints; equal sums may have different windows. */
  save(slot: number): SavedFloatSum {
    const { nan, plus, minus } = this.specials.get(slot) ?? { nan: 0, plus: 0, minus: 0 }
    const offset = this.places[2 * slot] as number
    const place = this.places[2 * slot + 1] as number
    return { first: place & 0xff, limbs: this.pool.slice(offset, offset + (place >> 8)), nan, plus, minus }
  }

  /** Sets a slot to what `save` gave. */
  restore(slot: number, saved: SavedFloatSum): void {
    this.clear(slot)
    const { first, limbs, nan, plus, minus } = saved
    if (nan !== 0 || plus !== 0 || minus !== 0) this.specials.set(slot, { nan, plus, minus })
    if (limbs.length === 0) return
    const offset = this.allocate(limbs.length)
    this.pool.set(limbs, offset)
    this.places[2 * slot] = offset
    this.places[2 * slot + 1] = first | (limbs.length << 8)
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return 4 * (this.places.length + this.pool.length) + 64 * this.specials.size
  }

  private plus(slot: number, at: number, y0: number, y1: number, y2: number, y3: number): void {
    const pool = this.pool
    let sum = ((pool[at] as number) >>> 0) + (y0 >>> 0)
    pool[at] = sum
    sum = ((pool[at + 1] as number) >>> 0) + (y1 >>> 0) + (sum > 0xffffffff ? 1 : 0)
    pool[at + 1] = sum
    sum = ((pool[at + 2] as number) >>> 0) + (y2 >>> 0) + (sum > 0xffffffff ? 1 : 0)
    pool[at + 2] = sum
    sum = ((pool[at + 3] as number) >>> 0) + (y3 >>> 0) + (sum > 0xffffffff ? 1 : 0)
    pool[at + 3] = sum
    if (sum <= 0xffffffff) return
    const last = this.lastLimb(slot)
    let i = at + 4
    while (i < last && pool[i] === -1) pool[i++] = 0
    const carried = (pool[i] as number) + 1
    pool[i] = carried
    if (i === last && carried >= TOP_LIMIT) this.widen(slot, 0, LIMB_STEP)
  }

  private subtract(slot: number, at: number, y0: number, y1: number, y2: number, y3: number): void {
    const pool = this.pool
    let difference = ((pool[at] as number) >>> 0) - (y0 >>> 0)
    pool[at] = difference
    difference = ((pool[at + 1] as number) >>> 0) - (y1 >>> 0) - (difference < 0 ? 1 : 0)
    pool[at + 1] = difference
    difference = ((pool[at + 2] as number) >>> 0) - (y2 >>> 0) - (difference < 0 ? 1 : 0)
    pool[at + 2] = difference
    difference = ((pool[at + 3] as number) >>> 0) - (y3 >>> 0) - (difference < 0 ? 1 : 0)
    pool[at + 3] = difference
    if (difference >= 0) return
    const last = this.lastLimb(slot)
    let i = at + 4
    while (i < last && pool[i] === 0) pool[i++] = -1
    const borrowed = (pool[i] as number) - 1
    pool[i] = borrowed
    if (i === last && borrowed <= -TOP_LIMIT) this.widen(slot, 0, LIMB_STEP)
  }

  private lastLimb(slot: number): number {
    return (this.places[2 * slot] as number) + ((this.places[2 * slot + 1] as number) >> 8) - 1
  }

  /** Where limb `limb` of a slot lies in the pool, after widening the window to it and the four above it. */
  private window(slot: number, limb: number): number {
    const offset = this.places[2 * slot] as number
    if (offset === 0) {
      const first = limb > 0 ? limb - 1 : 0
      const made = this.allocate(START_LIMBS)
      this.pool.fill(0, made, made + START_LIMBS)
      this.places[2 * slot] = made
      this.places[2 * slot + 1] = first | (START_LIMBS << 8)
      return made + limb - first
    }
    const place = this.places[2 * slot + 1] as number
    const first = place & 0xff
    const below = first - limb
    const above = limb + 5 - (first + (place >> 8))
    if (below <= 0 && above <= 0) return offset - below
    this.widen(slot, below > 0 ? below : 0, above > 0 ? above : 0)
    return (this.places[2 * slot] as number) + limb - ((this.places[2 * slot + 1] as number) & 0xff)
  }

  /** Moves a slot to a window with at least `below` more limbs below and `above` more limbs above. */
  private widen(slot: number, below: number, above: number): void {
    const from = this.places[2 * slot] as number
    const place = this.places[2 * slot + 1] as number
    const limbs = place >> 8
    const more = Math.ceil((below + above) / LIMB_STEP) * LIMB_STEP
    const to = this.allocate(limbs + more)
    const pool = this.pool
    const sign = (pool[from + limbs - 1] as number) >> 31
    pool.fill(0, to, to + below)
    pool.copyWithin(to + below, from, from + limbs)
    pool.fill(sign, to + below + limbs, to + limbs + more)
    this.free(from, limbs)
    this.places[2 * slot] = to
    this.places[2 * slot + 1] = ((place & 0xff) - below) | ((limbs + more) << 8)
  }

  private allocate(limbs: number): number {
    const size = limbs / LIMB_STEP
    const reused = this.freeBySize[size] as number
    if (reused !== 0) {
      this.freeBySize[size] = this.pool[reused] as number
      return reused
    }
    const offset = this.top
    this.top += limbs
    if (this.top > this.pool.length) this.pool = grown(this.pool, powerOfTwo(this.top))
    return offset
  }

  private free(offset: number, limbs: number): void {
    const size = limbs / LIMB_STEP
    this.pool[offset] = this.freeBySize[size] as number
    this.freeBySize[size] = offset
  }

  private addSpecial(slot: number, low: number, high: number, multiplicity: number): void {
    const special = this.specials.get(slot) ?? { nan: 0, plus: 0, minus: 0 }
    if ((low | (high & 0xfffff)) !== 0) special.nan += multiplicity
    else if (high >= 0) special.plus += multiplicity
    else special.minus += multiplicity
    if (special.nan === 0 && special.plus === 0 && special.minus === 0) this.specials.delete(slot)
    else this.specials.set(slot, special)
  }

  private rounded(offset: number, place: number): number {
    const { pool, magnitude } = this
    const first = place & 0xff
    const limbs = place >> 8
    const negative = (pool[offset + limbs - 1] as number) < 0
    let borrow = 0
    let highest = -1
    for (let i = 0; i < limbs; i++) {
      let limb = pool[offset + i] as number
      if (negative) {
        const difference = -(limb >>> 0) - borrow
        borrow = difference < 0 ? 1 : 0
        limb = difference | 0
      }
      magnitude[i] = limb
      if (limb !== 0) highest = i
    }
    if (highest < 0) return 0
    const value = first + highest < 2 ? this.tiny(first) : this.nearest(highest, first)
    return negative ? -value : value
  }

  /** The double of a magnitude below 2^64 units: one that is below 2^53 is exact, subnormal or not. */
  private tiny(first: number): number {
    const low = first === 0 ? (this.magnitude[0] as number) >>> 0 : 0
    const high = (this.magnitude[1 - first] as number) >>> 0
    if (high < 0x200000) return scaled(high * TWO_TO_32 + low, -1074)
    return this.nearest(1 - first, first)
  }

  /** The double nearest to the magnitude, whose highest limb is given, and which is at least 2^53 units. */
  private nearest(highest: number, first: number): number {
    const { magnitude } = this
    const a = magnitude[highest] as number
    const b = highest > 0 ? (magnitude[highest - 1] as number) : 0
    const c = highest > 1 ? (magnitude[highest - 2] as number) : 0
    // The 64 highest bits, the first of them set; a shift by 32 in two steps, since JavaScript's is modulo 32.
    const shift = Math.clz32(a)
    const upper = ((a << shift) | ((b >>> 1) >>> (31 - shift))) >>> 0
    const lower = (b << shift) | ((c >>> 1) >>> (31 - shift))
    let mantissa = upper * 0x200000 + (lower >>> 11)
    if ((lower & 0x400) !== 0 && ((lower & 0xbff) !== 0 || c << shift !== 0 || this.anyBelow(highest - 2))) mantissa++
    return scaled(mantissa, 32 * (first + highest) - shift - 21 - 1074)
  }

  private anyBelow(limb: number): boolean {
    for (let i = 0; i < limb; i++) if (this.magnitude[i] !== 0) return true
    return false
  }
}

/** mantissa * 2^exponent, where the product is a double or too large for one. */
function scaled(mantissa: number, exponent: number): number {
  if (exponent > 971) return Number.POSITIVE_INFINITY
  words[0] = exponent < -1022 ? (exponent + 1074 < 32 ? 1 << (exponent + 1074) : 0) : 0
  words[1] = exponent < -1022 ? (exponent + 1074 < 32 ? 0 : 1 << (exponent + 1042)) : (exponent + 1023) << 20
  return mantissa * (double[0] as number)
}
