import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Doorbell } from '../../runtime/channel/doorbell.ts'
import { allocateRing, FIRST_WORD, HEAD, RING_BYTES, TAIL } from '../../runtime/channel/ring.ts'
import { sharedAtomics } from '../../runtime/channel/ring-atomics.ts'
import { RingOutbox } from '../../runtime/channel/ring-outbox.ts'
import { RingOverflow } from '../../runtime/channel/ring-overflow.ts'
import { RingReader } from '../../runtime/channel/ring-reader.ts'
import { RingWriter } from '../../runtime/channel/ring-writer.ts'

const bell = () => new Doorbell(new Int32Array(1), 0, sharedAtomics)

function ring(capacity: number): { writer: RingWriter; reader: RingReader; words: Int32Array } {
  const memory = allocateRing(capacity)
  const words = new Int32Array(memory)
  const bytes = new Uint8Array(memory)
  return {
    words,
    writer: new RingWriter(words, bytes, bell(), sharedAtomics),
    reader: new RingReader(words, bytes, bell(), sharedAtomics),
  }
}

/** Bytes that tell which message they are of, so that a mixture shows. */
const message = (seed: number, length: number) => Uint8Array.from({ length }, (_, i) => Math.imul(seed + 1, 31) + i * 7)

/** Comparing long arrays element by element takes a test long. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

function read(reader: RingReader): { tag: number; bytes: Uint8Array } | null {
  if (!reader.next()) return null
  expect(reader.offset % 8).toBe(0)
  const taken = { tag: reader.tag, bytes: reader.view().slice() }
  reader.release()
  return taken
}

describe('ring', () => {
  it('takes a payload in place and gives it in place', () => {
    const { writer, reader, words } = ring(1024)
    const offset = writer.reserve(100)
    expect(offset % 8).toBe(0)
    writer.words[offset >> 2] = 42
    writer.commit(12, 7)
    expect(reader.next()).toBe(false)
    expect(writer.unpublishedBytes).toBe(24)
    writer.publish()
    expect(reader.next()).toBe(true)
    expect([reader.length, reader.tag, words[reader.offset >> 2]]).toEqual([12, 7, 42])
    reader.release()
    expect(reader.next()).toBe(false)
  })

  it('publishes several messages by one store', () => {
    const { writer, reader, words } = ring(1024)
    for (let i = 0; i < 5; i++) {
      writer.reserve(8)
      writer.commit(8, i)
    }
    expect(words[TAIL]).toBe(0)
    writer.publish()
    const tags: number[] = []
    while (reader.next()) {
      tags.push(reader.tag)
      reader.release()
    }
    expect(tags).toEqual([0, 1, 2, 3, 4])
  })

  it('says that it is full, and has room for its longest message as soon as it is empty, wherever it stands', () => {
    for (let start = 0; start < 64; start++) {
      const { writer, reader } = ring(512)
      for (let i = 0; i < start; i++) {
        writer.reserve(0)
        writer.commit(0, 0)
        writer.publish()
        read(reader)
      }
      expect(reader.next()).toBe(false)
      let count = 0
      while (writer.reserve(writer.largest) >= 0) {
        writer.commit(writer.largest, count++)
        writer.publish()
      }
      expect(count).toBeGreaterThanOrEqual(3)
      for (let i = 0; i < count; i++) expect(read(reader)?.tag).toBe(i)
      expect(reader.next()).toBe(false)
      expect(writer.reserve(writer.largest)).toBeGreaterThan(0)
    }
  })

  it('goes on when its positions leave 32 bits', () => {
    const { writer, reader, words } = ring(1024)
    const near = 0x7fffffff - 300
    const start = near - (near % 128)
    words[TAIL] = start
    words[HEAD] = start
    Object.assign(writer, { tail: start, published: start, head: start })
    Object.assign(reader, { tail: start, told: start, head: start })
    for (let i = 0; i < 1000; i++) {
      expect(writer.reserve(40)).toBeGreaterThanOrEqual(4 * FIRST_WORD)
      writer.commit(40, i)
      writer.publish()
      expect(read(reader)?.tag).toBe(i)
    }
    expect(words[TAIL]).toBeLessThan(0)
  })

  it('refuses what is longer than it takes, and capacities that are no power of two', () => {
    expect(() => ring(1000)).toThrow('power of two')
    const { writer } = ring(1024)
    expect(() => writer.reserve(writer.largest + 1)).toThrow('fragments')
    expect(RING_BYTES).toBe(1 << 20)
  })

  it('gives every message once, whole and in order: any lengths, capacities and turns', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 7, max: 12 }),
        fc.array(fc.oneof(fc.nat(40), fc.nat(600), fc.nat(6000)), { maxLength: 60 }),
        fc.infiniteStream(fc.nat(2)),
        (log, lengths, turns) => {
          const { writer, reader } = ring(1 << log)
          const outbox = new RingOutbox(writer)
          const got: { tag: number; bytes: Uint8Array }[] = []
          let sent = 0
          let patience = 100_000
          for (const turn of turns) {
            if (got.length === lengths.length || --patience === 0) break
            if (turn === 0 && sent < lengths.length) {
              const bytes = message(sent, lengths[sent])
              outbox.send(sent, bytes)
              bytes.fill(255)
              sent++
            } else if (turn === 1) outbox.flush()
            else {
              const taken = read(reader)
              if (taken !== null) got.push(taken)
            }
          }
          expect(got.map(({ tag }) => tag)).toEqual(lengths.map((_, i) => i))
          got.forEach(({ bytes }, i) => {
            expect(same(bytes, message(i, lengths[i]))).toBe(true)
          })
          expect(outbox.waitingBytes).toBe(0)
          expect(reader.next()).toBe(false)
        },
      ),
    )
  })

  it('an outbox keeps what has no room, in order, whatever its sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(50), fc.nat(2000), fc.nat(400_000)), { maxLength: 80 }), (lengths) => {
        const overflow = new RingOverflow()
        let first = 0
        lengths.forEach((length, i) => {
          overflow.append(i, message(i, length))
          if (i % 3 !== 2) return
          expect(overflow.tag).toBe(first)
          expect(same(overflow.view(), message(first, lengths[first]))).toBe(true)
          overflow.shift()
          first++
        })
        expect(overflow.count).toBe(lengths.length - first)
        expect(overflow.payloadBytes).toBe(lengths.slice(first).reduce((a, b) => a + b, 0))
        for (; overflow.count > 0; overflow.shift()) {
          expect(overflow.tag).toBe(first)
          expect(same(overflow.view(), message(first, lengths[first++]))).toBe(true)
        }
        expect(overflow.payloadBytes).toBe(0)
      }),
      { numRuns: 20 },
    )
  })

  it('an outbox knows how much waits', () => {
    const { writer, reader } = ring(1024)
    const outbox = new RingOutbox(writer)
    for (let i = 0; i < 20; i++) outbox.send(i, message(i, 200))
    expect(outbox.waitingBytes).toBe(16 * 200)
    expect(outbox.flush()).toBe(false)
    for (let i = 0; i < 4; i++) read(reader)
    expect(reader.next()).toBe(false)
    expect(outbox.flush()).toBe(true)
    expect(outbox.waitingBytes).toBe(12 * 200)
  })
})
