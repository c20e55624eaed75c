/** What a job that burns all the processor time of its group does to reads of another group's job. */
import { measureIsolation } from '../tests/cluster/group-isolation.ts'
import { Stage } from '../tests/cluster/stage.ts'
import { root } from './child.ts'
import type { Options } from './options.ts'
import { tenths } from './runner.ts'

const SECONDS = 60
const QUICK_SECONDS = 12
/** How much longer the slowest hundredth of reads may take. */
const SLOWER_GOAL = 0.2

/** Returns how many goals were missed. */
export async function runGroups(options: Options): Promise<number> {
  const stage = new Stage(`${root}dist/cli.js`)
  try {
    const { reads, quiet, burning, burnerCores } = await measureIsolation(stage, options.quick ? QUICK_SECONDS : SECONDS)
    const slower = burning.p99 / quiet.p99 - 1
    const result = {
      bench: 'groups',
      reads,
      p50_ms: tenths(quiet.p50),
      p99_ms: tenths(quiet.p99),
      burning_p50_ms: tenths(burning.p50),
      burning_p99_ms: tenths(burning.p99),
      p99_slower_percent: Math.round(100 * slower),
      burner_cores: tenths(burnerCores),
    }
    console.log(JSON.stringify(result))
    return Number(slower > SLOWER_GOAL)
  } finally {
    await stage.close()
  }
}
