/** All seeded bugs, by family. */
import * as aggregates from '../aggregates.ts'
import * as exchange from '../exchange.ts'
import * as groups from '../groups.ts'
import * as joins from '../joins.ts'
import * as loops from '../loops.ts'
import * as progress from '../progress.ts'
import * as stateless from '../stateless.ts'
import * as temporal from '../temporal.ts'
import * as thresholds from '../thresholds.ts'
import * as traces from '../traces.ts'
import * as workers from '../workers.ts'
import type { SeededBug } from './seeded-bug.ts'

export const families: Readonly<Record<string, readonly SeededBug[]>> = {
  aggregates: aggregates.bugs,
  exchange: exchange.bugs,
  traces: traces.bugs,
  workers: workers.bugs,
  groups: groups.bugs,
  joins: joins.bugs,
  loops: loops.bugs,
  progress: progress.bugs,
  stateless: stateless.bugs,
  temporal: temporal.bugs,
  thresholds: thresholds.bugs,
}
