/**
 * The rows of an output (or of its errors) that this worker keeps: read as of a time, and changes by time.
 *
 * Both come from the arrangement: rows are on the worker that owns their key, equal rows on the same worker. So what the workers
 * tell of an output's time is consolidated once it is put together. Errors are not exchanged: one worker may have made an error that
 * another one took back. Whoever puts workers' errors together sums the multiplicities of equal rows.
 */
import type { ArrangementReader } from '../../operators/arrangement-reader.ts'
import { RowRange } from '../../operators/row-range.ts'
import { type Batch, BatchPool } from '../../runtime/data/batch.ts'
import { consolidate } from '../../runtime/data/consolidate.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Operator } from '../../runtime/graph/operator.ts'
import type { CountedRow, ReadOutput } from '../../runtime/protocol/thread.ts'
import type { Hold } from '../../runtime/trace/total-trace.ts'
import type { FollowedRows, TimedChanges } from './followed-rows.ts'

export type RowQuery = Pick<ReadOutput, 'asOf' | 'key' | 'from' | 'limit'>

export class KeptRows implements FollowedRows {
  readonly end: Operator
  private readonly name: string
  private readonly since: number
  private readonly reader: ArrangementReader
  private readonly hasKey: boolean
  private readonly range: RowRange
  private readonly hold: Hold
  private readonly pool = new BatchPool([1, 1])

  /**
   * @param since what was before is not known; as of `since` itself there is nothing
   * @param key positions of the key's columns; null for rows that are kept by all columns, which then give the order, too
   */
  constructor(name: string, since: number, reader: ArrangementReader, key: readonly number[] | null) {
    const { schema, arrangement } = reader
    this.name = name
    this.since = since
    this.reader = reader
    this.hasKey = key !== null
    this.range = new RowRange(schema, key ?? schema.types.map((_, column) => column))
    this.end = arrangement
    this.hold = arrangement.hold(since, 'visible')
  }

  /** Different rows that are there now; counts keys. */
  get count(): number {
    return this.end.stateStats()?.rows ?? 0
  }

  /** Times before are read no more. */
  compactTo(time: number): void {
    if (time <= this.hold.time) return
    this.hold.downgrade(time)
    this.reader.arrangement.trace.compact()
  }

  /**
   * In the order of the key, then of the other columns. The limit is one of different rows.
   * @throws MillraceError BAD_TIME, BAD_ROW, UNKNOWN_COLUMN, NOT_KEYED
   */
  read({ asOf, key, from, limit }: RowQuery): CountedRow[] {
    if (!Number.isSafeInteger(asOf)) throw new MillraceError('BAD_TIME', `${asOf} is no time`, 'Times are whole microseconds since 1970.')
    if (asOf < this.since)
      throw new MillraceError('BAD_TIME', `time ${asOf} can no longer be read: what is known begins after ${this.since}`)
    if (key !== null && !this.hasKey)
      throw new MillraceError('NOT_KEYED', `${this.name} has no key`, 'Read it in order, or key it: keyBy().')
    const { reader, range } = this
    const { dictionary } = reader.arrangement.dataflow
    const batch = key === null ? reader.readAll(asOf) : reader.readKey(key, asOf)
    const rows = range.select(batch, from === null ? {} : { from }, dictionary, limit > 0 ? Math.floor(limit) : 0)
    return rows.map((i) => ({ row: reader.codec.readRow(batch, i, dictionary), diff: batch.differences[i] }))
  }

  checkFollow(after: number): void {
    const { trace } = this.reader.arrangement
    if (after >= this.since && after >= trace.since) return
    throw new MillraceError(
      'BAD_TIME',
      `the changes of ${this.name} after ${after} are no longer known`,
      'Read it as a whole, and follow on.',
    )
  }

  changesAfter(after: number): TimedChanges[] {
    const { trace } = this.reader.arrangement
    const last = trace.upper - 1
    if (after >= last) return []
    trace.ensure(last)
    const told: TimedChanges[] = []
    for (const batch of trace.appliedBetween(after, last)) {
      const changes = this.rowsOf(batch)
      if (changes.length > 0) told.push({ time: batch.time, changes })
    }
    return told
  }

  private rowsOf(batch: Batch): CountedRow[] {
    const { n } = batch
    const sum = this.pool.take(batch.time, n)
    for (let c = 0; c < 2; c++) for (let i = 0; i < n; i++) sum.columns[c][i] = batch.columns[c][i]
    for (let i = 0; i < n; i++) sum.differences[i] = batch.differences[i]
    sum.n = n
    consolidate(sum)
    const [keys, values] = sum.columns
    const changes: CountedRow[] = []
    for (let i = 0; i < sum.n; i++) changes.push({ row: this.reader.row(keys[i], values[i]), diff: sum.differences[i] })
    sum.release()
    return changes
  }
}
