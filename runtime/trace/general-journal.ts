/**
 * What was added to a general trace and is not stored yet, with coordinates in place of time ids: the trace moves its own times to those
 * that stand for the past, and a checkpoint as of an outer time needs to tell later ones apart.
 */
import { grown } from '../data/batch.ts'

/** Ints an entry: key id, value id, difference, three loop coordinates. */
const STRIDE = 6
/** Entries are summed whenever they have doubled, beyond this many. */
const SUMMED_ENTRIES = 1 << 12

/** Net changes, one row each. */
export interface NetChanges {
  readonly keys: Int32Array
  readonly values: Int32Array
  readonly differences: Int32Array
  /** Three loop coordinates a row. */
  readonly inner: Int32Array
}

export class GeneralJournal {
  private words = new Int32Array(STRIDE * 64)
  private outers = new Float64Array(64)
  private n = 0
  private summed = 0

  add(key: number, value: number, difference: number, outer: number, first: number, second: number, third: number): void {
    if (this.n === this.outers.length) {
      this.outers = grown(this.outers, 2 * this.n)
      this.words = grown(this.words, 2 * STRIDE * this.n)
    }
    const { words } = this
    const at = STRIDE * this.n
    words[at] = key
    words[at + 1] = value
    words[at + 2] = difference
    words[at + 3] = first
    words[at + 4] = second
    words[at + 5] = third
    this.outers[this.n++] = outer
    if (this.n > SUMMED_ENTRIES && this.n > 2 * this.summed) this.sum()
  }

  /** Takes out the changes of outer times up to `outer`, summed over them. */
  takeUpTo(outer: number): NetChanges {
    const taken = new Map<string, number[]>() // not state: the net changes of one cut
    let kept = 0
    for (let i = 0; i < this.n; i++) {
      const entry = this.read(i)
      if (this.outers[i] > outer) this.write(kept++, this.outers[i], entry)
      else addTo(taken, 0, entry)
    }
    this.n = kept
    this.summed = kept
    const rows = [...taken.values()].filter(([, , difference]) => difference !== 0)
    return {
      keys: Int32Array.from(rows, ([key]) => key),
      values: Int32Array.from(rows, ([, value]) => value),
      differences: Int32Array.from(rows, ([, , difference]) => difference),
      inner: Int32Array.from(rows.flatMap((row) => row.slice(3))),
    }
  }

  forEach(visit: (key: number, value: number) => void): void {
    for (let i = 0; i < this.n; i++) visit(this.words[STRIDE * i], this.words[STRIDE * i + 1])
  }

  private sum(): void {
    const sums = new Map<string, number[]>() // not state: becomes the entries
    const outers: number[] = []
    for (let i = 0; i < this.n; i++) if (addTo(sums, this.outers[i], this.read(i))) outers.push(this.outers[i])
    this.n = 0
    let i = 0
    for (const entry of sums.values()) {
      if (entry[2] !== 0) this.write(this.n++, outers[i], entry)
      i++
    }
    this.summed = this.n
  }

  private read(i: number): number[] {
    return Array.from(this.words.subarray(STRIDE * i, STRIDE * (i + 1)))
  }

  private write(i: number, outer: number, entry: readonly number[]): void {
    this.outers[i] = outer
    this.words.set(entry, STRIDE * i)
  }
}

/** Whether it is a new entry. */
function addTo(sums: Map<string, number[]>, outer: number, entry: number[]): boolean {
  const [key, value, difference, ...inner] = entry
  const name = `${outer},${key},${value},${inner}`
  const known = sums.get(name)
  if (known !== undefined) known[2] += difference
  else sums.set(name, entry)
  return known === undefined
}
