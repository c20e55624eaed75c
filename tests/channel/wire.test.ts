/** Messages between workers as bytes: what is written is read, and what was not written is refused. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Frame, OWN_STRINGS } from '../../runtime/channel/frame.ts'
import { hasChecksum, WireDecoder, WireEncoder } from '../../runtime/channel/wire.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { PeerMessage, ProgressUpdate } from '../../runtime/protocol/message.ts'

const time = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.maxSafeNat())
const count = fc.integer({ min: 0, max: 0x7fffffff })

const progress: fc.Arbitrary<ProgressUpdate> = fc
  .record({
    generation: count,
    dataflow: count,
    from: fc.integer({ min: 0, max: 65535 }),
    groups: fc.array(
      fc.integer({ min: 0, max: 3 }).chain((depth) =>
        fc.record({
          scope: fc.integer({ min: 0, max: 300 }),
          location: fc.integer({ min: 0, max: 70_000 }),
          depth: fc.constant(depth),
          changes: fc.array(
            fc.tuple(
              fc.oneof(fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger()),
              time,
              fc.array(count, { minLength: depth, maxLength: depth }),
            ),
            { minLength: 1, maxLength: 5 },
          ),
        }),
      ),
      { maxLength: 6 },
    ),
  })
  .map(({ groups, ...head }) => ({
    kind: 'progress',
    ...head,
    changes: Float64Array.from(
      groups.flatMap(({ scope, location, depth, changes }) => [
        scope,
        location,
        depth,
        changes.length,
        ...changes.flatMap(([delta, outer, inner]) => [delta, outer, ...inner]),
      ]),
    ),
  }))

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
  fc.constant('x'.repeat(10_000)),
  fc.constant('é'.repeat(23)),
)

const frame: fc.Arbitrary<() => Frame> = fc
  .record({
    generation: count,
    dataflow: count,
    target: count,
    from: fc.integer({ min: 0, max: 65535 }),
    rows: fc.integer({ min: 1, max: 100 }),
    codes: fc.array(fc.constantFrom(1, 2, 3, 5), { maxLength: 14 }),
    time,
    depth: fc.integer({ min: 0, max: 3 }),
    distinct: fc.integer({ min: 1, max: 4 }),
    seed: fc.integer(),
    epoch: fc.integer({ min: -1, max: 5 }),
    strings: fc.array(fc.tuple(fc.integer({ min: 1, max: 1 << 27 }), text), { maxLength: 8 }),
  })
  .map(({ rows, codes, depth, distinct, seed, epoch, strings, ...head }) => () => {
    const widths = codes.map((code) => code & 3)
    const interned = codes.flatMap((code, c) => (code > 3 ? [c] : []))
    const batch = new BatchPool(widths).take(head.time, rows)
    let s = seed | 1
    const next = (): number => {
      s = (Math.imul(s, 0x343fd) + 0x269ec3) | 0
      return s ^ (s >>> 13)
    }
    batch.n = rows
    batch.columns.forEach((column, c) => {
      for (let i = 0; i < rows * widths[c]; i++) column[i] = next()
    })
    for (let i = 0; i < rows; i++) batch.differences[i] = seed % 2 === 0 ? 1 : next()
    let times: Float64Array | null = null
    if (depth > 0) {
      times = Float64Array.from({ length: distinct * (depth + 1) }, () => next() >>> 0)
      const timeOf = batch.useTimes()
      for (let i = 0; i < rows; i++) timeOf[i] = (next() >>> 0) % distinct
    }
    const told = interned.length === 0 ? [] : strings
    return {
      kind: 'frame',
      ...head,
      depth,
      times,
      batch,
      interned,
      epoch,
      ids: epoch === OWN_STRINGS ? [] : told.map(([id]) => id),
      strings: told.map(([, s]) => s),
    }
  })

/** What a message says, apart from the memory that it is in. */
function plain(message: PeerMessage): unknown {
  if (message.kind === 'progress') return message
  const { batch, ...rest } = message
  const { n, time, times, widths } = batch
  return {
    ...rest,
    n,
    time,
    widths,
    timeOf: times === null ? null : [...times.subarray(0, n)],
    columns: batch.columns.map((column, c) => [...column.subarray(0, n * widths[c])]),
    differences: [...batch.differences.subarray(0, n)],
  }
}

