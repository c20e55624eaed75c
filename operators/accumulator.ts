/** One aggregate of `accumulate`: its state by key id, how a batch changes it, and what it shows. */
import type { Batch } from '../runtime/data/batch.ts'

export interface Accumulator {
  readonly kind: 'rows' | 'present' | 'sum-int32' | 'sum-int64' | 'sum-float64' | 'average'
  /** Input column, by position in the stream; -1 if the aggregate reads none. */
  readonly column: number
  /** State for key ids below `capacity`. */
  grow(capacity: number): void
  /** Remembered old values for this many touched keys. */
  growBefore(length: number): void
  /** Remembers the values of touched[from..to), just touched, before any change. */
  remember(touched: Int32Array, from: number, to: number): void
  /** Adds n rows of a batch; `column` is the position in the batch. */
  add(ids: Int32Array, batch: Batch, column: number, n: number): void
  /** Writes old value of touched[j] to row 2j and new value to row 2j + 1. `rows` has two ints a key, the row count first. */
  write(touched: Int32Array, before: Int32Array, rows: Int32Array, n: number, out: Int32Array): void
  /** Forgets a key that has no rows left. */
  clear(key: number): void
}

/** count(): the rows themselves; `accumulate` keeps them. Shown as int64. */
export class RowCount implements Accumulator {
  readonly kind = 'rows'
  readonly column = -1
  grow(): void {}
  growBefore(): void {}
  remember(): void {}
  add(): void {}
  clear(): void {}

  write(touched: Int32Array, before: Int32Array, rows: Int32Array, n: number, out: Int32Array): void {
    for (let j = 0; j < n; j++) {
      const was = before[j] as number
      const is = rows[2 * (touched[j] as number)] as number
      out[4 * j] = was
      out[4 * j + 1] = was >> 31
      out[4 * j + 2] = is
      out[4 * j + 3] = is >> 31
    }
  }
}
