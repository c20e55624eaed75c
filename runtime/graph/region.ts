/** A loop region: an outermost loop with everything nested in it. Its times are ids of its time table. */
import type { TimeTable } from '../time/time-table.ts'

export interface Region {
  readonly times: TimeTable
}
