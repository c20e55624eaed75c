/**
 * One of three worker processes is killed under 50,000 changes a second: until that is noticed, and until a time that began after it is visible
 * at the others, with all that was there before computed again. Every time that is told is compared with the definition.
 */
import { difference } from '../tests/cluster/follower.ts'
import { Load } from '../tests/cluster/load.ts'
import { sleep, until } from '../tests/cluster/processes.ts'
import { eventAt, Stage, toldAfter } from '../tests/cluster/stage.ts'
import { median, root } from './child.ts'
import type { Options } from './options.ts'

const NAMES = ['one', 'two', 'three']
const RATE = 50_000
/** Dataflow threads of each process. */
const THREADS = 2
/** Before the kill, while the changes are counted. */
const COUNTED_MILLISECONDS = 4000
/** What it must reach; milliseconds. */
const DETECT_GOAL = 2000
const WHOLE_GOAL = 5000

interface Recovery {
  readonly detect_ms: number
  readonly whole_ms: number
  /** Visible, before the kill. */
  readonly changes_per_s: number
  /** Changes that were read again. */
  readonly replayed: number
  readonly problem: string | null
}

/** Returns how many goals were missed. */
export async function runRecovery(options: Options): Promise<number> {
  const runs: Recovery[] = []
  for (let i = 0; i < options.repeats; i++) {
    const stage = new Stage(`${root}dist/cli.js`)
    try {
      runs.push(await recover(stage))
    } finally {
      await stage.close()
    }
  }
  const middle = (field: 'detect_ms' | 'whole_ms' | 'changes_per_s' | 'replayed'): number =>
    Math.round(median(runs.map((run) => run[field])))
  const problems = runs.flatMap(({ problem }) => (problem === null ? [] : [problem]))
  const result = {
    bench: 'recovery',
    processes: NAMES.length,
    workers: THREADS,
    detect_ms: middle('detect_ms'),
    whole_ms: middle('whole_ms'),
    changes_per_s: middle('changes_per_s'),
    replayed: middle('replayed'),
    exact: problems.length === 0,
    repeats: runs.length,
  }
  console.log(JSON.stringify(result))
  for (const problem of problems) console.error(problem)
  return problems.length + Number(result.detect_ms > DETECT_GOAL) + Number(result.whole_ms > WHOLE_GOAL)
}

async function recover(stage: Stage): Promise<Recovery> {
  const load = new Load({ rate: RATE })
  await stage.coordinator({ parameters: ['--minimum-processes', String(NAMES.length)] })
  const [one, two, three] = await stage.workers(NAMES, { threads: THREADS })
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const followers = [one, three].map(({ url }) => stage.follow(load, [url]))
  const reader = stage.read(load, one.url, 50)
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  const read = (): number => load.changes(followers[0].facts.values())
  const [before, since] = [read(), followers[0].last?.time as number]
  await sleep(COUNTED_MILLISECONDS)
  const replayed = read()
  const rate = (replayed - before) / (((followers[0].last?.time as number) - since) / 1e6)

  const killed = Date.now()
  const from = performance.now()
  two.process.signal('SIGKILL')
  // Both: it is whole when the last one shows it.
  const whole = Math.max(...(await Promise.all(followers.map((follower) => toldAfter(follower, killed + 1))))) - from
  const lost = await until(async () => eventAt(await stage.status(), /process two lost/, killed), 'the loss in the status')
  await sleep(1000)
  await reader.stop()
  const disturbed = followers.some(({ resets, connections }) => resets > 0 || connections > 1) ? 'a follower had to begin anew' : null
  return {
    detect_ms: lost - killed,
    whole_ms: whole,
    changes_per_s: rate,
    replayed,
    problem: difference(followers) ?? reader.problem ?? disturbed,
  }
}
