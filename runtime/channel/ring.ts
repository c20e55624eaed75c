/**
 * A ring: a queue of messages of any length in shared memory, for one writing and one reading thread.
 *
 * A message is contiguous and starts at a multiple of 8 bytes: a word with its length and flags, a word that the
 * writer chooses (its tag), the payload. One that would cross the end of the memory starts at the beginning again, behind
 * a wrap mark. Positions count slots of 8 bytes and never stop growing; modulo the capacity they are places. The writer alone stores the
 * tail, the reader alone the head, on cache lines of their own; each keeps a copy of the other's and looks again only when
 * that one says "full" or "empty" (as in Lamport's queue, and FastForward and MCRingBuffer after it).
 */
import { invariant } from '../error.ts'

/** Bytes of messages between two dataflow threads. */
export const RING_BYTES = 1 << 20
const LEAST_RING_BYTES = 128
/** A message that takes more than this share of a ring is sent in fragments. */
export const FRAGMENT_SHARE = 4
/** Of one message, whatever the ring's size. */
export const MAXIMUM_RING_MESSAGE_BYTES = 256 << 20

/** Words of the header. Two cache lines apart, since processors fetch lines in pairs. */
export const TAIL = 0
/** Set by a writer that found too little room; on its own line, which the reader has at hand. */
export const ROOM_WANTED = 1
export const HEAD = 32
export const FIRST_WORD = 64

/** In the length word. */
export const WRAP_MARK = -1
export const FRAGMENT = 1 << 30
export const LENGTH_MASK = FRAGMENT - 1

/** Before the first fragment's bytes: how long the whole message is. */
export const FRAGMENT_PREFIX_BYTES = 8

/** `capacity` in bytes, a power of two. */
export function allocateRing(capacity = RING_BYTES): SharedArrayBuffer {
  invariant(
    capacity >= LEAST_RING_BYTES && capacity <= 1 << 29 && (capacity & (capacity - 1)) === 0,
    'the capacity of a ring is a power of two',
  )
  return new SharedArrayBuffer(FIRST_WORD * 4 + capacity)
}

/** Slots of 8 bytes in a ring's memory. */
export function slotsOf(words: Int32Array): number {
  return (words.length - FIRST_WORD) >> 1
}

/** Slots that a payload takes with its length and tag. */
export function slotsFor(payloadBytes: number): number {
  return 1 + ((payloadBytes + 7) >> 3)
}
