/** Prints how fast a ring between two threads is. It asserts no speed: the machine may be busy. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NodeThreads } from '../../runtime/env/node-threads.ts'
import { runParallel } from '../../worker/parallel.ts'
import { BuiltEntries } from './built-entry.ts'
import type { RingSpeedData } from './entries/ring-speed.ts'

const entries = new BuiltEntries()
let module: URL
beforeAll(async () => {
  module = await entries.build(new URL('./entries/ring-speed.ts', import.meta.url))
})
afterAll(() => entries.remove())

const throughput = (bytes: number, messages: number): RingSpeedData => ({ measure: 'throughput', messages, bytes, parked: false })
const roundTrips = (messages: number, parked: boolean): RingSpeedData => ({ measure: 'round trips', messages, bytes: 16, parked })

it.each([
  { data: throughput(16, 500_000), spinAlways: false },
  { data: throughput(1024, 200_000), spinAlways: false },
  { data: throughput(16384, 20_000), spinAlways: false },
  { data: roundTrips(3000, false), spinAlways: true },
  { data: roundTrips(3000, true), spinAlways: false },
])('$data.measure, $data.bytes bytes, spinning always: $spinAlways', async ({ data, spinAlways }) => {
  const [[figures]] = await runParallel({ threads: new NodeThreads(), module, workers: 2, data, spinAlways })
  console.log(JSON.stringify(figures))
  expect(figures).toMatchObject({ measure: data.measure })
})
