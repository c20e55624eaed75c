/** As the fast test of progress across workers, with so many schedules that a mistake in one of a thousand shows. */
import { describe, expect, test } from 'vitest'
import { flat, loopInLoop, oneLoop, simulate, threeLoops, twoLoops } from '../progress/simulated-dataflows.ts'

describe('several workers, thousands of schedules', () => {
  test.each([
    ['without loops', flat, 8_000],
    ['a loop', oneLoop, 3_000],
    ['a loop in a loop', loopInLoop, 1_500],
    ['three loops in one another', threeLoops, 800],
    ['two loops in a row', twoLoops, 1_500],
  ])('%s', (_, dataflow, schedules) => {
    const first = Date.now() | 0
    for (let i = 0; i < schedules; i++) {
      const [peers, steps, seed] = [[2, 3, 5, 8][i & 3], 20 + (i % 101), first + i]
      try {
        simulate(dataflow, peers, steps, seed)
      } catch (error) {
        expect.fail(`simulate(.., ${peers}, ${steps}, ${seed}): ${error}`)
      }
    }
  })
})
