/** Runs one workload on one engine, timed as the protocol says, and gives its result line. */
import { Sink } from './sink.ts'
import { type Parameters, type Streams, type Workload, workloads } from './workloads.ts'

/**
 * Applies one batch and returns once the output is right and folded: inserts rows [addFrom, addTo) of the stream, then
 * removes rows [removeFrom, removeTo).
 */
export type Step = (addFrom: number, addTo: number, removeFrom: number, removeTo: number) => void

/** An engine under measurement: for each workload it can do, how to start it. */
export type Engine = { readonly [W in Workload]?: (streams: Streams[W], sink: Sink, parameters: Parameters) => Step }

export interface Result {
  readonly engine: string
  readonly workload: Workload
  readonly args: readonly number[]
  readonly load_ms: number
  readonly rounds_ms: number
  readonly updates_per_s: number
  readonly p50_us: number
  readonly p99_us: number
  readonly rss_mb: number
  readonly checksum: number
  readonly out_rows: number
  readonly trace: number
  readonly load_checksum: number
  readonly load_rows: number
  readonly diffs: number
  readonly rounds_cpu_ms: number
}

/**
 * `warm` rounds come first and are not timed.
 * @throws Error when the engine cannot do the workload.
 */
export function runWorkload<W extends Workload>(
  name: string,
  engine: Engine,
  workload: W,
  args: readonly number[],
  seed: number,
  warm = 0,
): Result {
  const parameters = parametersOf(workload, args, warm)
  const start = engine[workload]
  if (start === undefined) throw new Error(`${name} cannot do ${workload}`)
  const streams = workloads[workload].draw(parameters, seed) as Streams[W]
  const { rows, batch, rounds } = parameters
  const sink = new Sink()
  globalThis.gc?.()
  const step = start(streams, sink, parameters)

  const loadStart = performance.now()
  step(0, rows, 0, 0)
  const loadMs = performance.now() - loadStart
  const { checksum: loadChecksum, rows: loadRows } = sink

  const latencies = new Float64Array(rounds - warm)
  let trace = 0
  sink.diffs = 0
  let cpuStart = process.cpuUsage()
  let roundsStart = performance.now()
  for (let round = 0; round < rounds; round++) {
    const roundStart = performance.now()
    if (round === warm) {
      cpuStart = process.cpuUsage()
      roundsStart = roundStart
    }
    const from = round * batch
    step(rows + from, rows + from + batch, from, from + batch)
    if (round >= warm) latencies[round - warm] = performance.now() - roundStart
    trace = (Math.imul(trace, 31) + sink.checksum) >>> 0
  }
  const roundsMs = performance.now() - roundsStart
  const cpu = process.cpuUsage(cpuStart)
  latencies.sort()
  return {
    engine: name,
    workload,
    args,
    load_ms: tenths(loadMs),
    rounds_ms: tenths(roundsMs),
    updates_per_s: Math.round((workloads[workload].changes * batch * (rounds - warm)) / (roundsMs / 1000)),
    p50_us: tenths(1000 * quantile(latencies, 0.5)),
    p99_us: tenths(1000 * quantile(latencies, 0.99)),
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    checksum: sink.checksum,
    out_rows: sink.rows,
    trace,
    load_checksum: loadChecksum,
    load_rows: loadRows,
    diffs: sink.diffs,
    rounds_cpu_ms: tenths((cpu.user + cpu.system) / 1000),
  }
}

/**
 * With `warm` rounds more than are asked for.
 * @throws RangeError when there are not four positive whole numbers.
 */
export function parametersOf(workload: Workload, args: readonly number[], warm = 0): Parameters {
  const { names } = workloads[workload]
  if (args.length !== 4 || args.some((value) => !Number.isSafeInteger(value) || value < 1))
    throw new RangeError(`${workload} takes ${names.join(' ')}, four positive whole numbers, not "${args.join(' ')}"`)
  const [keys, rows, batch, rounds] = args as [number, number, number, number]
  return { keys, rows, batch, rounds: warm + rounds }
}

export function tenths(value: number): number {
  return Math.round(10 * value) / 10
}

/** The value at rank ceil(fraction * n) of sorted values. */
export function quantile(sorted: ArrayLike<number>, fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(fraction * sorted.length) - 1))] as number
}
