/** The writing end of a ring: reserve, write in place, commit; several messages are published by one store. */
import { invariant } from '../error.ts'
import type { Doorbell } from './doorbell.ts'
import {
  FIRST_WORD,
  FRAGMENT,
  FRAGMENT_PREFIX_BYTES,
  FRAGMENT_SHARE,
  HEAD,
  ROOM_WANTED,
  slotsFor,
  slotsOf,
  TAIL,
  WRAP_MARK,
} from './ring.ts'
import type { RingAtomics } from './ring-atomics.ts'

export class RingWriter {
  /** The ring's memory, header included: offsets of `reserve` are relative to its start. */
  readonly words: Int32Array
  readonly bytes: Uint8Array
  /** The longest payload in bytes that can be reserved. */
  readonly largest: number
  private readonly atomics: RingAtomics
  private readonly reader: Doorbell
  private readonly slots: number
  /** Slots committed, and of those the ones that the reader may see. */
  private tail = 0
  private published = 0
  /** The reader's position when last looked at. */
  private head = 0
  /** Of the reservation: slots up to the end of the memory that it leaves out. */
  private skipped = 0

  /** `reader` is rung when messages are published. */
  constructor(words: Int32Array, bytes: Uint8Array, reader: Doorbell, atomics: RingAtomics) {
    this.words = words
    this.bytes = bytes
    this.atomics = atomics
    this.reader = reader
    this.slots = slotsOf(words)
    this.largest = this.slots * (8 / FRAGMENT_SHARE) - 8
  }

  /**
   * Room for a payload of at most so many bytes: its byte offset, a multiple of 8, or -1 if there is not enough now. It holds
   * until `commit`, or until another `reserve`, which forgets it. When it gave -1, the reader rings the writer's doorbell once it
   * has made room.
   */
  reserve(length: number): number {
    invariant(length <= this.largest, 'what is longer than a ring takes goes in fragments')
    const { atomics, words } = this
    const index = this.tail & (this.slots - 1)
    const slots = slotsFor(length)
    const toEnd = this.slots - index
    const skipped = slots > toEnd ? toEnd : 0
    const most = this.slots - slots - skipped
    if (((this.tail - this.head) | 0) > most) {
      this.head = atomics.load(words, HEAD)
      if (((this.tail - this.head) | 0) > most) {
        // What is committed has to be read for room to come.
        this.publish()
        atomics.store(words, ROOM_WANTED, 1)
        this.head = atomics.load(words, HEAD)
        if (((this.tail - this.head) | 0) > most) return -1
      }
    }
    this.skipped = skipped
    return this.payloadOffset()
  }

  /** Ends the message: its payload's actual length, at most what was reserved. It is read once it is published. */
  commit(length: number, tag: number): void {
    this.end(length, length, tag)
  }

  /** Lets the reader see all committed messages, and wakes it. */
  publish(): void {
    if (this.published === this.tail) return
    this.published = this.tail
    this.atomics.store(this.words, TAIL, this.tail)
    this.reader.ring()
  }

  /** Bytes that are committed and not yet published. */
  get unpublishedBytes(): number {
    return ((this.tail - this.published) | 0) * 8
  }

  /**
   * Writes as much of a long message as there is room for, from byte `from` on, and returns up to where it has come. No
   * other message may be begun before it has come to the end.
   */
  writeFragments(message: Uint8Array, from: number, tag: number): number {
    while (from < message.length) {
      const prefix = from === 0 ? FRAGMENT_PREFIX_BYTES : 0
      const length = Math.min(this.largest, prefix + message.length - from)
      const offset = this.reserve(length)
      if (offset < 0) return from
      if (prefix > 0) this.words[offset >> 2] = message.length
      const to = from + length - prefix
      this.bytes.set(message.subarray(from, to), offset + prefix)
      this.end(length, length | FRAGMENT, tag)
      this.publish()
      from = to
    }
    return from
  }

  private end(length: number, lengthWord: number, tag: number): void {
    const { words } = this
    if (this.skipped > 0) words[FIRST_WORD + 2 * (this.tail & (this.slots - 1))] = WRAP_MARK
    const header = (this.payloadOffset() >> 2) - 2
    words[header] = lengthWord
    words[header + 1] = tag
    this.tail = (this.tail + this.skipped + slotsFor(length)) | 0
    this.skipped = 0
  }

  private payloadOffset(): number {
    const index = this.skipped > 0 ? 0 : this.tail & (this.slots - 1)
    return 4 * FIRST_WORD + 8 * (index + 1)
  }
}
