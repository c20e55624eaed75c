/**
 * A ring with room for everything: what does not fit waits in memory of the sender, in order. Nothing is ever refused, so that
 * threads that send to each other cannot wait for each other; who looks at `waitingBytes` stops producing.
 */
import { MillraceError } from '../error.ts'
import { MAXIMUM_RING_MESSAGE_BYTES } from './ring.ts'
import { RingOverflow } from './ring-overflow.ts'
import type { RingWriter } from './ring-writer.ts'

/** Committed bytes that are published at once, so that the reader starts before the writer has come to its next `flush`. */
const PUBLISH_BYTES = 16 << 10

/** Up to here a loop copies faster than the call that copies anything. */
const SHORT_BYTES = 32

export class RingOutbox {
  /** The ring, for messages that are written in place; see `reserve`. */
  readonly writer: RingWriter
  private readonly overflow = new RingOverflow()
  /** Of a message that goes in fragments, how much has gone. */
  private gone = 0

  constructor(writer: RingWriter) {
    this.writer = writer
  }

  /** Bytes of the messages that wait here for room. */
  get waitingBytes(): number {
    return this.overflow.payloadBytes
  }

  get isWaiting(): boolean {
    return this.overflow.count > 0
  }

  /**
   * Room in the ring for a message that is written in place: its byte offset, or -1 if others wait, or it does not fit, so that it
   * has to be sent by `send`. `commit` ends it.
   */
  reserve(length: number): number {
    return this.overflow.count === 0 && length <= this.writer.largest ? this.writer.reserve(length) : -1
  }

  commit(tag: number, length: number): void {
    this.writer.commit(length, tag)
    if (this.writer.unpublishedBytes >= PUBLISH_BYTES) this.writer.publish()
  }

  /** Copies the message before it returns. The reader sees it after `flush` at the latest. */
  send(tag: number, message: Uint8Array): void {
    const offset = this.reserve(message.length)
    if (offset >= 0) {
      copy(message, this.writer.bytes, offset)
      this.commit(tag, message.length)
      return
    }
    if (message.length > MAXIMUM_RING_MESSAGE_BYTES)
      throw new MillraceError('OVERFLOW', `a message of ${message.length} bytes to another thread; at most ${MAXIMUM_RING_MESSAGE_BYTES}`)
    this.overflow.append(tag, message)
    if (this.overflow.count === 1) this.flush()
  }

  /**
   * Sends what there is room for and publishes it. Returns whether anything that had waited has gone. While something waits, the
   * doorbell rings when there is room again.
   */
  flush(): boolean {
    const { overflow, writer } = this
    let moved = false
    while (overflow.count > 0 && this.sendFirst()) moved = true
    writer.publish()
    return moved
  }

  /** Sends the first that waits, or some of it; false if there is no room even for that. */
  private sendFirst(): boolean {
    const { overflow, writer } = this
    const { length, tag } = overflow
    if (length <= writer.largest) {
      const offset = writer.reserve(length)
      if (offset < 0) return false
      copy(overflow.view(), writer.bytes, offset)
      writer.commit(length, tag)
    } else {
      const { gone } = this
      this.gone = writer.writeFragments(overflow.view(), gone, tag)
      if (this.gone < length) return this.gone > gone
      this.gone = 0
    }
    overflow.shift()
    return true
  }
}

function copy(from: Uint8Array, to: Uint8Array, at: number): void {
  const { length } = from
  if (length > SHORT_BYTES) to.set(from, at)
  else for (let i = 0; i < length; i++) to[at + i] = from[i]
}
