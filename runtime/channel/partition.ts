/**
 * Rows by the worker that they go to: a counting partition of row numbers, then a gather of each column. The loops are
 * separate for two workers, where no count depends on the one before, and for columns of one and of two words.
 */

/** Row numbers grouped by worker: those of worker w are `rows[starts[w]]` to, not including, `rows[starts[w + 1]]`. */
export class Partition {
  rows = new Int32Array(0)
  readonly starts: Int32Array
  private readonly cursors: Int32Array

  constructor(workers: number) {
    this.starts = new Int32Array(workers + 1)
    this.cursors = new Int32Array(workers)
  }

  /** @param owners the worker of each of n rows */
  group(owners: Int32Array, n: number): void {
    const { starts } = this
    if (this.rows.length < n) this.rows = new Int32Array(owners.length)
    if (starts.length === 3) {
      starts[1] = groupTwo(owners, n, this.rows)
      starts[2] = n
    } else groupMany(owners, n, this.rows, starts, this.cursors)
  }
}

/** Rows of worker 0 from the front, rows of worker 1 after them in the same order; returns where those begin. */
function groupTwo(owners: Int32Array, n: number, rows: Int32Array): number {
  let second = 0
  for (let i = 0; i < n; i++) second += owners[i]
  const zeros = n - second
  let zero = 0
  for (let i = 0; i < n; i++) {
    const one = owners[i]
    // A mask in place of a branch, which random keys would mispredict half of the time.
    rows[zero + (-one & (zeros + i - zero - zero))] = i
    zero += 1 - one
  }
  return zeros
}

function groupMany(owners: Int32Array, n: number, rows: Int32Array, starts: Int32Array, cursors: Int32Array): void {
  starts.fill(0)
  for (let i = 0; i < n; i++) starts[owners[i] + 1]++
  for (let w = 1; w < starts.length; w++) starts[w] += starts[w - 1]
  for (let w = 0; w < cursors.length; w++) cursors[w] = starts[w]
  for (let i = 0; i < n; i++) rows[cursors[owners[i]]++] = i
}

/** Copies the chosen rows of a column of `width` words to row `at` and on. */
export function gather(from: Int32Array, width: number, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  if (width === 1) gatherOne(from, rows, first, count, to, at)
  else if (width === 2) gatherTwo(from, rows, first, count, to, at)
  else gatherThree(from, rows, first, count, to, at)
}

function gatherOne(from: Int32Array, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  for (let i = 0; i < count; i++) to[at + i] = from[rows[first + i]]
}

function gatherTwo(from: Int32Array, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  for (let i = 0, p = 2 * at; i < count; i++, p += 2) {
    const row = rows[first + i] << 1
    to[p] = from[row]
    to[p + 1] = from[row + 1]
  }
}

function gatherThree(from: Int32Array, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  for (let i = 0, p = 3 * at; i < count; i++, p += 3) {
    const row = 3 * rows[first + i]
    to[p] = from[row]
    to[p + 1] = from[row + 1]
    to[p + 2] = from[row + 2]
  }
}
