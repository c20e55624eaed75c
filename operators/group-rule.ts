/** What a group of rows with equal keys becomes, as `GroupOperator` asks it. */
import type { Batch } from '../runtime/data/batch.ts'
import type { GroupReader } from './group-reader.ts'

export interface GroupRule {
  /** Whether some group may have no result. */
  readonly canFail: boolean
  /**
   * Appends the rows of a group (of n > 0 different rows, in no order, multiplicities of any sign) to `out`, with their
   * multiplicities; `out` has one column of the operator's own before those of the rule. Returns why there is no result, or null.
   */
  compute(group: Batch, out: Batch): string | null
  /**
   * Whether a change of this row of the arrangement can't change what the group shows. `last` has the last row that `compute` gave,
   * in columns as `out`, if `isFull` said that nothing behind it counts.
   */
  readonly skips: ((reader: GroupReader, value: number, last: Batch) => boolean) | null
  /** Whether the rows from `from` on that `compute` just appended are as many as there can be. */
  isFull(out: Batch, from: number): boolean
}
