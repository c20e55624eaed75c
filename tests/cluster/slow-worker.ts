/** One dataflow thread of three processes is a hundred times slower for a while: how much memory that takes, and how it goes on. */
import { rmSync } from 'node:fs'
import { difference } from './follower.ts'
import { Load } from './load.ts'
import { MemoryWatch } from './memory-watch.ts'
import { sleep, until } from './processes.ts'
import { SLOW_FILE_VARIABLE, slowEvents } from './slow-events.ts'
import { type Stage, toldAfter } from './stage.ts'

const NAMES = ['one', 'two', 'three']
/** Each row of the slow one takes so long, where others take about one. */
const SLOW_MICROSECONDS = 100
const USUAL_MILLISECONDS = 2000

export interface SlowWorker {
  /** Changes a second: before, meanwhile, and when it had caught up. */
  readonly before: number
  readonly slow: number
  readonly after: number
  /** Until times that were minted after it was fast again are visible, milliseconds. */
  readonly caughtUp: number
  /** By process, the greatest resident bytes before and meanwhile. */
  readonly usualBytes: readonly number[]
  readonly peakBytes: readonly number[]
  /** What was wrong with the answers; null if nothing was. */
  readonly problem: string | null
}

export async function measureSlowWorker(stage: Stage, rate: number, milliseconds: number): Promise<SlowWorker> {
  const load = new Load({ rate, ...slowEvents(SLOW_MICROSECONDS) })
  const slow = stage.files.path('slow')
  await stage.coordinator({ parameters: ['--minimum-processes', '3'] })
  const workers = await Promise.all(NAMES.map((name) => stage.worker(name, name === 'two' ? { env: { [SLOW_FILE_VARIABLE]: slow } } : {})))
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const follower = stage.follow(load, [workers[0].url])
  await toldAfter(follower, Date.now() + 1000)
  const measured = async (time: number): Promise<number> => {
    const [before, from] = [load.changes(follower.facts.values()), performance.now()]
    await sleep(time)
    return (1000 * (load.changes(follower.facts.values()) - before)) / (performance.now() - from)
  }
  const memory = new MemoryWatch(workers.map(({ process }) => process))
  const before = await measured(USUAL_MILLISECONDS)
  const usualBytes = memory.reset()
  stage.files.write({ slow: '' })
  const meanwhile = await measured(milliseconds)
  const peakBytes = memory.reset()
  rmSync(slow)
  const from = performance.now()
  const caughtUp = (await toldAfter(follower, Date.now())) - from
  const after = await until(
    async () => {
      const now = await measured(1000)
      return now > before / 2 ? now : undefined
    },
    () => `${before / 2} changes a second again`,
  )
  memory.stop()
  const disturbed = follower.resets + follower.connections > 1 ? `${follower.connections} connections, ${follower.resets} resets` : null
  return { before, slow: meanwhile, after, caughtUp, usualBytes, peakBytes, problem: difference([follower]) ?? disturbed }
}
