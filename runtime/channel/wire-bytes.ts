/** Numbers and strings as bytes, one after the other: the parts of wire messages that are not columns. */
import { checkWellFormed } from '../data/dictionary.ts'
import { MillraceError } from '../error.ts'

/** Strings up to this are put together from fours of characters, longer ones by calls for so many units. */
const SHORT_UNITS = 24
const CHUNK_UNITS = 4096

export class ByteSink {
  bytes = new Uint8Array(1024)
  length = 0

  /** A whole number from 0 to 2^53 - 1: seven bits a byte, lowest first. */
  varint(value: number): void {
    this.reserve(8)
    while (value >= 0x80) {
      this.bytes[this.length++] = (value & 0x7f) | 0x80
      value = value < 0x80000000 ? value >>> 7 : Math.floor(value / 0x80)
    }
    this.bytes[this.length++] = value
  }

  /** A safe integer: the sign is the lowest bit of the first byte. */
  signed(value: number): void {
    const magnitude = Math.abs(value)
    const first = ((magnitude & 0x3f) << 1) | (value < 0 ? 1 : 0)
    this.reserve(1)
    if (magnitude < 0x40) this.bytes[this.length++] = first
    else {
      this.bytes[this.length++] = first | 0x80
      this.varint(Math.floor(magnitude / 0x40))
    }
  }

  /** Twice the number of UTF-16 units, plus one if they take two bytes each; then the units. */
  string(s: string): void {
    const { length } = s
    const begin = this.length
    this.varint(2 * length)
    this.reserve(length)
    const { bytes, length: start } = this
    for (let i = 0; i < length; i++) {
      const unit = s.charCodeAt(i)
      if (unit > 0xff) {
        this.length = begin
        this.wide(s)
        return
      }
      bytes[start + i] = unit
    }
    this.length = start + length
  }

  private wide(s: string): void {
    this.varint(2 * s.length + 1)
    this.reserve(2 * s.length)
    const { bytes } = this
    for (let i = 0; i < s.length; i++) {
      const unit = s.charCodeAt(i)
      bytes[this.length++] = unit & 0xff
      bytes[this.length++] = unit >> 8
    }
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const bytes = new Uint8Array(Math.max(2 * this.bytes.length, this.length + more))
    bytes.set(this.bytes)
    this.bytes = bytes
  }
}

/** Reads what a `ByteSink` wrote; all methods throw PROTOCOL where the bytes cannot be that. */
export class ByteSource {
  private bytes: Uint8Array
  private at = 0
  private end = 0

  constructor() {
    this.bytes = new Uint8Array(0)
  }

  /** Reads from `at` to, not including, `end`. */
  open(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is too large')
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }

  signed(): number {
    const first = this.byte()
    let magnitude = (first & 0x7f) >> 1
    if (first >= 0x80) magnitude += this.varint() * 0x40
    if (magnitude > Number.MAX_SAFE_INTEGER) throw malformed('a number is too large')
    return (first & 1) === 0 ? magnitude : -magnitude
  }

  string(): string {
    const head = this.varint()
    const wide = head % 2 === 1
    const units = (head - (wide ? 1 : 0)) / 2
    const length = wide ? 2 * units : units
    if (length > this.left) throw malformed('a string ends behind its message')
    const start = this.at
    this.at += length
    return wide ? wideString(this.bytes, start, units) : narrowString(this.bytes, start, units)
  }

  private byte(): number {
    if (this.at >= this.end) throw malformed('it ends too early')
    return this.bytes[this.at++]
  }
}

export function malformed(why: string): MillraceError {
  return new MillraceError('PROTOCOL', `bytes that are no message between workers: ${why}`)
}

function narrowString(bytes: Uint8Array, at: number, length: number): string {
  let s = ''
  let i = 0
  if (length <= SHORT_UNITS) {
    for (; i + 4 <= length; i += 4) s += String.fromCharCode(bytes[at + i], bytes[at + i + 1], bytes[at + i + 2], bytes[at + i + 3])
    for (; i < length; i++) s += String.fromCharCode(bytes[at + i])
    return s
  }
  for (; i < length; i += CHUNK_UNITS) s += fromUnits(bytes.subarray(at + i, at + Math.min(length, i + CHUNK_UNITS)))
  return s
}

function wideString(bytes: Uint8Array, at: number, length: number): string {
  let s = ''
  for (let i = 0; i < length; i += CHUNK_UNITS) {
    const units = new Uint16Array(Math.min(CHUNK_UNITS, length - i))
    for (let j = 0; j < units.length; j++) units[j] = bytes[at + 2 * (i + j)] | (bytes[at + 2 * (i + j) + 1] << 8)
    s += fromUnits(units)
  }
  try {
    checkWellFormed(s)
  } catch {
    throw malformed('a string is no Unicode')
  }
  return s
}

function fromUnits(units: ArrayLike<number>): string {
  return String.fromCharCode.apply(null, units as number[])
}
