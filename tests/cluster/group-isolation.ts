/**
 * What a job that burns all the processor time of its group does to reads of another group's job: latencies in windows with it and without it, by
 * turns, so that whatever else the machine does falls on both.
 */
import { Load } from './load.ts'
import { sleep, until } from './processes.ts'
import type { Stage } from './stage.ts'

/** The burning job looks at the clock: in every second window it burns. */
const WINDOW_MILLISECONDS = 1000
/** At the borders of windows nothing is measured. */
const BORDER_MILLISECONDS = 100
/** Between reads. */
const PAUSE_MILLISECONDS = 5
const BURN_MILLISECONDS = 20

const BURNER = `import { count, int32, job, stream } from 'millrace'

function burn() {
  const from = Date.now()
  while (Date.now() - from < ${BURN_MILLISECONDS} && Math.floor(Date.now() / ${WINDOW_MILLISECONDS}) % 2 === 1);
  return true
}

export default job('burner', { ticks: stream({ i: int32 }) }, ({ ticks }) => ({
  n: ticks.filterRows(burn).groupBy('i').aggregate(() => ({ n: count() })).keyBy('i'),
}))
`
const BURNER_CONFIGURATION = `import { defineConfig, generated } from 'millrace/config'

export default defineConfig({
  sources: { ticks: generated({ rate: ${2000 / BURN_MILLISECONDS}, rows: (_, i) => ({ i: i % 10 }) }) },
})
`

export interface Isolation {
  readonly reads: number
  /** Milliseconds, of reads without and with the burning job. */
  readonly quiet: { readonly p50: number; readonly p99: number }
  readonly burning: { readonly p50: number; readonly p99: number }
  /** Cores that the burning process had in its windows. */
  readonly burnerCores: number
}

/** @param seconds for how long it is measured */
export async function measureIsolation(stage: Stage, seconds: number): Promise<Isolation> {
  const load = new Load({ rate: 1000, name: 'quiet' })
  await stage.coordinator()
  const [burner, quiet] = await Promise.all([
    stage.worker('burner', { parameters: ['--group', 'a'] }),
    stage.worker('quiet', { parameters: ['--group', 'b'] }),
  ])
  await stage.deploy(load, ['--group', 'b'])
  await stage.runsWith(['quiet'], load)
  stage.files.write({ 'burner/job.ts': BURNER, 'burner/millrace.config.ts': BURNER_CONFIGURATION })
  const deployed = await stage.ended(['deploy', stage.files.path('burner/job.ts'), '--to', stage.url, '--group', 'a'])
  if (deployed.code !== 0) throw new Error(deployed.err)
  const url = `${quiet.url}${load.path('?what=region&key=region-1')}`
  await until(async () => ((await fetch(url)).ok ? true : undefined), 'the first read')

  const latencies: { readonly quiet: number[]; readonly burning: number[] } = { quiet: [], burning: [] }
  let burned = 0
  let cpu = burner.process.usage()?.cpuSeconds ?? 0
  let window = currentWindow()
  let windows = 0
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(PAUSE_MILLISECONDS)) {
    const before = currentWindow()
    const from = performance.now()
    const response = await fetch(url)
    await response.arrayBuffer()
    const took = performance.now() - from
    if (!response.ok) throw new Error(`a read was answered with ${response.status}`)
    if (window !== currentWindow()) {
      const now = burner.process.usage()?.cpuSeconds ?? 0
      if (window % 2 === 1) {
        burned += now - cpu
        windows++
      }
      cpu = now
      window = currentWindow()
    }
    const age = Date.now() % WINDOW_MILLISECONDS
    if (before === currentWindow() && age > BORDER_MILLISECONDS && age < WINDOW_MILLISECONDS - BORDER_MILLISECONDS)
      latencies[before % 2 === 1 ? 'burning' : 'quiet'].push(took)
  }
  return {
    reads: latencies.quiet.length + latencies.burning.length,
    quiet: quantiles(latencies.quiet),
    burning: quantiles(latencies.burning),
    burnerCores: burned / ((windows * WINDOW_MILLISECONDS) / 1000),
  }
}

function currentWindow(): number {
  return Math.floor(Date.now() / WINDOW_MILLISECONDS)
}

function quantiles(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (fraction: number): number => sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))]
  return { p50: at(0.5), p99: at(0.99) }
}
