/** Long runs, a line per stretch of rounds: whether speed and memory of the last tenth are those of the second tenth. */
import { median } from './child.ts'
import { quantile, tenths } from './runner.ts'

export interface Stretch {
  readonly round: number
  readonly us_per_round: number
  readonly p50_us: number
  readonly p99_us: number
  /** Heap and typed arrays after a full collection. */
  readonly memory_mb: number
  readonly rss_mb: number
}

export interface Long {
  readonly name: string
  readonly rounds: number
  /** Rounds a line. */
  readonly stretch: number
  /** Does one round; must not allocate much itself. */
  round(index: number): void
  /** More about the state, for each line. */
  details(): object
}

const MB = 1 << 20

/** Runs it, printing a line per stretch, and two closing ratios: last tenth to second tenth. Needs --expose-gc. */
export function runLong(long: Long): { readonly speed: number; readonly memory: number } {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc, so that memory means what is in use')
  const stretches: Stretch[] = []
  const latencies = new Float64Array(long.stretch)
  for (let from = 0; from < long.rounds; from += long.stretch) {
    for (let i = 0; i < long.stretch; i++) {
      const start = performance.now()
      long.round(from + i)
      latencies[i] = 1000 * (performance.now() - start)
    }
    stretches.push(stretchOf(from + long.stretch, latencies))
    console.log(JSON.stringify({ name: long.name, ...stretches.at(-1), ...long.details() }))
  }
  const tenth = Math.max(1, Math.floor(stretches.length / 10))
  const second = stretches.slice(tenth, 2 * tenth)
  const last = stretches.slice(-tenth)
  const times = (part: readonly Stretch[]): number[] => part.map((one) => one.us_per_round)
  const memory = (part: readonly Stretch[]): number => part.reduce((sum, one) => sum + one.memory_mb, 0) / part.length
  const ratios = { speed: thousandths(median(times(last)) / median(times(second))), memory: thousandths(memory(last) / memory(second)) }
  for (const [what, value] of Object.entries(ratios))
    console.log(JSON.stringify({ name: `${long.name} ${what}: last tenth to second tenth`, value, unit: 'ratio', rounds: long.rounds }))
  return ratios
}

const thousandths = (value: number): number => Math.round(1000 * value) / 1000

function stretchOf(round: number, latencies: Float64Array): Stretch {
  let sum = 0
  for (const latency of latencies) sum += latency
  latencies.sort()
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return {
    round,
    us_per_round: +(sum / latencies.length).toFixed(2),
    p50_us: tenths(quantile(latencies, 0.5)),
    p99_us: tenths(quantile(latencies, 0.99)),
    memory_mb: tenths((heapUsed + external) / MB),
    rss_mb: tenths(rss / MB),
  }
}
