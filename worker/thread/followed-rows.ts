/** Changes of an output on one worker, by time. */
import type { Operator } from '../../runtime/graph/operator.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'

export interface TimedChanges {
  readonly time: number
  /** Consolidated; never empty. */
  readonly changes: readonly CountedRow[]
}

export interface FollowedRows {
  /** Its frontier is that of the rows. */
  readonly end: Operator
  /** @throws MillraceError BAD_TIME if changes after `after` went by, or can no longer be told apart from earlier ones */
  checkFollow(after: number): void
  /** The changes of complete times after `after`, which passed `checkFollow` or is one up to which all was told. In the order of times. */
  changesAfter(after: number): readonly TimedChanges[]
}
