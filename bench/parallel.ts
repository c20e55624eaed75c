/** Runs one workload on several worker threads and puts the workers' figures together into the protocol's result line. */
import { NodeThreads } from '../runtime/env/node-threads.ts'
import { runParallel } from '../worker/parallel.ts'
import type { ProgramData, WorkerResult } from './parallel-options.ts'
import { parametersOf, quantile, type Result, tenths } from './runner.ts'
import { workloads } from './workloads.ts'

export interface ParallelRun extends ProgramData {
  readonly workers: number
  readonly spin: boolean
}

export async function runParallelWorkload({ workers, spin, ...data }: ParallelRun): Promise<Result> {
  const cpuStart = process.cpuUsage()
  const reports = await runParallel({
    threads: new NodeThreads(),
    module: new URL(`./parallel-program${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
    workers,
    data,
    spinAlways: spin,
  })
  const cpu = process.cpuUsage(cpuStart)
  const results = reports.map(([result]) => result as WorkerResult)
  const { workload, args } = data
  const { batch, rounds } = parametersOf(workload, args)
  const sum = (of: (result: WorkerResult) => number): number => results.reduce((total, result) => total + of(result), 0)
  let trace = 0
  let checksum = 0
  for (let round = 0; round < rounds; round++) {
    checksum = sum(({ checksums }) => checksums[round]) % 2 ** 32
    trace = (Math.imul(trace, 31) + checksum) >>> 0
  }
  const roundsMs = Math.max(...results.map((result) => result.roundsMilliseconds))
  const [{ latencies }] = results
  return {
    engine: 'millrace',
    workload,
    args,
    load_ms: tenths(Math.max(...results.map((result) => result.loadMilliseconds))),
    rounds_ms: tenths(roundsMs),
    updates_per_s: Math.round((workloads[workload].changes * batch * rounds) / (roundsMs / 1000)),
    p50_us: tenths(1000 * quantile(latencies, 0.5)),
    p99_us: tenths(1000 * quantile(latencies, 0.99)),
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    checksum,
    out_rows: sum((result) => result.rows),
    trace,
    load_checksum: sum((result) => result.loadChecksum) % 2 ** 32,
    load_rows: sum((result) => result.loadRows),
    diffs: sum((result) => result.diffs),
    rounds_cpu_ms: tenths((cpu.user + cpu.system) / 1000),
  }
}
