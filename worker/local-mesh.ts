/**
 * The memory that the threads of one process share: a ring for each ordered pair, a doorbell for each, a count of those that
 * spin, and how much of its commands each thread has taken. All of it is there before the first thread starts.
 *
 * Ends are numbered: dataflow threads from 0 on, the main thread last.
 */
import { DOORBELL_WORDS, Doorbell } from '../runtime/channel/doorbell.ts'
import { allocateRing, RING_BYTES } from '../runtime/channel/ring.ts'
import type { RingAtomics } from '../runtime/channel/ring-atomics.ts'
import { RingOutbox } from '../runtime/channel/ring-outbox.ts'
import { RingReader } from '../runtime/channel/ring-reader.ts'
import { RingWriter } from '../runtime/channel/ring-writer.ts'
import { invariant } from '../runtime/error.ts'

export interface MeshMemory {
  readonly threads: number
  /** How many may spin at one time. */
  readonly spinners: number
  /** From end `from` to end `to` at `from * (threads + 1) + to`; none from an end to itself. */
  readonly rings: readonly (SharedArrayBuffer | null)[]
  /** A line of words for each end: its doorbell, and its counter of taken commands; then one for counts of spinning and of ended threads. */
  readonly board: SharedArrayBuffer
}

/**
 * `cores` bounds how many threads spin at one time: one core is always left for those that work, and where threads have to share
 * cores none spins.
 */
export function allocateMesh(threads: number, cores: number, ringBytes = RING_BYTES): MeshMemory {
  const ends = threads + 1
  const rings = Array.from({ length: ends * ends }, (_, i) => (Math.floor(i / ends) === i % ends ? null : allocateRing(ringBytes)))
  return { threads, spinners: threads > cores ? 0 : cores - 1, rings, board: new SharedArrayBuffer((2 * ends + 1) * DOORBELL_WORDS * 4) }
}

/** The tag of a message that is a command of the main thread, or an event for it. A message of a worker has a worker's number. */
export const CONTROL = -1
/** Commands that keep their order when a thread lets feeds wait. */
export const FEED = -2
export const ADVANCE = -3

/** One thread's end of everything. */
export class MeshEnd {
  /** By end. */
  readonly doorbells: readonly Doorbell[]
  /** By end; null for itself. */
  readonly outboxes: readonly (RingOutbox | null)[]
  readonly readers: readonly (RingReader | null)[]
  /** The end of the main thread. */
  readonly main: number
  readonly board: Int32Array
  /** Where in the board spinning threads are counted, and where threads that have come to their end. */
  readonly spinning: number
  readonly ended: number

  constructor(memory: MeshMemory, self: number, atomics: RingAtomics) {
    const ends = memory.threads + 1
    invariant(self >= 0 && self < ends, `an end ${self} of ${memory.threads} threads`)
    const board = new Int32Array(memory.board)
    const doorbells = Array.from({ length: ends }, (_, end) => new Doorbell(board, end * DOORBELL_WORDS, atomics))
    const mapped = memory.rings.map((ring) => ring && { words: new Int32Array(ring), bytes: new Uint8Array(ring) })
    this.outboxes = doorbells.map((doorbell, to) => {
      const ring = mapped[self * ends + to]
      return ring && new RingOutbox(new RingWriter(ring.words, ring.bytes, doorbell, atomics))
    })
    this.readers = doorbells.map((doorbell, from) => {
      const ring = mapped[from * ends + self]
      return ring && new RingReader(ring.words, ring.bytes, doorbell, atomics)
    })
    this.doorbells = doorbells
    this.main = memory.threads
    this.board = board
    this.spinning = 2 * ends * DOORBELL_WORDS
    this.ended = this.spinning + 1
  }

  /** The counter of commands that thread `end` has taken. */
  taken(end: number): number {
    return (this.main + 1 + end) * DOORBELL_WORDS
  }
}
