/** An output of a dataflow on a thread: its rows, its errors, and who follows it. */
import { MillraceError } from '../../runtime/error.ts'
import type { Operator } from '../../runtime/graph/operator.ts'
import type { ChangesTold, CountedRow, OutputShape, ReadOutput } from '../../runtime/protocol/thread.ts'
import { ChangelogRows } from './changelog-rows.ts'
import type { FollowedRows } from './followed-rows.ts'
import { KeptRows } from './kept-rows.ts'

/** Changes in one message. */
const TOLD_CHANGES = 1024

export class ThreadOutput {
  readonly shape: OutputShape
  /** Its frontier is that of the output. */
  readonly end: Operator
  readonly errors: KeptRows
  /** Null for an output that has none: a probe. */
  private readonly rows: FollowedRows | null
  /** By request the time up to which the follower was told everything. */
  private readonly follows = new Map<number, number>()

  constructor(shape: OutputShape, end: Operator, rows: FollowedRows | null, errors: KeptRows) {
    this.shape = shape
    this.end = end
    this.rows = rows
    this.errors = errors
  }

  /** Null for an output that keeps none. */
  get rowCount(): number | null {
    return this.rows instanceof KeptRows ? this.rows.count : null
  }

  /** @throws MillraceError CONFIG for an output that keeps no rows; as KeptRows.read */
  read(query: Pick<ReadOutput, 'errors' | 'asOf' | 'key' | 'from' | 'limit'>): CountedRow[] {
    if (query.errors) return this.errors.read(query)
    if (!(this.rows instanceof KeptRows)) {
      const { name } = this.shape
      const hint = this.rows === null ? 'Ask how far it is complete.' : 'Follow its changes.'
      throw new MillraceError('CONFIG', `${name} keeps no rows that could be read`, hint)
    }
    return this.rows.read(query)
  }

  /** @throws MillraceError BAD_TIME if what came after `after` is not known, CONFIG for an output without changes */
  follow(request: number, after: number): void {
    const { rows, follows } = this
    if (rows === null) throw new MillraceError('CONFIG', `${this.shape.name} has no changes that could be followed`)
    rows.checkFollow(after)
    if (rows instanceof ChangelogRows) rows.keep(true)
    follows.set(request, after)
  }

  unfollow(request: number): void {
    const { rows, follows } = this
    if (follows.delete(request) && follows.size === 0 && rows instanceof ChangelogRows) rows.keep(false)
  }

  /** Tells the followers what is complete and new for them. */
  tell(event: (told: ChangesTold) => void): void {
    const { rows, follows } = this
    if (rows === null || follows.size === 0) return
    const complete = rows.end.frontier - 1
    let least = complete
    for (const told of follows.values()) if (told < least) least = told
    if (least === complete) return
    for (const { time, changes } of rows.changesAfter(least)) {
      for (const [request, told] of follows) {
        if (time <= told) continue
        for (let from = 0; from < changes.length; from += TOLD_CHANGES)
          event({ kind: 'changes', request, time, changes: changes.slice(from, from + TOLD_CHANGES) })
      }
    }
    for (const [request, told] of follows) if (told < complete) follows.set(request, complete)
    if (rows instanceof ChangelogRows) rows.forget(complete)
  }

  /** Times before are read no more. */
  compactTo(time: number): void {
    if (this.rows instanceof KeptRows) this.rows.compactTo(time)
    this.errors.compactTo(time)
  }
}
