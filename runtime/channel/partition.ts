/**
 * Rows by the worker that they go to, for three workers and more: a counting partition of row numbers, then a gather of each
 * column. (`split.ts` is for two.)
 */

/** Shorter arrays are copied by a loop. */
const SHORT_COPY = 32

/** Row numbers grouped by worker: those of worker w are `rows[starts[w]]` to, not including, `rows[starts[w + 1]]`. */
export class Partition {
  rows = new Int32Array(0)
  readonly starts: Int32Array
  private readonly cursors: Int32Array

  constructor(workers: number) {
    this.starts = new Int32Array(workers + 1)
    this.cursors = new Int32Array(workers)
  }

  /** @param owners the worker of each of n rows, of which the first is row `from` */
  group(owners: Int32Array, n: number, from: number): void {
    if (this.rows.length < n) this.rows = new Int32Array(owners.length)
    groupRows(owners, n, from, this.rows, this.starts, this.cursors)
  }
}

function groupRows(owners: Int32Array, n: number, from: number, rows: Int32Array, starts: Int32Array, cursors: Int32Array): void {
  starts.fill(0)
  for (let i = 0; i < n; i++) starts[owners[i] + 1]++
  for (let w = 1; w < starts.length; w++) starts[w] += starts[w - 1]
  for (let w = 0; w < cursors.length; w++) cursors[w] = starts[w]
  for (let i = 0; i < n; i++) rows[cursors[owners[i]]++] = from + i
}

/** Copies `count` rows from row `from` on to row `at` and on. */
export function append(column: Int32Array, width: number, from: number, count: number, to: Int32Array, at: number): void {
  const words = width * count
  if (words > SHORT_COPY) to.set(column.subarray(width * from, width * from + words), width * at)
  else for (let i = 0; i < words; i++) to[width * at + i] = column[width * from + i]
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
