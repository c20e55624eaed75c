/**
 * Adds up equal rows before they are sent: of a job that counts counts, hundreds of rows remain of a hundred thousand.
 *
 * For rows of one column. A row finds the one that it is added to through a table of the last rows by hash, which may miss: then
 * there are two, which is no less right. Where rows hardly repeat, this costs 1 ns a row, so it is not done for a while.
 * (A combiner, as in MapReduce, OSDI 2004; consolidation, as in differential dataflow.)
 */

/** Rows that are kept apart at most. */
const COMBINED_ROWS = 1 << 12
const SLOT_BITS = 12
const HASH_SHIFT = 32 - SLOT_BITS
/** Whole numbers from 0 up to, not including, this are added up under the number itself, if there are enough rows for a pass over them. */
const SMALL = 1 << 10
/** After so many rows it is clear whether they repeat. */
const PROBE_ROWS = 1 << 13
/** Rows that pass before it is tried again. */
const PAUSE_ROWS = 1 << 20

export class RowCombiner {
  /** What is combined, after `finish`. */
  readonly columns: [Int32Array]
  readonly differences = new Int32Array(COMBINED_ROWS + SMALL)
  private n = 0
  private readonly width: 1 | 2
  private readonly slots = new Int32Array(1 << SLOT_BITS)
  private readonly small = new Int32Array(SMALL)
  private hasSmall = false
  /** Rows of the probe: how many came, and how many were left of them. */
  private came = 0
  private left = 0
  private pause = 0

  constructor(width: 1 | 2) {
    this.width = width
    this.columns = [new Int32Array(width * (COMBINED_ROWS + SMALL))]
  }

  /** Whether the next n rows are to be combined. */
  wants(n: number): boolean {
    if (this.pause <= 0) return true
    this.pause -= n
    return false
  }

  /** Adds rows from row `from` on, as many as there is room for; returns the row after them. */
  add(column: Int32Array, differences: Int32Array, from: number, end: number): number {
    let next = from
    if (end - from >= SMALL) {
      this.hasSmall = true
      next =
        this.width === 1 ? addSmallOne(column, differences, from, end, this.small) : addSmallTwo(column, differences, from, end, this.small)
    }
    const stop = Math.min(end, next + COMBINED_ROWS - this.n)
    const combine = this.width === 1 ? combineOne : combineTwo
    this.n = combine(column, differences, next, stop, this.columns[0], this.differences, this.n, this.slots)
    this.came += stop - from
    return stop
  }

  get isFull(): boolean {
    return this.n === COMBINED_ROWS
  }

  /** Leaves out rows whose differences add up to 0; returns how many remain. The next `add` begins anew. */
  finish(): number {
    if (this.hasSmall) this.n = takeSmall(this.small, this.columns[0], this.width, this.differences, this.n)
    const kept = withoutZeros(this.columns[0], this.width, this.differences, this.n)
    this.left += this.n
    if (this.came >= PROBE_ROWS) {
      if (2 * this.left > this.came) this.pause = PAUSE_ROWS
      this.came = 0
      this.left = 0
    }
    this.n = 0
    this.hasSmall = false
    return kept
  }
}

/** Returns the first row that is no small number, or whose sum leaves its range. */
function addSmallOne(column: Int32Array, differences: Int32Array, from: number, end: number, sums: Int32Array): number {
  for (let i = from; i < end; i++) {
    const word = column[i]
    if (word >>> 0 >= SMALL) return i
    const sum = sums[word] + differences[i]
    if (sum !== (sum | 0)) return i
    sums[word] = sum
  }
  return end
}

function addSmallTwo(column: Int32Array, differences: Int32Array, from: number, end: number, sums: Int32Array): number {
  for (let i = from; i < end; i++) {
    const low = column[2 * i]
    if (low >>> 0 >= SMALL || column[2 * i + 1] !== 0) return i
    const sum = sums[low] + differences[i]
    if (sum !== (sum | 0)) return i
    sums[low] = sum
  }
  return end
}

function takeSmall(sums: Int32Array, words: Int32Array, width: number, differences: Int32Array, at: number): number {
  let n = at
  for (let word = 0; word < SMALL; word++) {
    if (sums[word] === 0) continue
    words[width * n] = word
    if (width === 2) words[2 * n + 1] = 0
    differences[n++] = sums[word]
    sums[word] = 0
  }
  return n
}

function withoutZeros(words: Int32Array, width: number, differences: Int32Array, n: number): number {
  let kept = 0
  for (let row = 0; row < n; row++) {
    if (differences[row] === 0) continue
    differences[kept] = differences[row]
    for (let w = 0; w < width; w++) words[width * kept + w] = words[width * row + w]
    kept++
  }
  return kept
}

/** A slot that was left by earlier rows does no harm: what it points to is compared. A sum that leaves its range stays two rows. */
function combineOne(
  column: Int32Array,
  differences: Int32Array,
  from: number,
  end: number,
  words: Int32Array,
  sums: Int32Array,
  at: number,
  slots: Int32Array,
): number {
  let n = at
  for (let i = from; i < end; i++) {
    const word = column[i]
    const slot = Math.imul(word, 0x9e3779b1) >>> HASH_SHIFT
    const row = slots[slot]
    if (row < n && words[row] === word) {
      const sum = sums[row] + differences[i]
      if (sum === (sum | 0)) {
        sums[row] = sum
        continue
      }
    }
    slots[slot] = n
    words[n] = word
    sums[n++] = differences[i]
  }
  return n
}

function combineTwo(
  column: Int32Array,
  differences: Int32Array,
  from: number,
  end: number,
  words: Int32Array,
  sums: Int32Array,
  at: number,
  slots: Int32Array,
): number {
  let n = at
  for (let i = from; i < end; i++) {
    const low = column[2 * i]
    const high = column[2 * i + 1]
    const slot = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77)) >>> HASH_SHIFT
    const row = slots[slot]
    if (row < n && words[2 * row] === low && words[2 * row + 1] === high) {
      const sum = sums[row] + differences[i]
      if (sum === (sum | 0)) {
        sums[row] = sum
        continue
      }
    }
    slots[slot] = n
    words[2 * n] = low
    words[2 * n + 1] = high
    sums[n++] = differences[i]
  }
  return n
}
