/** Control messages and rows as bytes: msgpack, with int64 as bigint and bytes as they are. */
import { addExtension, Unpackr } from 'msgpackr'
import { MillraceError } from '../error.ts'
import { ENTRIES_EXTENSION, encodeValue } from './encode-value.ts'

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'bigint', copyBuffers: true })

addExtension({ type: ENTRIES_EXTENSION, unpack: (content) => objectOf(unpackr.unpack(content) as unknown[]) })

/** The bytes are the caller's. */
export function encodeMessage(message: object): Uint8Array {
  return encodeValue(message)
}

/** @throws MillraceError PROTOCOL if the bytes are no message */
export function decodeMessage<M extends { readonly kind: string }>(bytes: Uint8Array): M {
  let value: unknown
  try {
    value = unpackr.unpack(bytes)
  } catch (error) {
    throw new MillraceError('PROTOCOL', `${bytes.length} bytes are no message`, undefined, { cause: error })
  }
  if (typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string') return value as M
  throw new MillraceError('PROTOCOL', `${bytes.length} bytes are a value but no message`)
}

function objectOf(keysAndValues: readonly unknown[]): object {
  const entries: [string, unknown][] = []
  for (let i = 0; i + 1 < keysAndValues.length; i += 2) entries.push([String(keysAndValues[i]), keysAndValues[i + 1]])
  return Object.fromEntries(entries)
}
