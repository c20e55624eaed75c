/**
 * The changes of an output that keeps no rows: known only while somebody follows. They are not exchanged: the workers' parts of a
 * time may have changes of one row, which whoever puts them together sums.
 */
import { OutputOperator, type Unsubscribe } from '../../operators/output.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Operator } from '../../runtime/graph/operator.ts'
import type { Stream } from '../../runtime/graph/stream.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import type { FollowedRows, TimedChanges } from './followed-rows.ts'

export class ChangelogRows implements FollowedRows {
  readonly end: Operator
  private readonly name: string
  private readonly operator: OutputOperator
  /** Changes up to this time may have gone by. */
  private lost: number
  /** The time of the last changes that came. */
  private last: number
  /** Complete and not told yet. */
  private readonly known: TimedChanges[] = []
  private stop: Unsubscribe | null = null

  /** @param since nothing happens at or before it */
  constructor(name: string, since: number, stream: Stream) {
    this.name = name
    this.lost = since
    this.last = since
    this.operator = new OutputOperator(stream, name)
    this.end = this.operator
    this.operator.subscribeColumns(({ time }) => {
      this.last = time
    })
  }

  /** Keeps changes from now on, for followers, until it is told not to. */
  keep(wanted: boolean): void {
    if (wanted === (this.stop !== null)) return
    this.lost = Math.max(this.lost, this.last)
    this.known.length = 0
    this.stop?.()
    this.stop = wanted
      ? this.operator.subscribe(({ time, changes }) => {
          if (time > this.lost) this.known.push({ time, changes: changes as readonly CountedRow[] })
        })
      : null
  }

  /** All followers were told up to here. */
  forget(upTo: number): void {
    const { known } = this
    let gone = 0
    while (gone < known.length && known[gone].time <= upTo) this.lost = known[gone++].time
    if (gone > 0) known.splice(0, gone)
  }

  checkFollow(after: number): void {
    const lost = this.stop === null ? this.last : this.lost
    if (after >= lost) return
    throw new MillraceError(
      'BAD_TIME',
      `changes of ${this.name} after ${after} have gone by untold`,
      'Follow a changelog before it changes.',
    )
  }

  changesAfter(after: number): readonly TimedChanges[] {
    return this.known.filter(({ time }) => time > after)
  }
}
