/** Runs one workload on several workers and puts their figures together into the protocol's result line. */
import type { ProgramData, WorkerResult } from './parallel-options.ts'
import { runProgramOn, type Waiting } from './parallel-run.ts'
import { parametersOf, quantile, type Result, tenths } from './runner.ts'
import { workloads } from './workloads.ts'

export interface ParallelRun extends ProgramData {
  /** Threads of each process. */
  readonly workers: number
  readonly processes: number
  readonly waiting: Waiting
}

export async function runParallelWorkload({ workers, processes, waiting, ...data }: ParallelRun): Promise<Result> {
  const { reports, memoryMegabytes } = await runProgramOn({ module: 'parallel-program', workers, processes, waiting, data })
  const results = reports.map(([result]) => result as WorkerResult)
  const { workload, args } = data
  const { batch, rounds } = parametersOf(workload, args, data.warm)
  const sum = (of: (result: WorkerResult) => number): number => results.reduce((total, result) => total + of(result), 0)
  let trace = 0
  let checksum = 0
  for (let round = 0; round < rounds; round++) {
    checksum = sum(({ checksums }) => checksums[round]) % 2 ** 32
    trace = (Math.imul(trace, 31) + checksum) >>> 0
  }
  const roundsMs = Math.max(...results.map((result) => result.roundsMilliseconds))
  const [{ latencies }] = results
  const firstOfEach = results.filter((_, worker) => worker % workers === 0)
  return {
    engine: 'millrace',
    workload,
    args,
    load_ms: tenths(Math.max(...results.map((result) => result.loadMilliseconds))),
    rounds_ms: tenths(roundsMs),
    updates_per_s: Math.round((workloads[workload].changes * batch * (rounds - data.warm)) / (roundsMs / 1000)),
    p50_us: tenths(1000 * quantile(latencies, 0.5)),
    p99_us: tenths(1000 * quantile(latencies, 0.99)),
    rss_mb: Math.round(memoryMegabytes),
    checksum,
    out_rows: sum((result) => result.rows),
    trace,
    load_checksum: sum((result) => result.loadChecksum) % 2 ** 32,
    load_rows: sum((result) => result.loadRows),
    diffs: sum((result) => result.diffs),
    rounds_cpu_ms: tenths(firstOfEach.reduce((total, result) => total + result.processMilliseconds, 0)),
  }
}
