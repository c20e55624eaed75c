/** Jobs of different groups of worker processes do not take time from each other. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { measureIsolation } from '../cluster/group-isolation.ts'
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

/** The goal is 20% on a machine of two cores that does nothing else; here other tests run, and the burning job has its share of what is left. */
const MAXIMUM_FACTOR = 3
const ALLOWANCE_MILLISECONDS = 50

test('a job that burns all of its group hardly shows in the reads of another one', { timeout: 120_000 }, async () => {
  const measured = await measureIsolation(stage, 14)
  console.log(`groups: ${JSON.stringify(measured)}`)
  expect(measured.reads).toBeGreaterThan(100)
  expect(measured.burning.p50).toBeLessThan(MAXIMUM_FACTOR * measured.quiet.p50 + ALLOWANCE_MILLISECONDS)
  expect(measured.burning.p99).toBeLessThan(MAXIMUM_FACTOR * measured.quiet.p99 + ALLOWANCE_MILLISECONDS)
})
