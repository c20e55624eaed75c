/** Decoded lines as changes of an input. */
import type { ChangeRun, RejectedRow } from '../../runtime/protocol/change-run.ts'
import type { DecodedBatch } from './change-row.ts'

/** The position of a line, for people, is its number between these. */
export interface LineText {
  readonly before: string
  readonly after: string
}

/** Runs of neighbours with one operation, since commands for a key count in their order; then the lines that gave no row. */
export function runsOf(batch: DecodedBatch, source: string, { before, after }: LineText): ChangeRun[] {
  const runs: ChangeRun[] = []
  const { rows } = batch
  for (let i = 0; i < rows.length; ) {
    const op = rows[i].operation
    const first = rows[i].position.line
    const run: object[] = []
    for (; i < rows.length && rows[i].operation === op && rows[i].position.line === first + run.length; i++) run.push(rows[i].row)
    runs.push({ op, rows: run, origin: { source, before, first, after } })
  }
  if (batch.bad.length > 0) {
    const rejected = batch.bad.map(
      ({ position, excerpt, message }): RejectedRow => ({ source, position: `${before}${position.line}${after}`, excerpt, message }),
    )
    runs.push({ op: 'reject', rows: rejected })
  }
  return runs
}
