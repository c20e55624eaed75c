/**
 * What several workers cost and gain: rows a second between two threads and two processes, the time of a round of one change, and
 * workloads on more workers beside one. Every ratio is of runs that were made one after another, and the median of several.
 */
import { median, runCase } from './child.ts'
import type { ExchangeData, ExchangeResult } from './exchange-program.ts'
import { type Case, caseName, mismatches, type Outcome, outcomeOf } from './expected.ts'
import type { Options } from './options.ts'
import { runProgramOn, type Waiting } from './parallel-run.ts'
import { type Result, tenths } from './runner.ts'

const THREADS_GOAL = 5_000_000
const PROCESSES_GOAL = 1_500_000
const SPINNING_GOAL = 60
const PARKED_GOAL = 200
/** Of one worker: for 100,000 changes a round and for 1,000; and of two threads. */
const LARGE_GOAL = 1.7
const SMALL_GOAL = 1
const CROWDED_GOAL = 0.6
const ROW_BYTES = 8

/** Returns how many goals were missed and outcomes were wrong. */
export async function runExchange(options: Options): Promise<number> {
  let missed = 0
  missed += await rowRates('exchange_threads', 2, 1, THREADS_GOAL, options)
  missed += await rowRates('exchange_processes', 1, 2, PROCESSES_GOAL, options)
  missed += roundTrips('round_spinning', 'spin', SPINNING_GOAL, options)
  missed += roundTrips('round_parked', 'park', PARKED_GOAL, options)
  for (const measured of options.quick ? quickWorkloads : measuredWorkloads) missed += scaling(measured, options)
  return missed
}

function print(name: string, value: number, unit: string, details: object): void {
  console.log(JSON.stringify({ name, value, unit, ...details }))
}

async function rowRates(name: string, workers: number, processes: number, goal: number, { quick, repeats }: Options): Promise<number> {
  const data: ExchangeData = { rows: 1 << 16, commits: quick ? 50 : 500, warm: quick ? 50 : 200 }
  const rates: number[] = []
  let wrong = 0
  for (let i = 0; i < repeats; i++) {
    const { reports } = await runProgramOn({ module: 'exchange-program', workers, processes, waiting: 'adapt', data })
    const [fed, come] = reports.map(([report]) => report as ExchangeResult)
    if (fed.rows !== come.rows || fed.checksum !== come.checksum) {
      console.error(`${name}: ${fed.rows} rows ${fed.checksum} were fed, and ${come.rows} rows ${come.checksum} came`)
      wrong++
    }
    rates.push((1000 * data.rows * data.commits) / fed.milliseconds)
  }
  const rate = Math.round(median(rates))
  print(name, rate, 'rows/s', { mb_per_s: tenths((rate * ROW_BYTES) / 1e6), goal, runs: rates.length })
  return wrong + (rate < goal ? 1 : 0)
}

/** One change a round on two threads. */
function roundTrips(name: string, wait: Waiting, goal: number, options: Options): number {
  const rounds = options.quick ? 2000 : 10_000
  const one = { workload: 'degrees', args: [100_000, 1_000_000, 1, rounds] } as const
  const results: Result[] = []
  for (let i = 0; i < options.repeats; i++) {
    const run = runCase('millrace', one, { ...options, workers: 2, wait, warm: rounds })
    if ('failure' in run) return failed(name, run.failure)
    results.push(run.result)
  }
  const middle = tenths(median(results.map((result) => result.p50_us)))
  print(name, middle, 'us', { p99_us: tenths(median(results.map((result) => result.p99_us))), goal, runs: results.length })
  return middle > goal ? 1 : 0
}

interface Measured extends Pick<Case, 'workload' | 'args'> {
  readonly warm: number
  /** Null: too short to judge. */
  readonly goal: number | null
}

/** Warm rounds until what runs is compiled, also where eight threads share two cores. */
const measuredWorkloads: readonly Measured[] = [
  { workload: 'degrees', args: [100_000, 1_000_000, 100_000, 60], warm: 200, goal: LARGE_GOAL },
  { workload: 'join', args: [100_000, 200_000, 100_000, 20], warm: 60, goal: LARGE_GOAL },
  { workload: 'degrees', args: [100_000, 1_000_000, 1000, 1000], warm: 2000, goal: SMALL_GOAL },
  { workload: 'join', args: [100_000, 200_000, 1000, 500], warm: 1000, goal: SMALL_GOAL },
]
const quickWorkloads: readonly Measured[] = [{ workload: 'join', args: [10_000, 20_000, 10_000, 20], warm: 60, goal: null }]

interface Configuration {
  readonly name: string
  readonly workers: number
  readonly processes: number
  readonly feed: 'all' | 'one'
}

const configurations: readonly Configuration[] = [
  { name: '1 worker', workers: 1, processes: 1, feed: 'all' },
  { name: '2 threads', workers: 2, processes: 1, feed: 'all' },
  { name: '2 threads, one feeds', workers: 2, processes: 1, feed: 'one' },
  { name: '8 threads', workers: 8, processes: 1, feed: 'all' },
  { name: '2 processes', workers: 1, processes: 2, feed: 'all' },
  { name: '4 processes of 2', workers: 2, processes: 4, feed: 'all' },
]
const ONE_WORKER = 0
const TWO_THREADS = 1

function scaling({ goal, warm, ...one }: Measured, options: Options): number {
  /** By configuration, then by run. */
  const runs: Result[][] = configurations.map(() => [])
  let expected: Outcome | null = null
  for (let i = 0; i < options.repeats; i++)
    for (const [c, { name, workers, processes, feed }] of configurations.entries()) {
      const run = runCase('millrace', one, { ...options, workers, processes, feed, wait: 'adapt', warm })
      if ('failure' in run) return failed(`${caseName(one)}, ${name}`, run.failure)
      expected ??= outcomeOf(run.result)
      const wrong = mismatches(outcomeOf(run.result), expected)
      if (wrong.length > 0) return failed(`${caseName(one)}, ${name}`, wrong.join(', '))
      runs[c].push(run.result)
    }
  const against = (c: number, base: number): number =>
    hundredths(median(runs[c].map((result, i) => result.updates_per_s / runs[base][i].updates_per_s)))
  let missed = 0
  for (const [c, { name, workers, processes, feed }] of configurations.entries()) {
    const updates = Math.round(median(runs[c].map((result) => result.updates_per_s)))
    const rounds = tenths(median(runs[c].map((result) => result.p50_us)))
    const ratio = against(c, ONE_WORKER)
    const crowded = workers * processes > 2
    const reach = goal === null ? null : crowded ? CROWDED_GOAL : c === TWO_THREADS ? goal : null
    const figure = crowded ? against(c, TWO_THREADS) : ratio
    print(`${caseName(one)}: ${name}`, ratio, 'ratio', {
      workers,
      processes,
      ...(feed === 'one' ? { feed } : {}),
      updates_per_s: updates,
      p50_us: rounds,
      to_two_threads: against(c, TWO_THREADS),
      ...(reach === null ? {} : { goal: reach, goal_of: crowded ? 'two threads' : 'one worker' }),
      warm,
      runs: runs[c].length,
    })
    if (reach !== null && figure < reach) missed++
  }
  return missed
}

function failed(name: string, what: string): number {
  console.error(`${name}: ${what}`)
  return 1
}

function hundredths(value: number): number {
  return Math.round(100 * value) / 100
}
