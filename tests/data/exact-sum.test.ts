import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExactFloatSums } from '../../runtime/data/exact-sum.ts'
import { IntegerSums } from '../../runtime/data/integer-sum.ts'

const bits = new BigInt64Array(1)
const double = new Float64Array(bits.buffer)

/** A finite double in units of 2^-1074. */
function units(value: number): bigint {
  double[0] = value
  const raw = BigInt.asUintN(64, bits[0] as bigint)
  const exponent = (raw >> 52n) & 0x7ffn
  const fraction = raw & ((1n << 52n) - 1n)
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n)
  return raw >> 63n === 1n ? -magnitude : magnitude
}

/** The double nearest to a number of units, half to even: the definition, by bisection over all doubles. */
function nearest(sum: bigint): number {
  if (sum < 0n) return -nearest(-sum)
  let low = 0n
  let high = 0x7fefffffffffffffn
  const at = (raw: bigint) => {
    bits[0] = raw
    return double[0] as number
  }
  while (low < high) {
    const middle = (low + high + 1n) >> 1n
    if (units(at(middle)) <= sum) low = middle
    else high = middle - 1n
  }
  const below = units(at(low))
  const next = low === 0x7fefffffffffffffn ? 1n << 2098n : units(at(low + 1n))
  const twice = 2n * sum
  if (twice > below + next || (twice === below + next && low % 2n === 1n))
    return low === 0x7fefffffffffffffn ? Number.POSITIVE_INFINITY : at(low + 1n)
  return at(low)
}

const multiplicity = fc.oneof(fc.constantFrom(1, 1, 1, -1, -1, 2, -3, 0, -(2 ** 31), 2 ** 31 - 1), fc.integer())
const finite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ noNaN: true, min: -1000, max: 1000 }),
  fc.integer({ min: -5, max: 5 }).map((n) => n / 10),
  fc.constantFrom(0, -0, 5e-324, 2 ** -1022, Number.MAX_VALUE, -Number.MAX_VALUE, 1, 2 ** 53, 2 ** -53, 1 + 2 ** -52, 2 ** 1000),
)

