/** Control messages and rows as bytes: msgpack, with int64 as bigint and bytes as they are. */
import { Packr } from 'msgpackr'
import { MillraceError } from '../error.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'bigint', copyBuffers: true })

/** The bytes are the caller's. */
export function encodeMessage(message: object): Uint8Array {
  return packr.pack(message)
}

/** @throws MillraceError PROTOCOL if the bytes are no message */
export function decodeMessage<M extends { readonly kind: string }>(bytes: Uint8Array): M {
  let value: unknown
  try {
    value = packr.unpack(bytes)
  } catch (error) {
    throw new MillraceError('PROTOCOL', `${bytes.length} bytes are no message`, undefined, { cause: error })
  }
  if (typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string') return value as M
  throw new MillraceError('PROTOCOL', `${bytes.length} bytes are a value but no message`)
}
