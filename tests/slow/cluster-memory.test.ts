/** One dataflow thread of three processes is a hundred times slower for a while: memory stays bounded, and then it catches up. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { measureSlowWorker } from '../cluster/slow-worker.ts'
import { Stage } from '../cluster/stage.ts'

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

const SLOW_MILLISECONDS = 8000
/** What a process may have beyond what it had before: windows, rings and what the collector leaves lying. */
const MAXIMUM_GROWTH_BYTES = 200 << 20

test('a slow worker holds its sources back, and no memory grows', { timeout: 120_000 }, async () => {
  const { before, slow, after, caughtUp, usualBytes, peakBytes, problem } = await measureSlowWorker(stage, 50_000, SLOW_MILLISECONDS)
  const megabytes = (bytes: readonly number[]): string => bytes.map((one) => Math.round(one / 2 ** 20)).join(', ')
  console.log(
    `changes/s: ${Math.round(before)}, one slow ${Math.round(slow)}, then ${Math.round(after)} after ${Math.round(caughtUp)} ms; ` +
      `MB: ${megabytes(usualBytes)}, peak ${megabytes(peakBytes)}`,
  )
  expect(slow).toBeLessThan(before / 2)
  expect(Math.max(...peakBytes.map((bytes, i) => bytes - usualBytes[i]))).toBeLessThan(MAXIMUM_GROWTH_BYTES)
  expect(problem).toBeNull()
})
