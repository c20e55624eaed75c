/** Where in a followed file something is, and what the follower hands on. */

/** A place between two lines, from which following can go on after a restart. Plain data: store it as JSON. */
export interface FilePosition {
  /** The file itself, whatever its name by now (`FileStat.identity`). */
  readonly identity: string
  /** Counts the files and truncations gone through, from 0: (generation, offset) orders all positions of a follower. */
  readonly generation: number
  /** Bytes before this place. */
  readonly offset: number
  /** Number of the line that starts here; the first is 1. */
  readonly line: number
  /**
   * The bytes before this place that `tailHash` (FNV-1a) is the hash of: they tell a file from another one that was
   * given the same inode, and from itself truncated and written anew. 0 checks nothing.
   */
  readonly tailBytes: number
  readonly tailHash: number
}

/** The place of one line. */
export interface LinePosition {
  readonly file: string
  readonly generation: number
  /** From 1. */
  readonly line: number
  /** Bytes before the line. */
  readonly offset: number
}

/** A line that gave no row, and why. */
export interface BadLine {
  readonly position: LinePosition
  /** The line's beginning, at most `EXCERPT_LENGTH` UTF-16 units. */
  readonly excerpt: string
  readonly message: string
}

/** Complete lines of one file, in order. The three arrays are parallel. */
export interface LineBatch {
  /** The path that the file had when it was opened. */
  readonly file: string
  readonly generation: number
  /**
   * Without line ends. A line shares the memory of the whole batch: copy what you keep of it (`detached`).
   */
  readonly lines: readonly string[]
  readonly lineNumbers: readonly number[]
  readonly offsets: readonly number[]
  /** Lines that are none: too long, not UTF-8, cut off. In order; their numbers are missing from `lineNumbers`. */
  readonly bad: readonly BadLine[]
  /** The first line of the file if the follower was asked for `header`, else null; it is not among `lines`. */
  readonly header: string | null
  /** Behind the batch's last line; if that ends the file since another one follows, where that begins: of the next generation. */
  readonly end: FilePosition
}

export const EXCERPT_LENGTH = 120

export function excerptOf(line: string): string {
  return line.length <= EXCERPT_LENGTH ? detached(line) : `${detached(line.slice(0, EXCERPT_LENGTH - 1))}…`
}

/** V8 copies shorter strings when it slices; longer ones keep their whole source in memory. */
const SLICE_LENGTH = 13

/** The same string with memory of its own. */
export function detached(value: string): string {
  if (value.length < SLICE_LENGTH) return value
  return JSON.parse(JSON.stringify(value)) as string
}

/** Bad lines of one batch, from the follower and from a decoder, in the order of the file. */
export function mergeBad(first: readonly BadLine[], second: BadLine[]): BadLine[] {
  if (first.length === 0) return second
  return [...first, ...second].sort((a, b) => a.position.generation - b.position.generation || a.position.line - b.position.line)
}
