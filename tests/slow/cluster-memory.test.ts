/** One dataflow thread of three processes is a hundred times slower for a while: memory stays bounded, and then it catches up. */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import { MemoryWatch } from '../cluster/memory-watch.ts'
import { sleep, until } from '../cluster/processes.ts'
import { SLOW_FILE_VARIABLE, slowEvents } from '../cluster/slow-events.ts'
import { Stage, toldAfter } from '../cluster/stage.ts'

const cli = new BuiltCli()
let stage: Stage
beforeAll(async () => {
  await cli.build()
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterAll(async () => {
  await stage?.close()
  cli.remove()
})

const NAMES = ['one', 'two', 'three']
const SLOW_MILLISECONDS = 8000
/** What a process may have beyond what it had before: windows, rings and what the collector leaves lying. */
const MAXIMUM_GROWTH_BYTES = 200 << 20

test('a slow worker holds its sources back, and no memory grows', { timeout: 60_000 }, async () => {
  // Each row of the slow one takes 100 us, where others take about one.
  const load = new Load({ rate: 50_000, ...slowEvents(100) })
  const slow = stage.files.path('slow')
  await stage.coordinator({ parameters: ['--minimum-processes', '3'] })
  const workers = await Promise.all(NAMES.map((name) => stage.worker(name, name === 'two' ? { env: { [SLOW_FILE_VARIABLE]: slow } } : {})))
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const follower = stage.follow(load, [workers[0].url])
  await toldAfter(follower, Date.now() + 1000)
  const read = (): number => load.changes(follower.facts.values())
  const rate = async (milliseconds: number): Promise<number> => {
    const [before, from] = [read(), performance.now()]
    await sleep(milliseconds)
    return (1000 * (read() - before)) / (performance.now() - from)
  }
  const memory = new MemoryWatch(workers.map(({ process }) => process))
  const usual = await rate(2000)
  const before = memory.reset()

  stage.files.write({ slow: '' })
  const slowed = await rate(SLOW_MILLISECONDS)
  const peak = memory.reset()
  rmSync(slow)
  // What was minted meanwhile becomes visible, and the rate is what it was.
  await toldAfter(follower, Date.now())
  const again = await until(async () => {
    const now = await rate(1000)
    return now > usual / 2 ? now : undefined
  }, 'the rate from before')
  memory.stop()
  const growth = peak.map((bytes, i) => bytes - before[i])
  const megabytes = (bytes: readonly number[]): string => bytes.map((one) => Math.round(one / 2 ** 20)).join(', ')
  console.log(
    `changes/s: ${Math.round(usual)}, one slow ${Math.round(slowed)}, then ${Math.round(again)}; MB: ${megabytes(before)}, peak ${megabytes(peak)}`,
  )
  expect(slowed).toBeLessThan(usual / 2)
  expect(Math.max(...growth)).toBeLessThan(MAXIMUM_GROWTH_BYTES)
  expect(difference([follower])).toBeNull()
  expect([follower.resets, follower.connections]).toEqual([0, 1])
})