const encoders = { checked: new WireEncoder(true), unchecked: new WireEncoder(false) }

describe.each(['checked', 'unchecked'] as const)('%s messages', (kind) => {
  const encoder = encoders[kind]

  test('are read as they were written, wherever they lie', () => {
    const decoder = new WireDecoder()
    fc.assert(
      fc.property(
        fc.oneof(
          frame,
          progress.map((message) => () => message),
        ),
        fc.integer({ min: 0, max: 9 }),
        fc.boolean(),
        (make, shift, shared) => {
          const expected = plain(make())
          const bytes = encoder.encode(make())
          expect(bytes.length % 8).toBe(0)
          const memory = shared ? new SharedArrayBuffer(bytes.length + 64) : new ArrayBuffer(bytes.length + 64)
          const copy = new Uint8Array(memory, shift, bytes.length)
          copy.set(bytes)
          const message = decoder.read(copy)
          copy.fill(0xee)
          expect(plain(message)).toEqual(expected)
          if (message.kind === 'frame') message.batch.release()
        },
      ),
      { numRuns: 500 },
    )
  })

  test('are written into the middle of memory, and nowhere else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          frame,
          progress.map((message) => () => message),
        ),
        (make) => {
          const message = make()
          const expected = plain(make())
          const length = encoder.measure(message)
          const words = new Int32Array((length + 32) / 4).fill(-1)
          const bytes = new Uint8Array(words.buffer)
          encoder.write(message, words, bytes, 16)
          expect([...words.subarray(0, 4), ...words.subarray(-4)]).toEqual(Array(8).fill(-1))
          expect(plain(new WireDecoder().readAt(words, bytes, 16, length))).toEqual(expected)
        },
      ),
    )
  })

  test('that are cut, flipped or made up are refused, or at least do no harm', () => {
    const decoder = new WireDecoder()
    const damage = fc.oneof(
      fc.record({
        kind: fc.constant('cut' as const),
        at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        bits: fc.constant(0),
      }),
      fc.record({
        kind: fc.constant('flip' as const),
        at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        bits: fc.integer({ min: 1, max: 255 }),
      }),
      fc.record({
        kind: fc.constant('word' as const),
        at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        bits: fc.constantFrom(-1, 0x7fffffff, -0x80000000, 1 << 20, 0),
      }),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          frame,
          progress.map((message) => () => message),
        ),
        damage,
        (make, { kind: how, at, bits }) => {
          const bytes = encoder.encode(make()).slice()
          const copy = bytes.slice()
          const place = Math.floor(at * bytes.length)
          if (how === 'flip') bytes[place] ^= bits
          if (how === 'word') new DataView(bytes.buffer).setInt32(place & ~3, bits, true)
          const damaged = how === 'cut' ? bytes.subarray(0, place) : bytes
          if (damaged.length === copy.length && copy.every((byte, i) => byte === bytes[i])) return
          try {
            const message = decoder.read(damaged)
            // Without a checksum other values are not noticed, but what was read is of this size at most; and whoever needs one sees that.
            if (kind === 'checked') expect(hasChecksum(damaged)).toBe(false)
            if (message.kind === 'frame') expect(message.batch.n).toBeLessThanOrEqual(Math.max(1 << 16, bytes.length))
            else expect(message.changes.length).toBeLessThanOrEqual(4 * bytes.length)
          } catch (error) {
            if (!(error instanceof MillraceError)) throw error
            expect(error.code).toBe('PROTOCOL')
          }
        },
      ),
      { numRuns: 3000 },
    )
  })
})

test('random bytes are no message', () => {
  const decoder = new WireDecoder()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => decoder.read(bytes)).toThrow(/no message between workers/)
    }),
  )
})

test('a tick of four locations takes less than 100 bytes', () => {
  const now = 1_760_000_000_123_456
  const changes = [3, 7, 12, 40].flatMap((location) => [0, location, 0, 2, -1, now, 1, now + 100_000])
  const message: ProgressUpdate = { kind: 'progress', generation: 3, dataflow: 12, from: 1, changes: Float64Array.from(changes) }
  expect(encoders.checked.measure(message)).toBeLessThan(100)
})
