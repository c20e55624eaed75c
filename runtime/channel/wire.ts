/**
 * Messages between workers as bytes: for shared memory between threads, and for sockets between processes.
 *
 * Little-endian, and in multiples of 8 bytes, at multiples of 8, so that columns are copied as whole arrays. All begin with
 *
 * | word | |
 * |---|---|
 * | 0 | magic (16 bits), version (8), kind (8) |
 * | 1 | length in bytes, with this header |
 * | 2 | checksum of all other words; 0 if there is none |
 * | 3 | flags (16 bits), sending worker (16) |
 * | 4 | generation |
 * | 5 | dataflow |
 *
 * A frame goes on as `wire-frame.ts` says, a progress message as `wire-progress.ts` does. Between threads of a process
 * there is no checksum. Bytes are never trusted: what is no message is a PROTOCOL error, and no length in it makes the decoder
 * allocate more than the bytes that are there account for.
 */
import { invariant } from '../error.ts'
import type { PeerMessage } from '../protocol/message.ts'
import { ByteSink, ByteSource, malformed } from './wire-bytes.ts'
import { checksum } from './wire-checksum.ts'
import { FrameReader, FrameWriter } from './wire-frame.ts'
import { readProgress, writeProgress } from './wire-progress.ts'

const MAGIC = 0x724d
const VERSION = 1
const FRAME = 1
const PROGRESS = 2
const HEADER_WORDS = 6
/** A flag: the checksum holds. */
const CHECKED = 1
/** Of a message, the byte that has the flag. */
const FLAGS_BYTE = 12
/** Workers of a generation are fewer: their numbers take 16 bits. */
export const MAXIMUM_WORKERS = 1 << 16

export class WireEncoder {
  private readonly checked: boolean
  private readonly sink = new ByteSink()
  private readonly frames = new FrameWriter()
  private measured: PeerMessage | null = null
  private length = 0
  private words = new Int32Array(1024)
  private bytes = new Uint8Array(this.words.buffer)

  /** @param checked whether messages carry a checksum: between processes */
  constructor(checked: boolean) {
    invariant(new Uint8Array(Int32Array.of(1).buffer)[0] === 1, 'this machine is little-endian')
    this.checked = checked
  }

  /** The bytes that the message takes, a multiple of 8. `write` of the same message comes next. */
  measure(message: PeerMessage): number {
    const { sink } = this
    sink.length = 0
    if (message.kind === 'frame') this.length = 4 * HEADER_WORDS + this.frames.measure(message, sink)
    else {
      writeProgress(message.changes, sink)
      this.length = 4 * HEADER_WORDS + padded(sink.length)
    }
    this.measured = message
    return this.length
  }

  /**
   * Writes the message that was measured last at byte `offset`, a multiple of 8, of memory that is given as words and as bytes.
   * The rows of a frame go back to their pool: whoever writes it is the last one to see it.
   */
  write(message: PeerMessage, words: Int32Array, bytes: Uint8Array, offset: number): void {
    invariant(this.measured === message, 'a message is measured before it is written')
    this.measured = null
    const at = offset >> 2
    words[at] = MAGIC | (VERSION << 16) | ((message.kind === 'frame' ? FRAME : PROGRESS) << 24)
    words[at + 1] = this.length
    words[at + 2] = 0
    words[at + 3] = (this.checked ? CHECKED : 0) | (message.from << 16)
    words[at + 4] = message.generation
    words[at + 5] = message.dataflow
    const begin = offset + 4 * HEADER_WORDS
    if (message.kind === 'frame') {
      this.frames.write(message, this.sink, words, bytes, begin)
      message.batch.release()
    } else {
      words[(offset + this.length - 8) >> 2] = 0
      words[(offset + this.length - 4) >> 2] = 0
      copyBytes(this.sink, bytes, begin)
    }
    if (this.checked) words[at + 2] = sumOf(words, at, this.length >> 2)
  }

  /** Both, into memory that the next call overwrites. */
  encode(message: PeerMessage): Uint8Array {
    const length = this.measure(message)
    if (this.bytes.length < length) {
      this.words = new Int32Array(2 * (length >> 2))
      this.bytes = new Uint8Array(this.words.buffer)
    }
    this.write(message, this.words, this.bytes, 0)
    return this.bytes.subarray(0, length)
  }
}

/** Whether a message has a checksum, which reading it then looks at. */
export function hasChecksum(bytes: Uint8Array): boolean {
  return (bytes[FLAGS_BYTE] & CHECKED) !== 0
}

export class WireDecoder {
  private readonly source = new ByteSource()
  private readonly frames = new FrameReader()
  /** The memory that was read last, which is often a ring's. */
  private words: Int32Array = new Int32Array(0)
  private bytes: Uint8Array = new Uint8Array(this.words.buffer)

  /**
   * The message that the bytes are. Nothing of it refers to them afterwards.
   * @throws MillraceError PROTOCOL
   */
  read(bytes: Uint8Array): PeerMessage {
    if (bytes.byteOffset % 8 !== 0) return this.read(new Uint8Array(bytes))
    const { buffer } = bytes
    if (this.words.buffer !== buffer) {
      this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2)
      this.bytes = new Uint8Array(buffer)
    }
    return this.readAt(this.words, this.bytes, bytes.byteOffset, bytes.length)
  }

  /** The same for `length` bytes from `offset`, a multiple of 8, of memory that is given as words and as bytes. */
  readAt(words: Int32Array, bytes: Uint8Array, offset: number, length: number): PeerMessage {
    const at = offset >> 2
    if (length < 4 * HEADER_WORDS || length % 8 !== 0 || words[at + 1] !== length)
      throw malformed(`a message of ${length} bytes is cut, or not the only one`)
    if ((words[at] & 0xffff) !== MAGIC) throw malformed('it begins with something else')
    const version = (words[at] >>> 16) & 0xff
    if (version !== VERSION) throw malformed(`its version is ${version}, and this release reads ${VERSION}`)
    const flags = words[at + 3] & 0xffff
    if ((flags & CHECKED) !== 0 && words[at + 2] !== sumOf(words, at, length >> 2)) throw malformed('its checksum is wrong')
    const from = words[at + 3] >>> 16
    const generation = words[at + 4]
    const dataflow = words[at + 5]
    const begin = offset + 4 * HEADER_WORDS
    const kind = words[at] >>> 24
    if (kind === FRAME) return this.frames.read(words, bytes, begin, offset + length, generation, dataflow, from)
    if (kind !== PROGRESS) throw malformed(`no message is of kind ${kind}`)
    this.source.open(bytes, begin, offset + length)
    return { kind: 'progress', generation, dataflow, from, changes: readProgress(this.source) }
  }
}

/** Of all words but the one that holds the sum. */
function sumOf(words: Int32Array, at: number, count: number): number {
  return checksum(words, at + 3, count - 3, words[at] ^ Math.imul(words[at + 1], 0x2c1b3c6d))
}

function padded(length: number): number {
  return (length + 7) & ~7
}

function copyBytes({ bytes: from, length }: ByteSink, to: Uint8Array, at: number): void {
  if (length > 64) to.set(from.subarray(0, length), at)
  else for (let i = 0; i < length; i++) to[at + i] = from[i]
}