describe('exact float sums', () => {
  it('are the exact sum, rounded once', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), finite, multiplicity), { maxLength: 40 }), (additions) => {
        const sums = new ExactFloatSums()
        sums.ensure(4)
        const expected = [0n, 0n, 0n, 0n]
        for (const [slot, value, times] of additions) {
          sums.add(slot, value, times)
          expected[slot] = (expected[slot] as bigint) + units(value) * BigInt(times)
        }
        expected.forEach((sum, slot) => {
          expect(sums.read(slot)).toBe(sum === 0n ? 0 : nearest(sum))
          expect(sums.isZero(slot)).toBe(sum === 0n)
        })
      }),
      { numRuns: 3000 },
    )
  })

  it('round half to even, at every magnitude', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true, min: 5e-324 }),
        fc.boolean(),
        fc.constantFrom(0, 1, -1),
        (value, minus, epsilon) => {
          const sums = new ExactFloatSums()
          sums.ensure(1)
          double[0] = value
          bits[0] = (bits[0] as bigint) + 1n
          const next = double[0] as number
          fc.pre(Number.isFinite(next) && value > 1e-300)
          const sign = minus ? -1 : 1
          // value + half of the gap to the next double, and a little more or less
          sums.add(0, sign * value, 1)
          sums.add(0, (sign * (next - value)) / 2, 1)
          sums.add(0, sign * epsilon * 5e-324, 1)
          expect(sums.read(0)).toBe(nearest(units(sign * value) + units((sign * (next - value)) / 2) + units(sign * epsilon * 5e-324)))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('do not depend on order, and removal leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.double(), fc.integer({ min: 1, max: 3 })), { maxLength: 30 }), (additions) => {
        const sums = new ExactFloatSums()
        sums.ensure(3)
        for (const [value, times] of additions) sums.add(0, value, times)
        for (const [value, times] of additions.toReversed()) sums.add(1, value, times)
        expect(sums.read(1)).toBe(sums.read(0))
        sums.restore(2, sums.save(0))
        for (const [value, times] of additions) sums.add(0, value, -times)
        expect(sums.read(0)).toBe(0)
        expect(sums.isZero(0)).toBe(true)
        expect(sums.read(2)).toBe(sums.read(1))
      }),
    )
  })

  it('have the special values of IEEE and Postgres', () => {
    const sums = new ExactFloatSums()
    sums.ensure(1)
    sums.add(0, 1, 1)
    sums.add(0, Number.POSITIVE_INFINITY, 1)
    expect(sums.read(0)).toBe(Number.POSITIVE_INFINITY)
    sums.add(0, Number.NEGATIVE_INFINITY, 2)
    expect(sums.read(0)).toBeNaN()
    sums.add(0, Number.POSITIVE_INFINITY, -1)
    expect(sums.read(0)).toBe(Number.NEGATIVE_INFINITY)
    sums.add(0, Number.NaN, 1)
    sums.add(0, Number.NEGATIVE_INFINITY, -2)
    expect(sums.read(0)).toBeNaN()
    sums.add(0, Number.NaN, -1)
    expect(sums.read(0)).toBe(1)
    sums.add(0, Number.MAX_VALUE, 2)
    expect(sums.read(0)).toBe(Number.POSITIVE_INFINITY)
    sums.add(0, Number.MAX_VALUE, -2)
    expect(sums.read(0)).toBe(1)
  })

  it('carries far past a window, both ways', () => {
    const sums = new ExactFloatSums()
    sums.ensure(2)
    for (const sign of [1, -1]) {
      let expected = 0n
      for (let i = 0; i < 20; i++) {
        for (let j = 0; j < 200; j++) sums.add(0, sign * Number.MAX_VALUE, 0x7fffffff)
        expected += BigInt(sign) * units(Number.MAX_VALUE) * 0x7fffffffn * 200n
      }
      sums.add(0, -sign, 1)
      for (let i = 0; i < 4000; i++) sums.add(0, -sign * Number.MAX_VALUE, 0x7fffffff)
      expect(sums.read(0)).toBe(-sign)
      sums.add(0, sign, 1)
      expect(expected).not.toBe(0n)
    }
    expect(sums.isZero(0)).toBe(true)
  })

  it('give the top limb room before it overflows', () => {
    for (const sign of [1, -1]) {
      const sums = new ExactFloatSums()
      sums.ensure(1)
      // One addition below the limit; the limbs under the top one carry.
      const limbs = sign > 0 ? Int32Array.of(0, 0, 0, 0, -1, 0x3fffffff) : Int32Array.of(0, 0, 0, 0, 0, -0x3fffffff)
      sums.restore(0, { first: 31, limbs, nan: 0, plus: 0, minus: 0 })
      const before = limbs.reduce((sum, limb, i) => sum + (BigInt(i === 5 ? limb : limb >>> 0) << BigInt(32 * (31 + i))), 0n)
      // Times 2^31 this is one at the fifth limb.
      const value = -sign * 2 ** (32 * (31 + 4) - 1074 - 31)
      sums.add(0, value, -(2 ** 31))
      const expected = before - (units(value) << 31n)
      expect(sums.read(0)).toBe(nearest(expected))
      expect(sums.save(0).limbs.length).toBeGreaterThan(6)
    }
  })

  it('reuse the memory of cleared slots', () => {
    const sums = new ExactFloatSums()
    sums.ensure(1)
    for (let i = 0; i < 10_000; i++) {
      sums.add(0, 2 ** ((i % 2000) - 1000), 1)
      sums.add(0, 1, 1)
      sums.clear(0)
      expect(sums.read(0)).toBe(0)
    }
    expect(sums.bytes).toBeLessThan(40_000)
  })
})

describe('integer sums', () => {
  const long = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -100n, max: 100n }),
    fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -(2n ** 31n), 2n ** 32n),
  )

  it('are exact, and refuse to be read only outside int64', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), long, multiplicity), { maxLength: 30 }), (additions) => {
        const sums = new IntegerSums()
        sums.ensure(3)
        const expected = [0n, 0n, 0n]
        for (const [slot, value, times] of additions) {
          sums.add(slot, Number(BigInt.asIntN(32, value)), Number(value >> 32n), times)
          expected[slot] = (expected[slot] as bigint) + value * BigInt(times)
        }
        expected.forEach((sum, slot) => {
          expect(sums.exact(slot)).toBe(sum)
          expect(sums.isZero(slot)).toBe(sum === 0n)
          if (sum === BigInt.asIntN(64, sum)) {
            expect(BigInt.asIntN(64, (BigInt(sums.high(slot)) << 32n) | BigInt(sums.low(slot) >>> 0))).toBe(sum)
          } else {
            expect(() => sums.low(slot)).toThrow('outside the 64 bits')
            expect(() => sums.high(slot)).toThrow('outside the 64 bits')
          }
        })
      }),
      { numRuns: 3000 },
    )
  })
})
