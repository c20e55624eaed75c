/** What a follower of an output is told. */
import type { CountedRow } from '../../runtime/protocol/thread.ts'

/** All changes of a time. One object for all followers of an output, never changed. */
export interface ChangesEvent {
  readonly kind: 'changes'
  readonly time: number
  readonly changes: readonly CountedRow[]
  /** What it takes in a queue, roughly. */
  readonly bytes: number
}

/** Rows as of a time, in pages; after the last come the changes of later times. */
export interface SnapshotEvent {
  readonly kind: 'snapshot'
  readonly time: number
  readonly rows: readonly CountedRow[]
  readonly last: boolean
}

export type FollowEvent =
  /** Nothing is missing between what the follower has and the changes after this time. */
  | { readonly kind: 'start'; readonly time: number }
  | SnapshotEvent
  | ChangesEvent
  /** What was told before no longer counts: a snapshot follows, or `start` for an output that keeps no rows. */
  | { readonly kind: 'reset'; readonly reason: string }
  /** The last event. OVERFLOW: it was too slow, and comes back with a snapshot if it wants to. */
  | { readonly kind: 'end'; readonly code: string; readonly message: string }

/** What a value costs in memory besides its characters, roughly. */
const VALUE_BYTES = 16
const ROW_BYTES = 48
const DEEPEST = 4

/** Bytes of changes in memory, roughly: enough to bound queues by. */
export function bytesOf(changes: readonly CountedRow[]): number {
  let bytes = 0
  for (const { row } of changes) {
    bytes += ROW_BYTES
    for (const name in row) bytes += valueBytes(row[name], 0)
  }
  return bytes
}

function valueBytes(value: unknown, depth: number): number {
  if (typeof value === 'string') return VALUE_BYTES + 2 * value.length
  if (typeof value !== 'object' || value === null) return VALUE_BYTES
  if (ArrayBuffer.isView(value)) return VALUE_BYTES + value.byteLength
  if (depth >= DEEPEST) return VALUE_BYTES + 2 * JSON.stringify(value).length
  let bytes = VALUE_BYTES
  if (Array.isArray(value)) for (const element of value) bytes += valueBytes(element, depth + 1)
  else for (const [name, member] of Object.entries(value)) bytes += 2 * name.length + valueBytes(member, depth + 1)
  return bytes
}
