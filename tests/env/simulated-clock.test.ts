import { describe, expect, it } from 'vitest'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'

const ms = 1000

describe('the simulated clock', () => {
  it('fires in order of due time, then of setting, at its instant', () => {
    const env = new SimulatedEnvironment({ seed: 1, start: 0 })
    const fired: string[] = []
    const note = (name: string) => (): void => void fired.push(`${name}@${env.clock.now()}`)
    env.timers.setTimeout(note('b'), 2)
    env.timers.setTimeout(note('a'), 1)
    env.timers.setTimeout(note('c'), 2)
    const cleared = env.timers.setTimeout(note('never'), 1.5)
    cleared.clear()
    env.timers.setTimeout(() => env.timers.setTimeout(note('nested'), 0.5), 1)
    env.advance(1 * ms)
    expect(fired).toEqual(['a@1000'])
    env.advance(5 * ms)
    expect(fired).toEqual(['a@1000', 'nested@1500', 'b@2000', 'c@2000'])
    expect(env.clock.now()).toBe(6 * ms)
    expect(env.clock.monotonic()).toBe(6 * ms)
  })

  it('repeats until cleared, also from within', () => {
    const env = new SimulatedEnvironment({ seed: 1, start: 0 })
    const fired: number[] = []
    const timer = env.timers.setInterval(() => {
      fired.push(env.clock.now())
      if (fired.length === 3) timer.clear()
    }, 10)
    env.advance(100 * ms)
    expect(fired).toEqual([10 * ms, 20 * ms, 30 * ms])
  })

  it('lets promises run between timers', async () => {
    const env = new SimulatedEnvironment({ seed: 1, start: 0 })
    const seen: number[] = []
    const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => env.timers.setTimeout(resolve, milliseconds))
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await sleep(10)
        for (let k = 0; k < 50; k++) await null
        seen.push(env.clock.now())
      }
    }
    void loop()
    await env.run(35 * ms)
    expect(seen).toEqual([10 * ms, 20 * ms, 30 * ms])
    await env.run(100 * ms)
    expect(seen.length).toBe(5)
  })

  it('has no limit of 32 bits', () => {
    const env = new SimulatedEnvironment({ seed: 1, start: 0 })
    let fired = 0
    env.timers.setTimeout(() => fired++, 30 * 86_400_000)
    env.advance(30 * 86_400_000 * ms - 1)
    expect(fired).toBe(0)
    env.advance(1)
    expect(fired).toBe(1)
  })
})
