/**
 * Values as msgpack (github.com/msgpack/msgpack), for the decoder of msgpackr. What a row can have comes out of it as it went in:
 * float64 with the sign of -0, bigints as int64, bytes, `undefined`, dates, objects of any keys and any number of them; what is no
 * value (functions, symbols) is undefined. msgpackr's own encoder writes -0 as 0, asks objects for `toJSON`, and fails for 65,536 keys.
 */

/** An extension of ours: an object with a key `__proto__`, as an array of keys and values. */
export const ENTRIES_EXTENSION = 0x50

const DATE_EXTENSION = 0xff
const FIRST_BYTES = 1 << 16
/** A larger buffer is given back when it has served. */
const KEPT_BYTES = 1 << 22
/** What a value other than text and bytes takes at most, with its header. */
const LARGEST_SCALAR = 16
/** UTF-16 units up to which text is encoded here: for longer ones a call of the platform costs less. */
const SHORT_TEXT = 48
const REPLACEMENT = 0xfffd
const BYTES_PER_UNIT = 3
const UINT32 = 2 ** 32
const INT64 = 1n << 63n
const UINT64 = 1n << 64n

const utf8 = new TextEncoder()

let bytes = new Uint8Array(FIRST_BYTES)
let view = new DataView(bytes.buffer)
let at = 0

/** The bytes are the caller's. */
export function encodeValue(value: unknown): Uint8Array {
  at = 0
  try {
    write(value)
    return bytes.slice(0, at)
  } finally {
    if (bytes.length > KEPT_BYTES) grow(FIRST_BYTES, 0)
  }
}

function write(value: unknown): void {
  if (at + LARGEST_SCALAR > bytes.length) makeRoom(LARGEST_SCALAR)
  switch (typeof value) {
    case 'string':
      writeText(value)
      break
    case 'number':
      writeNumber(value)
      break
    case 'bigint':
      writeBigint(value)
      break
    case 'boolean':
      bytes[at++] = value ? 0xc3 : 0xc2
      break
    case 'object':
      if (value === null) bytes[at++] = 0xc0
      else if (Array.isArray(value)) writeArray(value)
      else if (ArrayBuffer.isView(value)) writeBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      else if (value instanceof Date) writeDate(value.getTime())
      else writeObject(value as Readonly<Record<string, unknown>>)
      break
    default:
      // As msgpackr writes undefined.
      bytes[at++] = 0xd4
      bytes[at++] = 0
      bytes[at++] = 0
  }
}

function writeNumber(value: number): void {
  if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
    if (value >= 0) writeUnsigned(value)
    else if (value >= -0x20) bytes[at++] = value
    else if (value >= -0x80) {
      bytes[at++] = 0xd0
      bytes[at++] = value
    } else {
      bytes[at] = 0xd2
      view.setInt32(at + 1, value)
      at += 5
    }
  } else {
    bytes[at] = 0xcb
    view.setFloat64(at + 1, value)
    at += 9
  }
}

function writeUnsigned(value: number): void {
  if (value < 0x80) bytes[at++] = value
  else if (value < 0x100) {
    bytes[at++] = 0xcc
    bytes[at++] = value
  } else if (value < 0x10000) {
    bytes[at++] = 0xcd
    bytes[at++] = value >> 8
    bytes[at++] = value
  } else {
    bytes[at] = 0xce
    view.setUint32(at + 1, value)
    at += 5
  }
}

/** One outside 64 bits, which no column has, becomes text: whoever takes the row can say what is wrong with it. */
function writeBigint(value: bigint): void {
  if (value < INT64 && value >= -INT64) {
    bytes[at] = 0xd3
    view.setBigInt64(at + 1, value)
    at += 9
  } else if (value >= INT64 && value < UINT64) {
    bytes[at] = 0xcf
    view.setBigUint64(at + 1, value)
    at += 9
  } else writeText(String(value))
}

function writeText(text: string): void {
  const n = text.length
  const most = BYTES_PER_UNIT * n + LARGEST_SCALAR
  if (at + most > bytes.length) makeRoom(most)
  if (n <= SHORT_TEXT) writeShortText(text, n)
  else writeLongText(text)
}

