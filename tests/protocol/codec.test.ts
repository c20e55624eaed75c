/** Messages as bytes and back: whatever a row has is what it was, and what is no message is told from one. */
import * as fc from 'fast-check'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { array, float64, int32, int64, job, json, table } from '../../millrace.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import type { Feed, RowsRead } from '../../runtime/protocol/thread.ts'
import { started, tick } from '../thread-service/threads.ts'

interface Message {
  readonly kind: string
  readonly value: unknown
}

function crossed(value: unknown): unknown {
  return decodeMessage<Message>(encodeMessage({ kind: 'test', value })).value
}

const scalars: readonly unknown[] = [
  ...[0, -0, 1, -1, 31, 32, -32, -33, 127, 128, -128, -129, 255, 256, 65_535, 65_536, -32_769, 2 ** 31 - 1, 2 ** 31, -(2 ** 31)],
  ...[2 ** 32 - 1, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 0.1, -0.5, 5e-324, Number.MAX_VALUE],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n - 1n],
  ...['', 'a', 'constructor', 'é', '€', '😀', 'a\u0000b'],
  ...[31, 32, 47, 48, 49, 85, 86, 255, 256, 65_535, 65_536].flatMap((n) => ['a'.repeat(n), 'é'.repeat(n), '😀'.repeat(n)]),
  ...[true, false, null, undefined],
]

test('scalars', () => {
  for (const value of scalars) expect(crossed(value)).toBe(value)
})

test('zero keeps its sign, in any depth', () => {
  expect(crossed([0, -0, { a: -0, b: [[-0]] }])).toEqual([0, -0, { a: -0, b: [[-0]] }])
})

test('bytes, dates, and what is no value', () => {
  const bytes = crossed(Uint8Array.of(0, 255, 7)) as Uint8Array
  expect([...bytes]).toEqual([0, 255, 7])
  expect((crossed(new Uint8Array(70_000).fill(3)) as Uint8Array).every((byte) => byte === 3)).toBe(true)
  for (const time of [0, 1, -1, 1234, -1_700_000_000_123, 1_700_000_000_123, 8.64e15, -8.64e15]) {
    expect(crossed(new Date(time))).toEqual(new Date(time))
  }
  expect(crossed(new Date(Number.NaN))).toBeNaN()
  expect(crossed([() => 1, Symbol('s')])).toEqual([undefined, undefined])
  // For the column to refuse: a row is not worth an encoder that throws.
  expect(crossed([2n ** 64n, -(2n ** 63n) - 1n])).toEqual(['18446744073709551616', '-9223372036854775809'])
})

test('objects of any keys, and of many', () => {
  const odd = JSON.parse('{"constructor": 1, "toJSON": {"toJSON": 2}, "hasOwnProperty": 3, "1": 4, "": 5}') as object
  expect(crossed(odd)).toEqual(odd)
  const text = '{"a":{"__proto__":{"b":[-1,null]},"c":1}}'
  expect(JSON.stringify(crossed(JSON.parse(text)))).toBe(text)
  const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))
  expect(JSON.stringify(crossed(many))).toBe(JSON.stringify(many))
  expect(crossed(Array.from({ length: 70_000 }, (_, i) => -i - 1))).toHaveLength(70_000)
})

test('halves of surrogate pairs become the character that stands for none', () => {
  expect(crossed(['\ud800', `${'a'.repeat(100)}\udc00`, '\ud800😀'])).toEqual(['\ufffd', `${'a'.repeat(100)}\ufffd`, '\ufffd😀'])
})

test('any values, and those of others who speak msgpack', () => {
  const leaf = fc.oneof(
    fc.constantFrom(...scalars),
    fc.integer(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.string({ unit: 'binary', maxLength: 90 }),
  )
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('value'), { maxLength: 20 }),
      fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 40 }), tie('value'), { maxKeys: 20, noNullPrototype: true }),
    ),
  }))
  const other = new Packr({ useRecords: false, int64AsType: 'bigint', variableMapSize: true })
  fc.assert(
    fc.property(value, (one) => {
      expect(crossed(one)).toEqual(one)
      expect(decodeMessage<Message>(other.pack({ kind: 'test', value: [one] })).kind).toBe('test')
      expect((other.unpack(encodeMessage({ kind: 'test', value: one })) as Message).value).toEqual(one)
    }),
  )
})

test('messages are independent of each other, also after one that could not be encoded', () => {
  const first = encodeMessage({ kind: 'first', value: 'a'.repeat(5_000_000) })
  const thrown = {
    get value(): never {
      throw new Error('no value')
    },
  }
  expect(() => encodeMessage({ kind: 'second', value: ['b', thrown] })).toThrow('no value')
  const third = encodeMessage({ kind: 'third', value: 3 })
  expect(decodeMessage<Message>(first).value).toHaveLength(5_000_000)
  expect(decodeMessage<Message>(third)).toEqual({ kind: 'third', value: 3 })
  expect(third.buffer.byteLength).toBe(third.length)
})

test('what is no message', () => {
  for (const bytes of [
    new Uint8Array(),
    Uint8Array.of(0xc1),
    Uint8Array.of(0x81, 0xa4),
    new Packr().pack(5),
    new Packr().pack({ kind: 5 }),
  ])
    expect(() => decodeMessage(bytes)).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
})

test('a row with -0 is fed, read and removed as itself', () => {
  const j = job('j', { t: table({ id: int32, f: float64, l: int64, a: array(float64), j: json() }) }, ({ t }) => ({ t: t.keyBy('id') }))
  const threads = started(j)
  const rows = [
    { id: 1, f: -0, l: -(2n ** 63n), a: [-0, 0], j: { zero: 1, constructor: 2 } },
    { id: 2, f: 0, l: 2n ** 63n - 1n, a: [0, -0], j: [] },
  ]
  const feed = (op: 'insert' | 'remove', some: readonly object[]): void => {
    const fed: Feed = { kind: 'feed', dataflow: 1, input: 't', partition: 0, runs: [{ op, rows: some }] }
    threads.send(1, decodeMessage<Feed>(encodeMessage(fed)))
  }
  const read = (time: number): unknown[] => {
    const answer: RowsRead = { kind: 'rows', request: 1, rows: threads.read(1, 't', time).rows, error: null }
    return decodeMessage<RowsRead>(encodeMessage(answer)).rows.map(({ row }) => row)
  }
  feed('insert', rows)
  tick(threads, 1)
  expect(read(1)).toHaveLength(2)
  expect(read(1)).toEqual(expect.arrayContaining(rows))
  feed('remove', [{ ...rows[0], f: 0 }])
  feed('insert', [{ ...rows[0], f: 0 }])
  feed('remove', [rows[0]])
  tick(threads, 2)
  expect(read(2)).toEqual([rows[1]])
})
