import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  array,
  bytes,
  type ColumnType,
  decimal,
  float64,
  int32,
  int64,
  isInterned,
  json,
  nullable,
  text,
} from '../../runtime/data/column-type.ts'
import { decode, encode, MAX_NESTING } from '../../runtime/data/value-encoding.ts'
import { anyType, anyValueOf } from './values.ts'

describe('value encoding', () => {
  it('brings every value back, from one well-formed string', () => {
    const typeAndValue = anyType.filter(isInterned).chain((type) => {
      const plain: ColumnType = { ...type, nullable: false }
      return fc.tuple(fc.constant(plain), anyValueOf(plain))
    })
    fc.assert(
      fc.property(typeAndValue, ([type, value]) => {
        const s = encode(type, value)
        const back = decode(type, s)
        expect(back).toEqual(value)
        expect(encode(type, back)).toBe(s)
      }),
      { numRuns: 2000 },
    )
  })

  it('keeps the digits of decimals and nothing else', () => {
    const cases: [string, string][] = [
      ['1.10', '1.10'],
      ['+1.10', '1.10'],
      ['007', '7'],
      ['000', '0'],
      ['.5', '0.5'],
      ['-.50', '-0.50'],
      ['5.', '5'],
      ['-0', '0'],
      ['-0.00', '0.00'],
      ['-00.010', '-0.010'],
    ]
    for (const [given, canonical] of cases) expect(encode(decimal, given)).toBe(canonical)
    for (const wrong of ['', '.', '-', '1e3', '1,5', ' 1', '0x1', 'NaN', 'Infinity', '1.2.3', '--1', '٣', 1.5, 1n, null]) {
      expect(() => encode(decimal, wrong), String(wrong)).toThrow('expected decimal')
    }
  })

  it('is the same for json values that differ in the order of keys only', () => {
    expect(encode(json(), { b: 1, a: [{ d: null, c: -0 }], '2': 'x', '10': 'y' })).toBe('{"10":"y","2":"x","a":[{"c":0,"d":null}],"b":1}')
    expect(decode(json(), encode(json(), JSON.parse('{"__proto__":1}')))).toEqual(JSON.parse('{"__proto__":1}'))
  })

  it('refuses what is no JSON, and says where', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = { inner: cycle }
    const cases: [unknown, string][] = [
      [undefined, 'undefined at $ '],
      [{ a: [1, undefined] }, 'undefined at $.a[1]'],
      [{ a: { b: () => 1 } }, 'a function at $.a.b'],
      [[Number.NaN], 'NaN at $[0]'],
      [{ x: Number.POSITIVE_INFINITY }, 'Infinity at $.x'],
      [{ x: 1n }, '1n at $.x'],
      [{ at: new Date(0) }, 'a Date at $.at'],
      [new Map(), 'an object (Map) at $'],
      [cycle, '$.self.inner contains itself'],
      // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
      [[1, , 2], 'undefined at $[1]'],
    ]
    for (const [value, message] of cases) expect(() => encode(json(), value)).toThrow(message)
    let deep: unknown = 1
    for (let i = 0; i < MAX_NESTING; i++) deep = [deep]
    expect(decode(json(), encode(json(), deep))).toEqual(deep)
    expect(() => encode(json(), [deep])).toThrow('nested deeper')
    const shared = { x: 1 }
    expect(encode(json(), [shared, shared])).toBe('[{"x":1},{"x":1}]')
  })

  it('validates json by a function or a Standard Schema', () => {
    const checked = json((value) => {
      if (typeof value !== 'number') throw new Error('a number, please')
      return value + 1
    })
    expect(encode(checked, 1)).toBe('2')
    expect(() => encode(checked, 'x')).toThrow('a number, please')
    const schema = (result: unknown) => ({ '~standard': { version: 1, vendor: 'test', validate: () => result } }) as never
    expect(encode(json(schema({ value: [7] })), 'anything')).toBe('[7]')
    expect(() => encode(json(schema({ issues: [{ message: 'too short' }, { message: 'too old' }] })), 'x')).toThrow('too short; too old')
    expect(() => encode(json(schema(Promise.resolve({ value: 1 }))), 'x')).toThrow('asynchronously')
  })

  it('keeps int64, -0, NaN, null and nested arrays exact', () => {
    expect(decode(array(int64), encode(array(int64), [9007199254740993n, -(2n ** 63n)]))).toEqual([9007199254740993n, -(2n ** 63n)])
    const floats = [-0, 0, Number.NaN, Number.NEGATIVE_INFINITY, 5e-324]
    expect(decode(array(float64), encode(array(float64), floats))).toEqual(floats)
    const nested = array(nullable(array(nullable(text))))
    expect(decode(nested, encode(nested, [null, [], [null, 'null', '"']]))).toEqual([null, [], [null, 'null', '"']])
    expect(encode(array(nullable(json())), [null])).not.toBe(encode(array(json()), [[null]]))
  })

  it('refuses wrong elements, and says which', () => {
    expect(() => encode(array(int32), [1, 'x'])).toThrow('element 1: expected int32, got "x"')
    expect(() => encode(array(int32), [1, null])).toThrow('element 1: expected int32, got null')
    expect(() => encode(array(int64), [2n ** 63n])).toThrow('element 0: expected int64')
    expect(() => encode(array(array(text)), [['a'], ['\ud800']])).toThrow('element 1: element 0: the string')
    expect(() => encode(array(text), 'abc')).toThrow('expected array<text>')
    expect(() => encode(bytes, [1, 2])).toThrow('expected bytes, got an array of 2')
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
    expect(() => encode(array(int32), [1, , 2])).toThrow('element 1')
  })
})
