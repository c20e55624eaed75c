/** Reading leaves the event loop to others now and then. */
import { expect, test } from 'vitest'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import { ReadingTurns, TURN_MILLISECONDS } from '../../worker/process/reading-turns.ts'

test('after a while all readers rest together, until a timer has fired', async () => {
  const env = new SimulatedEnvironment({ seed: 1 })
  const turns = new ReadingTurns(env)
  expect(turns.rest()).toBe(null)
  await env.run(TURN_MILLISECONDS * 1000)
  const resting = turns.rest()
  expect(resting).toBeInstanceOf(Promise)
  expect(turns.rest()).toBe(resting)
  let over = false
  void resting?.then(() => (over = true))
  await Promise.resolve()
  expect(over).toBe(false)
  await env.run(0)
  expect(over).toBe(true)
  expect(turns.rest()).toBe(null)
  await env.run(TURN_MILLISECONDS * 1000)
  turns.begin()
  expect(turns.rest()).toBe(null)
})