/** Its header has one byte if it has up to 31, as most have that are that short; and two else. */
function writeShortText(text: string, n: number): void {
  const start = at + (n < 0x20 ? 1 : 2)
  let end = start
  for (let i = 0; i < n; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) bytes[end++] = unit
    else if (unit < 0x800) {
      bytes[end++] = 0xc0 | (unit >> 6)
      bytes[end++] = 0x80 | (unit & 0x3f)
    } else {
      const point = text.codePointAt(i) as number
      if (point > 0xffff) {
        i++
        bytes[end++] = 0xf0 | (point >> 18)
        bytes[end++] = 0x80 | ((point >> 12) & 0x3f)
        bytes[end++] = 0x80 | ((point >> 6) & 0x3f)
        bytes[end++] = 0x80 | (point & 0x3f)
      } else {
        const whole = isSurrogate(point) ? REPLACEMENT : point
        bytes[end++] = 0xe0 | (whole >> 12)
        bytes[end++] = 0x80 | ((whole >> 6) & 0x3f)
        bytes[end++] = 0x80 | (whole & 0x3f)
      }
    }
  }
  const length = end - start
  if (length < 0x20) {
    bytes[at] = 0xa0 | length
    at = end
  } else {
    if (n < 0x20) bytes.copyWithin(start + 1, start, end)
    bytes[at] = 0xd9
    bytes[at + 1] = length
    at += 2 + length
  }
}

/** Half of a pair, which is no character: what encodes long text replaces it, too. */
function isSurrogate(point: number): boolean {
  return point >= 0xd800 && point < 0xe000
}

/** How long the header has to be is known afterwards: the greatest is left room for, and the text moved if it was too much. */
function writeLongText(text: string): void {
  const start = at + 5
  const length = utf8.encodeInto(text, bytes.subarray(start, start + BYTES_PER_UNIT * text.length)).written
  writeLength(length, 0xa0, 0x20, 0xd9)
  if (at < start) bytes.copyWithin(at, start, start + length)
  at += length
}

function writeBytes(content: Uint8Array): void {
  makeRoom(content.length + LARGEST_SCALAR)
  writeLength(content.length, 0, 0, 0xc4)
  bytes.set(content, at)
  at += content.length
}

/** A header: `fixed` with the length up to `fixedLengths`; else `wide` for a byte of it, and the next codes for two and four. */
function writeLength(length: number, fixed: number, fixedLengths: number, wide: number): void {
  if (length < fixedLengths) bytes[at++] = fixed | length
  else if (length < 0x100) {
    bytes[at++] = wide
    bytes[at++] = length
  } else writeLongLength(length, wide + 1)
}

/** Two bytes of length after `wide`, or four after the next code. */
function writeLongLength(length: number, wide: number): void {
  if (length < 0x10000) {
    bytes[at] = wide
    view.setUint16(at + 1, length)
    at += 3
  } else {
    bytes[at] = wide + 1
    view.setUint32(at + 1, length)
    at += 5
  }
}

function writeArray(values: readonly unknown[]): void {
  const n = values.length
  if (n < 0x10) bytes[at++] = 0x90 | n
  else writeLongLength(n, 0xdc)
  for (let i = 0; i < n; i++) write(values[i])
}

function writeObject(object: Readonly<Record<string, unknown>>): void {
  const keys = Object.keys(object)
  const n = keys.length
  if (keys.includes('__proto__')) {
    writeEntries(keys.flatMap((key) => [key, object[key]]))
    return
  }
  if (n < 0x10) bytes[at++] = 0x80 | n
  else writeLongLength(n, 0xde)
  for (let i = 0; i < n; i++) {
    const key = keys[i]
    writeText(key)
    write(object[key])
  }
}

/** The decoder of maps gives such a key another name. */
function writeEntries(entries: readonly unknown[]): void {
  const start = at
  at += 6
  writeArray(entries)
  bytes[start] = 0xc9
  view.setUint32(start + 1, at - start - 6)
  bytes[start + 5] = ENTRIES_EXTENSION
}

/** Nanoseconds and seconds, 96 bits. An invalid date is NaN. */
function writeDate(milliseconds: number): void {
  if (Number.isNaN(milliseconds)) {
    writeNumber(milliseconds)
    return
  }
  const seconds = Math.floor(milliseconds / 1000)
  bytes[at] = 0xc7
  bytes[at + 1] = 12
  bytes[at + 2] = DATE_EXTENSION
  view.setUint32(at + 3, 1e6 * (milliseconds - 1000 * seconds))
  view.setInt32(at + 7, Math.floor(seconds / UINT32))
  view.setUint32(at + 11, seconds)
  at += 15
}

function makeRoom(length: number): void {
  if (at + length > bytes.length) grow(Math.max(2 * bytes.length, at + length), at)
}

function grow(length: number, kept: number): void {
  const next = new Uint8Array(length)
  next.set(bytes.subarray(0, kept))
  bytes = next
  view = new DataView(bytes.buffer)
}
