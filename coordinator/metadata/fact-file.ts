/**
 * A file of batches of facts: each a length, a checksum and the batch, so that a batch that a crash tore is noticed and what is
 * before it counts. The first batch is all facts as they were when the file was begun.
 */

import type { Disk } from '../../runtime/env/disk.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import { crc32 } from './crc32.ts'
import type { Fact } from './metadata-store.ts'
import { wholeFile } from './whole-file.ts'

const HEADER_BYTES = 8
/** A longer batch is a torn length. */
const LONGEST_BATCH_BYTES = 256 << 20

interface Batch {
  readonly kind: 'facts'
  readonly facts: readonly Fact[]
}

export function encodeBatch(facts: readonly Fact[]): Uint8Array {
  const body = encodeMessage({ kind: 'facts', facts } satisfies Batch)
  const bytes = new Uint8Array(HEADER_BYTES + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, body.length, true)
  view.setUint32(4, crc32(body), true)
  bytes.set(body, HEADER_BYTES)
  return bytes
}

/** Null if there is no such file, or not even its first batch is whole. */
export async function readFacts(disk: Disk, path: string): Promise<Map<string, Uint8Array> | null> {
  const bytes = await wholeFile(disk, path)
  return bytes === null ? null : replayed(bytes)
}

function replayed(bytes: Uint8Array): Map<string, Uint8Array> | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const facts = new Map<string, Uint8Array>()
  let batches = 0
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint32(at, true)
    const end = at + HEADER_BYTES + length
    if (length > LONGEST_BATCH_BYTES || end > bytes.length) break
    const body = bytes.subarray(at + HEADER_BYTES, end)
    if (crc32(body) !== view.getUint32(at + 4, true)) break
    for (const { key, value } of decodeMessage<Batch>(body).facts) {
      if (value === null) facts.delete(key)
      else facts.set(key, value)
    }
    batches++
    at = end
  }
  return batches === 0 ? null : facts
}
