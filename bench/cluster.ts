/** Benchmarks of whole clusters of processes, by the names of their commands. */
import { runGroups } from './groups.ts'
import { runIdle } from './idle.ts'
import type { Options } from './options.ts'
import { runRecovery } from './recovery.ts'
import { runSlowWorker } from './slow-worker.ts'

/** Each returns how many goals were missed. */
export const clusterBenchmarks: Readonly<Record<string, (options: Options) => Promise<number>>> = {
  recovery: runRecovery,
  idle: runIdle,
  'slow-worker': runSlowWorker,
  groups: runGroups,
}
