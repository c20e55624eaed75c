import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as types from '../../runtime/data/column-type.ts'
import { type ColumnType, nullable } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { commonKeyType, KeyEncoder } from '../../runtime/data/key-encoding.ts'
import { HASH_VERSION, hashKeys, VIRTUAL_SHARDS, virtualShard } from '../../runtime/data/key-hash.ts'
import { comparatorOf } from '../../runtime/data/order.ts'
import { typeName } from '../../runtime/data/schema.ts'
import { writeValue } from '../../runtime/data/value-codec.ts'
import { anyType, anyValueOf } from './values.ts'

function columnOf(type: ColumnType, values: readonly unknown[], dictionary: Dictionary): Int32Array {
  const column = new Int32Array(type.width * values.length)
  values.forEach((value, i) => {
    writeValue(type, value, column, i, dictionary)
  })
  return column
}

/** The words of each row of a key column. */
function keysOf(type: ColumnType, keyType: ColumnType, values: readonly unknown[], dictionary: Dictionary): string[] {
  const encoder = new KeyEncoder([type], [keyType])
  const column = columnOf(type, values, dictionary)
  const key = encoder.encode([column], values.length, dictionary)[0] as Int32Array
  const width = encoder.widths[0] as number
  return values.map((_, i) => String(key.subarray(i * width, (i + 1) * width)))
}

function hashesOf(type: ColumnType, values: readonly unknown[], dictionary = new Dictionary()): number[] {
  const out = new Uint32Array(values.length)
  hashKeys([columnOf(type, values, dictionary)], [type], values.length, dictionary, out)
  return [...out]
}

describe('key types', () => {
  it('join what can be compared', () => {
    const { int32, int64, text, decimal, float64, array, json } = types
    const common = (a: ColumnType, b: ColumnType) => {
      const type = commonKeyType(a, b)
      expect(commonKeyType(b, a) === null ? null : typeName(commonKeyType(b, a) as ColumnType)).toBe(type === null ? null : typeName(type))
      return type === null ? null : typeName(type)
    }
    expect(common(int32, int32)).toBe('int32')
    expect(common(int32, int64)).toBe('int64')
    expect(common(nullable(int32), int64)).toBe('int64?')
    expect(common(nullable(int64), nullable(int32))).toBe('int64?')
    expect(common(text, nullable(text))).toBe('text?')
    expect(common(array(int32), array(nullable(int32)))).toBe('array<int32?>')
    expect(common(array(int32), array(int64))).toBeNull()
    expect(common(array(json()), array(nullable(json())))).toBeNull()
    expect(common(int32, float64)).toBeNull()
    expect(common(decimal, int64)).toBeNull()
    expect(common(text, json())).toBeNull()
    expect(commonKeyType(nullable(int64), int32)?.width).toBe(3)
  })
})

