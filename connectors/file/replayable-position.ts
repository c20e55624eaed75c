/**
 * Where a reader of a log is that may be read again: by what it has read and not by which file it is in.
 *
 * A log is the lines of its files, the oldest first. Renaming a file changes no line, nor does copying it aside and emptying it, so
 * a count of lines finds the same place again under whatever names, in another process, from the beginning. The hash of all of
 * them tells whether they are still the same lines: if a rotated file was removed, or one was rewritten, they are not.
 */
import type { Position } from '../../runtime/protocol/position.ts'
import type { FilePosition } from './position.ts'

export type LogPosition = {
  /** Lines, bad ones too, headers not. */
  readonly lines: number
  /** Of all of them. */
  readonly hash: number
  /** Contents (files, and files written anew) that had lines. */
  readonly contents: number
  /**
   * The place in its file, to get there without reading what is before. Null where that is not enough: within a record over
   * several lines, and where a batch was split.
   */
  readonly at: FilePlace | null
}

/** A `FilePosition` as plain data. */
export type FilePlace = {
  readonly identity: string
  readonly generation: number
  readonly offset: number
  readonly line: number
  readonly tailBytes: number
  readonly tailHash: number
}

/** A position of this kind, or null if it is of another kind. */
export function logPosition(position: Position): LogPosition | null {
  if (typeof position !== 'object' || position === null) return null
  const { lines, hash, contents, at } = position as Partial<LogPosition>
  if (![lines, hash, contents].every((number) => Number.isSafeInteger(number))) return null
  if (at === null) return position as LogPosition
  if (typeof at?.identity !== 'string') return null
  const numbers = [at.generation, at.offset, at.line, at.tailBytes, at.tailHash]
  return numbers.every((number) => Number.isSafeInteger(number)) ? (position as LogPosition) : null
}

export function placeOf({ identity, generation, offset, line, tailBytes, tailHash }: FilePosition): FilePlace {
  return { identity, generation, offset, line, tailBytes, tailHash }
}

export const HASH_OF_NOTHING = 0x811c9dc5

/** FNV-1a over the text's UTF-16 units, going on from the hash of what was before. */
export function hashLine(before: number, text: string): number {
  let hash = before
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  // A line's end, so that two lines are not one.
  return Math.imul(hash ^ 10, 0x01000193) >>> 0
}
