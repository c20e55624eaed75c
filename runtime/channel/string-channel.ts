/**
 * What one worker knows of another's dictionary.
 *
 * A frame carries the sender's ids, and each string only once: the sender keeps a bit for each id that the receiver has been told,
 * the receiver a table from those ids to its own. Frames of a pair of workers arrive in order, of all dataflows together, so
 * the table is always as far as the frame at hand. When the sender's dictionary has been swept, ids may stand for other strings: a
 * new epoch, in which everything is told again. So bits and table are bounded by the ids that the sender has had in use at one time.
 *
 * Ids are translated as soon as a frame arrives: what waits holds the receiver's own ids, and the table and all that
 * waits are roots of the receiver's garbage collection. The sender needs no roots: its epoch ends with the sweep.
 */
import type { Batch } from '../data/batch.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { MillraceError } from '../error.ts'
import { FRAME_STRING_BYTES, type Frame, OWN_STRINGS, stringBytes } from './frame.ts'

/** A table is made of pages, so that one large id does not need a large table. */
const PAGE_BITS = 12
const PAGE_MASK = (1 << PAGE_BITS) - 1
/** Ids of a dictionary are below this. */
const ID_LIMIT = 1 << 28

export class StringSender {
  /** The strings that `collect` found new, and their ids. */
  ids: number[] = []
  strings: string[] = []
  private readonly dictionary: Dictionary
  private readonly once: boolean
  /** By id, a bit: told in this epoch. Null always is. */
  private told = Int32Array.of(1)
  private epoch = OWN_STRINGS

  /** @param once whether each string is told once (protocol 2), or with each frame (protocol 1) */
  constructor(dictionary: Dictionary, once: boolean) {
    this.dictionary = dictionary
    this.once = once
  }

  /**
   * Finds the strings that the receiver needs for the rows of a batch from `from` on, and returns the row after the last one whose
   * strings fit into a frame: at least one row. The frame has to be sent next.
   */
  collect(batch: Batch, interned: readonly number[], from: number): number {
    this.ids = []
    this.strings = []
    if (this.once && this.epoch !== this.dictionary.sweeps) {
      this.epoch = this.dictionary.sweeps
      this.told.fill(0)
      this.told[0] = 1
    }
    if (this.knowsAll(batch, interned, from)) return batch.n
    let bytes = 0
    for (let row = from; row < batch.n; row++) {
      const before = this.ids.length
      for (let k = 0; k < interned.length; k++) {
        const id = batch.columns[interned[k]][row]
        if (this.knows(id)) continue
        const s = this.dictionary.get(id)
        this.ids.push(id)
        this.strings.push(s)
        this.told[id >> 5] |= 1 << (id & 31)
        bytes += stringBytes(s)
      }
      if (bytes > FRAME_STRING_BYTES && row > from && this.ids.length > before) {
        this.forget(before, before)
        return row
      }
    }
    return batch.n
  }

  /** Makes the ids in the rows those that the frame needs; returns its epoch. Call it after `collect`. */
  number(batch: Batch, interned: readonly number[]): number {
    if (this.once) return this.epoch
    const positions = new Map<number, number>(this.ids.map((id, i) => [id, i + 1])) // not state: one frame's strings
    for (const c of interned) {
      const column = batch.columns[c]
      for (let i = 0; i < batch.n; i++) column[i] = positions.get(column[i]) ?? 0
    }
    this.forget(0, this.strings.length)
    return OWN_STRINGS
  }

  /** The usual case, in a loop for each column. */
  private knowsAll(batch: Batch, interned: readonly number[], from: number): boolean {
    for (let k = 0; k < interned.length; k++) if (!areTold(this.told, batch.columns[interned[k]], from, batch.n)) return false
    return true
  }

  private knows(id: number): boolean {
    const { told } = this
    if (id >> 5 >= told.length) {
      this.told = new Int32Array(2 * (id >> 5) + 64)
      this.told.set(told)
      return false
    }
    return (told[id >> 5] & (1 << (id & 31))) !== 0
  }

  private forget(from: number, strings: number): void {
    for (let i = from; i < this.ids.length; i++) this.told[this.ids[i] >> 5] &= ~(1 << (this.ids[i] & 31))
    this.ids = this.ids.slice(0, from)
    this.strings = this.strings.slice(0, strings)
  }
}

function areTold(told: Int32Array, ids: Int32Array, from: number, end: number): boolean {
  const limit = 32 * told.length
  for (let i = from; i < end; i++) {
    const id = ids[i]
    if (id >= limit || ((told[id >> 5] >>> (id & 31)) & 1) === 0) return false
  }
  return true
}

export class StringReceiver {
  private readonly dictionary: Dictionary
  /** By the sender's id: the id here. */
  private pages: (Int32Array | undefined)[] = []
  private epoch = OWN_STRINGS

  constructor(dictionary: Dictionary) {
    this.dictionary = dictionary
  }

  /**
   * Replaces the ids in a frame by this worker's. Call it for every frame, in the order in which they arrive.
   * @throws MillraceError PROTOCOL if the frame names strings that were never told
   */
  translate({ batch, interned, epoch, ids, strings }: Frame): void {
    if (interned.length === 0) return
    let { pages } = this
    if (epoch === OWN_STRINGS) pages = []
    else if (epoch !== this.epoch) {
      this.epoch = epoch
      this.pages = pages = []
    }
    for (let i = 0; i < strings.length; i++) {
      const id = epoch === OWN_STRINGS ? i + 1 : ids[i]
      if (!(id > 0 && id < ID_LIMIT)) throw unknownId(id)
      let page = pages[id >> PAGE_BITS]
      if (page === undefined) page = pages[id >> PAGE_BITS] = new Int32Array(1 << PAGE_BITS)
      page[id & PAGE_MASK] = this.dictionary.intern(strings[i])
    }
    for (const c of interned) {
      const column = batch.columns[c]
      for (let i = 0; i < batch.n; i++) {
        const id = column[i]
        if (id === 0) continue
        const page = pages[id >> PAGE_BITS]
        if (page === undefined) throw unknownId(id)
        const own = page[id & PAGE_MASK]
        if (own === 0) throw unknownId(id)
        column[i] = own
      }
    }
  }

  /** The strings of this epoch stay what they are as long as the sender may refer to them. */
  markDictionary(dictionary: Dictionary): void {
    for (const page of this.pages) if (page !== undefined) for (let i = 0; i < page.length; i++) dictionary.mark(page[i])
  }
}

function unknownId(id: number): MillraceError {
  return new MillraceError('PROTOCOL', `a frame refers to the string ${id}, which this worker was never told`)
}
