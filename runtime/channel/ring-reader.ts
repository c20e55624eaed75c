/** The reading end of a ring: messages are looked at in place, and released. */
import { invariant } from '../error.ts'
import type { Doorbell } from './doorbell.ts'
import {
  FIRST_WORD,
  FRAGMENT,
  FRAGMENT_PREFIX_BYTES,
  HEAD,
  LENGTH_MASK,
  MAXIMUM_RING_MESSAGE_BYTES,
  ROOM_WANTED,
  slotsFor,
  slotsOf,
  TAIL,
  WRAP_MARK,
} from './ring.ts'
import type { RingAtomics } from './ring-atomics.ts'

/**
 * The writer hears of released room when it is this share of the ring. It never waits for the rest: a message takes at most a
 * quarter, and skips less than another one.
 */
const RELEASE_SHARE = 8

const NOTHING = new Uint8Array(0)

export class RingReader {
  /** Of the message at hand: its payload is `length` bytes of `source`, at `offset`, a multiple of 8. */
  source: Uint8Array
  offset = 0
  length = 0
  /** The word that the writer chose. */
  tag = 0
  private readonly words: Int32Array
  private readonly bytes: Uint8Array
  private readonly atomics: RingAtomics
  private readonly writer: Doorbell
  private readonly slots: number
  /** Slots released, and of those the ones that the writer knows of. */
  private head = 0
  private told = 0
  /** The writer's position when last looked at. */
  private tail = 0
  /** Slots of the message at hand. */
  private taken = 0
  /** A long message of which fragments have come, and how many bytes. */
  private partial: Uint8Array = NOTHING
  private come = 0

  /** `writer` is rung when there is room that it waits for. */
  constructor(words: Int32Array, bytes: Uint8Array, writer: Doorbell, atomics: RingAtomics) {
    this.words = words
    this.bytes = bytes
    this.source = bytes
    this.atomics = atomics
    this.writer = writer
    this.slots = slotsOf(words)
  }

  /** Whether anything was published that is not released. */
  get hasMore(): boolean {
    if (this.head !== this.tail) return true
    this.tail = this.atomics.load(this.words, TAIL)
    return this.head !== this.tail
  }

  /** Goes to the next message; false if there is none now. The one before must have been released. */
  next(): boolean {
    for (;;) {
      if (!this.hasMore) return false
      const { words } = this
      let index = this.head & (this.slots - 1)
      let header = words[FIRST_WORD + 2 * index]
      if (header === WRAP_MARK) {
        this.head = (this.head + this.slots - index) | 0
        index = 0
        header = words[FIRST_WORD]
      }
      const length = header & LENGTH_MASK
      this.tag = words[FIRST_WORD + 2 * index + 1]
      this.taken = slotsFor(length)
      this.offset = 4 * FIRST_WORD + 8 * (index + 1)
      this.length = length
      this.source = this.bytes
      if ((header & FRAGMENT) === 0 || this.joinFragment()) return true
    }
  }

  /** Published messages that were not released, each fragment counted: looks at all of them. */
  countWaiting(): number {
    const tail = this.atomics.load(this.words, TAIL)
    let count = 0
    for (let at = this.head; at !== tail; ) {
      const index = at & (this.slots - 1)
      const header = this.words[FIRST_WORD + 2 * index]
      if (header === WRAP_MARK) at = (at + this.slots - index) | 0
      else {
        at = (at + slotsFor(header & LENGTH_MASK)) | 0
        count++
      }
    }
    return count
  }

  /** The payload of the message at hand, valid until `release`. */
  view(): Uint8Array {
    return this.source.subarray(this.offset, this.offset + this.length)
  }

  /** Gives the message's room back to the writer. */
  release(): void {
    this.head = (this.head + this.taken) | 0
    this.taken = 0
    if (((this.head - this.told) | 0) * RELEASE_SHARE >= this.slots) this.tellHead()
  }

  private tellHead(): void {
    const { atomics, words } = this
    this.told = this.head
    atomics.store(words, HEAD, this.head)
    if (atomics.load(words, ROOM_WANTED) === 0) return
    atomics.store(words, ROOM_WANTED, 0)
    this.writer.ring()
  }

  /** Copies the fragment at hand and releases it; true if the message at hand is now the whole. */
  private joinFragment(): boolean {
    let from = this.offset
    const end = this.offset + this.length
    if (this.come === 0) {
      const total = this.words[from >> 2]
      invariant(total > 0 && total <= MAXIMUM_RING_MESSAGE_BYTES, `a message of ${total} bytes in a ring`)
      this.partial = new Uint8Array(total)
      from += FRAGMENT_PREFIX_BYTES
    }
    this.partial.set(this.bytes.subarray(from, end), this.come)
    this.come += end - from
    this.release()
    if (this.come < this.partial.length) return false
    this.source = this.partial
    this.offset = 0
    this.length = this.come
    this.partial = NOTHING
    this.come = 0
    return true
  }
}
