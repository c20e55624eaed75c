/**
 * How much of its commands a thread has taken, as the main thread sees it: a counter in shared memory, and a wish to be rung
 * when it has come to some value. Counts are units of 8 bytes and wrap around.
 */
import type { Doorbell } from '../runtime/channel/doorbell.ts'
import type { RingAtomics } from '../runtime/channel/ring-atomics.ts'

/** Words from the counter's index on. */
const TAKEN = 0
const WANTED = 1
const WANTED_AT = 2

const unitsOf = (bytes: number) => (bytes + 7) >> 3

/** The thread's side. */
export class TakenCommands {
  private readonly board: Int32Array
  private readonly index: number
  private readonly sender: Doorbell
  private readonly atomics: RingAtomics
  private taken = 0

  constructor(board: Int32Array, index: number, sender: Doorbell, atomics: RingAtomics) {
    this.board = board
    this.index = index
    this.sender = sender
    this.atomics = atomics
  }

  take(bytes: number): void {
    const { atomics, board, index } = this
    this.taken = (this.taken + unitsOf(bytes)) | 0
    atomics.store(board, index + TAKEN, this.taken)
    if (atomics.load(board, index + WANTED) === 0) return
    if (((this.taken - atomics.load(board, index + WANTED_AT)) | 0) < 0) return
    atomics.store(board, index + WANTED, 0)
    this.sender.ring()
  }
}

/** The main thread's side. */
export class SentCommands {
  private readonly board: Int32Array
  private readonly index: number
  private readonly atomics: RingAtomics
  private sent = 0

  constructor(board: Int32Array, index: number, atomics: RingAtomics) {
    this.board = board
    this.index = index
    this.atomics = atomics
  }

  send(bytes: number): void {
    this.sent = (this.sent + unitsOf(bytes)) | 0
  }

  get waitingBytes(): number {
    return ((this.sent - this.atomics.load(this.board, this.index + TAKEN)) | 0) * 8
  }

  /** Whether no more than so many bytes wait; if more do, the doorbell rings when it has come to that. */
  fellTo(bytes: number): boolean {
    const { atomics, board, index } = this
    atomics.store(board, index + WANTED_AT, (this.sent - unitsOf(bytes)) | 0)
    atomics.store(board, index + WANTED, 1)
    return this.waitingBytes <= bytes
  }
}
