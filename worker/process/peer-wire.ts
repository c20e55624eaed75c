/**
 * What a message of a connection between two worker processes looks like. Little endian:
 *
 * ```
 * u32 sequence   counts all messages of one direction from 0: a gap or a repetition breaks the connection
 * u8  type, u8 0, u16 count
 *
 * FRAMES     count times: u16 from, u16 to (numbers of workers), u32 length, then so many bytes, padded to a multiple of 8
 * SERVICE    msgpack: a question, a reply or an end. Frames have checksums; of all other types the count is one, also of types to come
 * HEARTBEAT  f64, with a checksum as well: bytes of frames that the sender of the heartbeat has taken and handed on, in all
 * ```
 */
import { MillraceError } from '../../runtime/error.ts'

export const FRAMES = 1
export const SERVICE = 2
export const HEARTBEAT = 3
export type PeerMessageType = typeof FRAMES | typeof SERVICE | typeof HEARTBEAT

export const HEADER_BYTES = 8
export const ENTRY_BYTES = 8
export const MAXIMUM_ENTRIES = 0xffff
export const MAXIMUM_WORKERS = 0xffff

export function paddedLength(length: number): number {
  return (length + 7) & ~7
}

export function writeHeader(view: DataView, sequence: number, type: PeerMessageType, count: number): void {
  view.setUint32(0, sequence, true)
  view.setUint8(4, type)
  view.setUint8(5, 0)
  view.setUint16(6, count, true)
}

export interface PeerHeader {
  readonly sequence: number
  readonly type: number
  readonly count: number
}

/** @throws MillraceError PROTOCOL */
export function readHeader(bytes: Uint8Array): PeerHeader {
  if (bytes.length < HEADER_BYTES) throw new MillraceError('PROTOCOL', `a message of ${bytes.length} bytes is too short`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { sequence: view.getUint32(0, true), type: view.getUint8(4), count: view.getUint16(6, true) }
}

/**
 * Hands on each entry of a FRAMES message; the bytes are a part of the message's.
 * @throws MillraceError PROTOCOL if entries and message do not fit; those before were handed on
 */
export function readEntries(bytes: Uint8Array, count: number, take: (from: number, to: number, bytes: Uint8Array) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = HEADER_BYTES
  for (let i = 0; i < count; i++) {
    const length = at + ENTRY_BYTES <= bytes.length ? view.getUint32(at + 4, true) : Number.POSITIVE_INFINITY
    const start = at + ENTRY_BYTES
    if (start + length > bytes.length)
      throw new MillraceError('PROTOCOL', `a message of ${bytes.length} bytes ends within part ${i + 1} of ${count}`)
    take(view.getUint16(at, true), view.getUint16(at + 2, true), bytes.subarray(start, start + length))
    at = start + paddedLength(length)
  }
  if (at < bytes.length || at > bytes.length + 7)
    throw new MillraceError('PROTOCOL', `a message of ${bytes.length} bytes has ${at} bytes of content`)
}

/** For the few bytes of a message without frames, and its type (FNV-1a, folded). */
export function contentSum(bytes: Uint8Array, type: number): number {
  let h = Math.imul(0x811c9dc5 ^ type, 0x01000193)
  for (let i = HEADER_BYTES; i < bytes.length; i++) h = Math.imul(h ^ bytes[i], 0x01000193)
  return ((h >>> 16) ^ h) & 0xffff
}

export function readTaken(bytes: Uint8Array): number {
  if (bytes.length !== HEADER_BYTES + 8) throw new MillraceError('PROTOCOL', `a heartbeat of ${bytes.length} bytes`)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(HEADER_BYTES, true)
}