describe('key encoding', () => {
  it('is equal exactly for values that the order holds for equal', () => {
    const pairs = anyType.chain((type) => fc.tuple(fc.constant(type), fc.array(anyValueOf(type), { minLength: 2, maxLength: 12 })))
    fc.assert(
      fc.property(pairs, ([type, values]) => {
        const dictionary = new Dictionary()
        const keyType = commonKeyType(type, type) as ColumnType
        const keys = keysOf(type, keyType, values, dictionary)
        const column = columnOf(type, values, dictionary)
        const compare = comparatorOf(type, { exact: false })
        const hashes = hashesOf(type, values, dictionary)
        for (let i = 0; i < values.length; i++) {
          for (let j = 0; j < i; j++) {
            const equal = compare(column, i, column, j, dictionary) === 0
            expect(keys[i] === keys[j]).toBe(equal)
            if (equal) expect(hashes[i]).toBe(hashes[j])
          }
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('brings both sides of a join to one layout', () => {
    const whole = fc.oneof(fc.integer(), fc.constantFrom(0, -1, -(2 ** 31), 2 ** 31 - 1))
    const sides = [types.int32, types.int64, nullable(types.int32), nullable(types.int64)] as ColumnType[]
    fc.assert(
      fc.property(
        fc.constantFrom(...sides),
        fc.constantFrom(...sides),
        fc.array(whole, { minLength: 1, maxLength: 40 }),
        (a, b, values) => {
          const dictionary = new Dictionary()
          const keyType = commonKeyType(a, b) as ColumnType
          const as = (type: ColumnType) =>
            values.map((value) => (type.nullable && value === 0 ? null : type.kind === 'int64' ? BigInt(value) : value))
          const left = keysOf(a, keyType, as(a), dictionary)
          const right = keysOf(b, keyType, as(b), dictionary)
          const leftHashes = hashesOf(a, as(a))
          const rightHashes = hashesOf(b, as(b))
          values.forEach((value, i) => {
            if (value === 0 && a.nullable !== b.nullable) expect(left[i]).not.toBe(right[i])
            else {
              expect(left[i]).toBe(right[i])
              expect(leftHashes[i]).toBe(rightHashes[i])
            }
          })
        },
      ),
    )
  })

  it('returns columns that need no change', () => {
    const dictionary = new Dictionary()
    const list = [types.int32, types.text, nullable(types.int64), types.timestamp, types.float64] as ColumnType[]
    const columns = list.map((type) => new Int32Array(4 * type.width).fill(1))
    expect(new KeyEncoder(list, list).encode(columns, 4, dictionary)).toEqual(columns)
    new KeyEncoder(list, list).encode(columns, 4, dictionary).forEach((column, k) => {
      expect(column).toBe(columns[k])
    })
    expect(() => new KeyEncoder([types.int64], [types.int32])).toThrow('invariant')
  })

  it('makes one key of 1.0 and 1.00, of -0 and 0, also inside arrays', () => {
    const dictionary = new Dictionary()
    const same = (type: ColumnType, ...values: unknown[]) => {
      expect(new Set(keysOf(type, type, values, dictionary)).size).toBe(1)
      expect(new Set(hashesOf(type, values)).size).toBe(1)
    }
    same(types.decimal, '1.0', '1.00', '1')
    same(types.decimal, '0.00', '-0', '0')
    same(types.decimal, '100.500', '100.5')
    same(types.float64, 0, -0)
    same(types.array(types.decimal), ['1.0', '2'], ['1', '2.0'])
    same(types.array(types.array(types.float64)), [[0]], [[-0]])
    expect(new Set(keysOf(types.decimal, types.decimal, ['10', '100', '1', '1.01', '0.1'], dictionary)).size).toBe(5)
  })
})

describe('content hash', () => {
  it('is version 2', () => {
    expect(HASH_VERSION).toBe(2)
    const golden = {
      int32: hashesOf(types.int32, [0, 1, -1, 2 ** 31 - 1, 65_535, 65_536, 65_551, 65_552]),
      int64: hashesOf(types.int64, [0n, 1n, -1n, 2n ** 40n]),
      float64: hashesOf(types.float64, [0, 1.5, Number.NaN, Number.POSITIVE_INFINITY]),
      bool: hashesOf(types.bool, [false, true]),
      text: hashesOf(types.text, ['', 'a', 'Rimini', '日本', 'a longer string than twelve']),
      timestamp: hashesOf(types.timestamp, [0n, 1_700_000_000_000_000n]),
      decimal: hashesOf(types.decimal, ['1.10', '-0.5']),
      bytes: hashesOf(types.bytes, [new Uint8Array([1, 2, 255])]),
      json: hashesOf(types.json(), [{ a: 1 }, null]),
      array: hashesOf(types.array(types.int32), [[1, 2]]),
      nulls: [types.int32, types.int64, types.float64, types.bool, types.text, types.timestamp].map(
        (type) => hashesOf(nullable(type as ColumnType<unknown>), [null])[0],
      ),
      pair: (() => {
        const dictionary = new Dictionary()
        const out = new Uint32Array(1)
        hashKeys(
          [columnOf(types.int32, [5], dictionary), columnOf(types.text, ['x'], dictionary)],
          [types.int32, types.text],
          1,
          dictionary,
          out,
        )
        return out[0]
      })(),
    }
    expect(golden).toMatchInlineSnapshot(`
      {
        "array": [
          2317288075,
        ],
        "bool": [
          261321989,
          2175743958,
        ],
        "bytes": [
          1802126376,
        ],
        "decimal": [
          638710234,
          1260295056,
        ],
        "float64": [
          3590363166,
          479573144,
          1468354587,
          3316253481,
        ],
        "int32": [
          3590363166,
          302052158,
          798611063,
          2594935563,
          2260220961,
          1452699759,
          1452699759,
          917297500,
        ],
        "int64": [
          3590363166,
          302052158,
          798611063,
          3671859810,
        ],
        "json": [
          2332064142,
          1052836397,
        ],
        "nulls": [
          184934862,
          184934862,
          184934862,
          184934862,
          184934862,
          184934862,
        ],
        "pair": 3622744760,
        "text": [
          456884007,
          1802834019,
          926942539,
          1629087890,
          1038093033,
        ],
        "timestamp": [
          3590363166,
          907267987,
        ],
      }
    `)
  })

  it('is one for neighbours among many whole numbers, alone or with a sign, but not in a key of several columns', () => {
    const numbers = [0, 1, 65_534, 65_535, 65_536, 65_551, 65_552, 10 ** 6, 2 ** 31 - 1, -1, -16, -17, -(2 ** 31)]
    const hashes = hashesOf(types.int32, numbers)
    expect(
      hashesOf(
        types.int64,
        numbers.map((key) => BigInt(key)),
      ),
    ).toEqual(hashes)
    expect(
      hashesOf(
        nullable(types.int64),
        numbers.map((key) => BigInt(key)),
      ),
    ).toEqual(hashes)
    expect(hashes.map((hash) => hashes.indexOf(hash))).toEqual([0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 9, 11, 12])
    const column = Int32Array.from(numbers)
    const pairs = new Uint32Array(numbers.length)
    hashKeys([column, column], [types.int32, types.int32], numbers.length, new Dictionary(), pairs)
    expect(new Set(pairs).size).toBe(numbers.length)
  })

  it('is the same on workers with other ids', () => {
    const other = new Dictionary()
    for (let i = 0; i < 100; i++) other.intern(`filler ${i}`)
    const values = ['x', 'y', 'a longer string than twelve']
    expect(hashesOf(types.text, values, other)).toEqual(hashesOf(types.text, values))
  })

  it('spreads keys of every look evenly over the 1,024 shards', () => {
    const n = 64 * VIRTUAL_SHARDS
    const index = Array.from({ length: n }, (_, i) => i)
    const keys: [ColumnType, unknown[]][] = [
      [types.int32, index],
      [types.int32, index.map((i) => i << 12)],
      [types.int64, index.map((i) => BigInt(i) << 32n)],
      [types.float64, index.map((i) => i / 10)],
      [types.timestamp, index.map((i) => BigInt(i) * 1_000_000n + 1_700_000_000_000_000n)],
      [types.text, index.map((i) => `user-${i}`)],
      [types.decimal, index.map((i) => `${i}.50`)],
    ]
    for (const [type, values] of keys) {
      const counts = new Int32Array(VIRTUAL_SHARDS)
      for (const hash of hashesOf(type, values)) {
        const shard = virtualShard(hash)
        counts[shard] = (counts[shard] as number) + 1
      }
      // Chi squared over 1,024 shards: mean 1,023, standard deviation 45; seven of those are allowed.
      const chi = counts.reduce((sum, count) => sum + (count - 64) ** 2 / 64, 0)
      expect(chi, typeName(type)).toBeLessThan(1023 + 7 * 45)
    }
  })
})
