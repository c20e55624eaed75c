/** One aggregate of `accumulate`: its state by key id, how a batch changes it, and what it shows. */
import type { Batch } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'

export interface Accumulator {
  readonly kind: 'rows' | 'present' | 'sum' | 'average' | 'extreme' | 'distinct' | 'user'
  /** Input column, by position in the stream; -1 if the aggregate reads none. */
  readonly column: number
  /** Whether some group may have no result. */
  readonly canFail: boolean
  /** Bytes of its state. */
  readonly bytes: number
  /** State for key ids below `capacity`. */
  grow(capacity: number): void
  /** Adds n rows of a batch; `column` is the position in the batch. */
  add(ids: Int32Array, batch: Batch, column: number, n: number): void
  /** Called once a time, before `show`, with the keys whose rows changed: computes what `add` could not as of that time. */
  settle(keys: Int32Array, n: number, time: number): void
  /**
   * Writes the value of keys[j], for j in from .. to - 1, to row `row + step * (j - from)` of out. Where a group has no
   * value it puts the dictionary id of the reason into `failures` at that row, unless another reason is there.
   */
  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number, failures: Int32Array): void
  /** Whether nothing is kept for the key. */
  isZero(key: number): boolean
  /** Marks what the state refers to in the dictionary. */
  markDictionary(dictionary: Dictionary): void
}

/** count(): the rows themselves; `accumulate` keeps and shows them. int64. */
export class RowCount implements Accumulator {
  readonly kind = 'rows'
  readonly column = -1
  readonly canFail = false
  readonly bytes = 0
  grow(): void {}
  add(): void {}
  settle(): void {}
  show(): void {}
  markDictionary(): void {}

  isZero(): boolean {
    return true
  }
}
