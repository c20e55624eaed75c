/**
 * A ring with room for everything: what does not fit waits in memory of the sender, in order. Nothing is ever refused, so that
 * threads that send to each other cannot wait for each other; who looks at `waitingBytes` stops producing.
 */
import { MillraceError } from '../error.ts'
import { MAXIMUM_RING_MESSAGE_BYTES } from './ring.ts'
import type { RingWriter } from './ring-writer.ts'

/** Committed bytes that are published at once, so that the reader starts before the writer has come to its next `flush`. */
const PUBLISH_BYTES = 16 << 10

interface WaitingMessage {
  readonly tag: number
  readonly bytes: Uint8Array
}

export class RingOutbox {
  /** The ring, for messages that are written in place; see `reserve`. */
  readonly writer: RingWriter
  private readonly waiting: WaitingMessage[] = []
  /** The first that waits, and, if it is one that goes in fragments, how much of it has gone. */
  private first = 0
  private gone = 0
  private bytes = 0

  constructor(writer: RingWriter) {
    this.writer = writer
  }

  /** Bytes of the messages that wait here for room. */
  get waitingBytes(): number {
    return this.bytes
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0
  }

  /**
   * Room in the ring for a message that is written in place: its byte offset, or -1 if others wait, or it does not fit, so that it
   * has to be sent by `send`. `commit` ends it.
   */
  reserve(length: number): number {
    return this.waiting.length === 0 && length <= this.writer.largest ? this.writer.reserve(length) : -1
  }

  commit(tag: number, length: number): void {
    this.writer.commit(length, tag)
    if (this.writer.unpublishedBytes >= PUBLISH_BYTES) this.writer.publish()
  }

  /** Copies the message before it returns. The reader sees it after `flush` at the latest. */
  send(tag: number, message: Uint8Array): void {
    const offset = this.reserve(message.length)
    if (offset >= 0) {
      this.writer.bytes.set(message, offset)
      this.commit(tag, message.length)
      return
    }
    if (message.length > MAXIMUM_RING_MESSAGE_BYTES)
      throw new MillraceError('OVERFLOW', `a message of ${message.length} bytes to another thread; at most ${MAXIMUM_RING_MESSAGE_BYTES}`)
    this.waiting.push({ tag, bytes: message.slice() })
    this.bytes += message.length
    if (this.waiting.length === 1) this.flush()
  }

  /**
   * Sends what there is room for and publishes it. Returns whether anything that had waited has gone. While something waits, the
   * doorbell rings when there is room again.
   */
  flush(): boolean {
    const { waiting, writer, first, gone } = this
    while (this.first < waiting.length) {
      const { tag, bytes } = waiting[this.first]
      if (bytes.length <= writer.largest) {
        if (!this.put(tag, bytes)) break
      } else {
        this.gone = writer.writeFragments(bytes, this.gone, tag)
        if (this.gone < bytes.length) break
        this.gone = 0
      }
      this.first++
      this.bytes -= bytes.length
    }
    writer.publish()
    const moved = this.first !== first || this.gone !== gone
    // A prefix that is most of the list is cut off: a cost of constant time a message.
    if (this.first * 2 > waiting.length) {
      waiting.splice(0, this.first)
      this.first = 0
    }
    return moved
  }

  private put(tag: number, message: Uint8Array): boolean {
    const { writer } = this
    const offset = writer.reserve(message.length)
    if (offset < 0) return false
    writer.bytes.set(message, offset)
    writer.commit(message.length, tag)
    return true
  }
}
