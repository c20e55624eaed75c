/** One worker of three processes is a hundred times slower for a minute, under 50,000 changes a second: how much memory that takes. */
import { measureSlowWorker } from '../tests/cluster/slow-worker.ts'
import { Stage } from '../tests/cluster/stage.ts'
import { root } from './child.ts'
import type { Options } from './options.ts'

const RATE = 50_000
const SLOW_MILLISECONDS = 60_000
const QUICK_MILLISECONDS = 5000
/** What a process may have beyond what it had before. */
const GROWTH_GOAL_MB = 200

/** Returns how many goals were missed. */
export async function runSlowWorker(options: Options): Promise<number> {
  const stage = new Stage(`${root}dist/cli.js`)
  try {
    const measured = await measureSlowWorker(stage, RATE, options.quick ? QUICK_MILLISECONDS : SLOW_MILLISECONDS)
    const megabytes = (bytes: readonly number[]): number => Math.round(Math.max(...bytes) / 2 ** 20)
    const growth = megabytes(measured.peakBytes.map((bytes, i) => bytes - measured.usualBytes[i]))
    const result = {
      bench: 'slow-worker',
      processes: measured.peakBytes.length,
      usual_mb: megabytes(measured.usualBytes),
      peak_mb: megabytes(measured.peakBytes),
      growth_mb: growth,
      usual_changes_per_s: Math.round(measured.before),
      slow_changes_per_s: Math.round(measured.slow),
      then_changes_per_s: Math.round(measured.after),
      caught_up_ms: Math.round(measured.caughtUp),
      exact: measured.problem === null,
    }
    console.log(JSON.stringify(result))
    if (measured.problem !== null) console.error(measured.problem)
    return Number(measured.problem !== null) + Number(growth > GROWTH_GOAL_MB)
  } finally {
    await stage.close()
  }
}
