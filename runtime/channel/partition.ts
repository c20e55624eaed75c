/**
 * Rows by the worker that they go to: row numbers in a list for each worker, then a gather of each column. For two workers each
 * number is written to both lists, and only the cursor of its owner moves on: no branch, which random keys would mispredict half of
 * the time, and no count that the next row waits for. For more each list has room for all rows, so that no first loop has to count.
 * Loops are unrolled where what one round costs besides its work is as much as the work.
 */

/** Words between lists: without them the heads of all lists would share one set of the nearest cache. */
const PADDING = 16
/** Shorter arrays are copied by a loop. */
const SHORT_COPY = 32

export class Partition {
  /** By worker: the list that has the numbers of its rows, where they begin in it, and how many they are. */
  readonly lists: readonly Int32Array[]
  readonly firsts: Int32Array
  readonly counts: Int32Array
  readonly stride: number

  /** @param most rows that are grouped at a time */
  constructor(workers: number, most: number) {
    const stride = most + PADDING
    const shared = new Int32Array(workers === 2 ? stride : workers * stride)
    this.lists = Array.from({ length: workers }, (_, worker) => (workers === 2 && worker === 1 ? new Int32Array(stride) : shared))
    this.firsts = Int32Array.from({ length: workers }, (_, worker) => (workers === 2 ? 0 : worker * stride))
    this.counts = new Int32Array(workers)
    this.stride = stride
  }

  /**
   * @param owners the worker of each of n rows, of which the first is row `from`
   * @param sum of these numbers
   */
  group(owners: Int32Array, n: number, from: number, sum: number): void {
    const { lists, counts, stride } = this
    if (lists.length !== 2) {
      groupMany(owners, n, from, lists[0], stride, counts)
      return
    }
    counts[0] = n - sum
    counts[1] = sum
    if (sum > 0 && sum < n) groupTwo(owners, n, from, lists[0], lists[1])
    else for (let i = 0; i < n; i++) lists[sum === 0 ? 0 : 1][i] = from + i
  }
}

function groupTwo(owners: Int32Array, n: number, from: number, zeros: Int32Array, ones: Int32Array): void {
  let one = 0
  let i = 0
  for (; i + 4 <= n; i += 4) {
    const a = owners[i]
    const b = owners[i + 1]
    const c = owners[i + 2]
    const d = owners[i + 3]
    zeros[i - one] = from + i
    ones[one] = from + i
    one += a
    zeros[i + 1 - one] = from + i + 1
    ones[one] = from + i + 1
    one += b
    zeros[i + 2 - one] = from + i + 2
    ones[one] = from + i + 2
    one += c
    zeros[i + 3 - one] = from + i + 3
    ones[one] = from + i + 3
    one += d
  }
  for (; i < n; i++) {
    zeros[i - one] = from + i
    ones[one] = from + i
    one += owners[i]
  }
}

function groupMany(owners: Int32Array, n: number, from: number, rows: Int32Array, stride: number, counts: Int32Array): void {
  counts.fill(0)
  for (let i = 0; i < n; i++) {
    const owner = owners[i]
    const at = counts[owner]
    rows[owner * stride + at] = from + i
    counts[owner] = at + 1
  }
}

/** Whether `count` words from `from` on are the same, as the differences of rows that are only added are. */
export function areEqual(words: Int32Array, from: number, count: number): boolean {
  const end = from + count
  const first = words[from]
  let i = from
  for (; i + 4 <= end; i += 4)
    if (((words[i] ^ first) | (words[i + 1] ^ first) | (words[i + 2] ^ first) | (words[i + 3] ^ first)) !== 0) return false
  for (; i < end; i++) if (words[i] !== first) return false
  return true
}

/** Copies `count` rows from row `from` on to row `at` and on. */
export function append(column: Int32Array, width: number, from: number, count: number, to: Int32Array, at: number): void {
  const words = width * count
  if (words > SHORT_COPY) to.set(column.subarray(width * from, width * from + words), width * at)
  else for (let i = 0; i < words; i++) to[width * at + i] = column[width * from + i]
}

/** Copies the rows of a column of `width` words that a list names from `first` on to row `at` and on. */
export function gather(from: Int32Array, width: number, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  if (width === 1) gatherOne(from, rows, first, count, to, at)
  else if (width === 2) gatherTwo(from, rows, first, count, to, at)
  else gatherThree(from, rows, first, count, to, at)
}

function gatherOne(from: Int32Array, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  const end = first + count
  let i = first
  let p = at
  for (; i + 8 <= end; i += 8, p += 8) {
    to[p] = from[rows[i]]
    to[p + 1] = from[rows[i + 1]]
    to[p + 2] = from[rows[i + 2]]
    to[p + 3] = from[rows[i + 3]]
    to[p + 4] = from[rows[i + 4]]
    to[p + 5] = from[rows[i + 5]]
    to[p + 6] = from[rows[i + 6]]
    to[p + 7] = from[rows[i + 7]]
  }
  for (; i < end; i++, p++) to[p] = from[rows[i]]
}

function gatherTwo(from: Int32Array, rows: Int32Array, first: number, count: number, to: Int32Array, at: number): void {
  const end = first + count
  let i = first
  let p = 2 * at
  for (; i + 2 <= end; i += 2, p += 4) {
    const a = rows[i] << 1
    const b = rows[i + 1] << 1
    to[p] = from[a]
    to[p + 1] = from[a + 1]
    to[p + 2] = from[b]
    to[p + 3] = from[b + 1]
  }
  if (i < end) {
    to[p] = from[rows[i] << 1]
    to[p + 1] = from[(rows[i] << 1) + 1]
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
