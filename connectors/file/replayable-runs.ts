/** Decoded lines as changes of an input. */
import type { ChangeRun, RejectedRow } from '../../runtime/protocol/change-run.ts'
import type { DecodedBatch } from './change-row.ts'
import type { LinePosition } from './position.ts'

/** Runs of neighbours with one operation, since commands for a key count in their order; then the lines that gave no row. */
export function runsOf(batch: DecodedBatch, source: string, describe: (position: LinePosition) => string): ChangeRun[] {
  const runs: ChangeRun[] = []
  const { rows } = batch
  for (let i = 0; i < rows.length; ) {
    const op = rows[i].operation
    const run: object[] = []
    for (; i < rows.length && rows[i].operation === op; i++) run.push(rows[i].row)
    runs.push({ op, rows: run })
  }
  if (batch.bad.length > 0) {
    const rejected = batch.bad.map(
      ({ position, excerpt, message }): RejectedRow => ({ source, position: describe(position), excerpt, message }),
    )
    runs.push({ op: 'reject', rows: rejected })
  }
  return runs
}
