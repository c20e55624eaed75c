/**
 * A batch of differences: columns of int32 words, a difference a row, and the time of each row.
 *
 * A batch is shared by reference between the operators that read it and returns to its pool when the last has
 * released it; nobody writes to a batch after it was sent. In the totally ordered part of a dataflow all rows of a
 * batch have the one time `time` (microseconds) and `times` is null; inside a loop `time` is an id of the loop's
 * time table, or, where `times` is not null, `times[i]` is the id for row i.
 */
export class Batch {
  /** Rows in use. */
  n = 0
  time = 0
  times: Int32Array | null = null
  columns: Int32Array[]
  differences: Int32Array
  /** Views of the columns of two words, on the same memory; null for other widths. */
  floats: (Float64Array | null)[] = []
  longs: (BigInt64Array | null)[] = []
  readonly widths: readonly number[]
  capacity: number
  /** Readers that have not released it yet. */
  readers = 0
  /** The batch whose columns this one shows under another selection or time; released with it. */
  parent: Batch | null = null
  readonly pool: BatchPool
  private ownTimes: Int32Array | null = null

  constructor(pool: BatchPool, capacity: number) {
    this.pool = pool
    this.widths = pool.widths
    this.capacity = capacity
    this.columns = pool.shell ? [] : this.widths.map((width) => new Int32Array(width * capacity))
    this.differences = pool.shell ? EMPTY : new Int32Array(capacity)
    if (!pool.shell) this.makeViews()
  }

  private makeViews(): void {
    this.floats = this.columns.map((column, i) => (this.widths[i] === 2 ? new Float64Array(column.buffer) : null))
    this.longs = this.columns.map((column, i) => (this.widths[i] === 2 ? new BigInt64Array(column.buffer) : null))
  }

  /** Room for `n` rows; keeps the rows in use. */
  reserve(n: number): void {
    if (n <= this.capacity) return
    const capacity = powerOfTwo(n)
    for (let i = 0; i < this.columns.length; i++)
      this.columns[i] = grown(this.columns[i] as Int32Array, capacity * (this.widths[i] as number))
    this.differences = grown(this.differences, capacity)
    if (this.ownTimes !== null) {
      this.ownTimes = grown(this.ownTimes, capacity)
      if (this.times !== null) this.times = this.ownTimes
    }
    this.capacity = capacity
    this.makeViews()
  }

  /** Gives the batch a time column of its own, at least as long as its capacity, and returns it. */
  useTimes(): Int32Array {
    if (this.ownTimes === null || this.ownTimes.length < this.capacity) this.ownTimes = new Int32Array(this.capacity)
    this.times = this.ownTimes
    return this.ownTimes
  }

  /** One reader fewer; the last one returns the batch to its pool. */
  release(): void {
    if (--this.readers > 0) return
    if (this.readers < 0) throw new Error('invariant: a batch was released more often than it was read')
    if (this.parent !== null) {
      this.parent.release()
      this.parent = null
    }
    this.pool.put(this)
  }
}

const EMPTY = new Int32Array(0)

/** A pool keeps batches for reuse while they have room for at most this many rows together; the others give their memory back. */
const POOLED_ROWS = 1 << 20
/** Batches kept for reuse by one pool. */
const POOLED_BATCHES = 64

/** Reuses the batches of one layout. */
export class BatchPool {
  readonly widths: readonly number[]
  /** A shell pool makes batches without memory of their own: their columns point into a parent's. */
  readonly shell: boolean
  private readonly free: Batch[] = []
  private freeRows = 0

  constructor(widths: readonly number[], shell = false) {
    this.widths = widths
    this.shell = shell
  }

  /** An empty batch with one time and room for `rows` rows; the caller sends it or releases it. */
  take(time: number, rows: number): Batch {
    let batch = this.free.pop()
    if (batch === undefined) batch = new Batch(this, this.shell ? 0 : Math.max(16, powerOfTwo(rows)))
    else if (!this.shell) {
      this.freeRows -= batch.capacity
      batch.reserve(rows)
    }
    batch.n = 0
    batch.time = time
    batch.times = null
    batch.readers = 1
    return batch
  }

  put(batch: Batch): void {
    if (this.free.length >= POOLED_BATCHES || this.freeRows + batch.capacity > POOLED_ROWS) return
    this.freeRows += batch.capacity
    this.free.push(batch)
  }
}

/** The smallest power of two that is at least n and at least 16. */
export function powerOfTwo(n: number): number {
  let size = 16
  while (size < n) size *= 2
  return size
}

export function grown<A extends Int32Array | Float64Array>(array: A, length: number): A {
  const next = new (array.constructor as new (n: number) => A)(length)
  next.set(array)
  return next
}
