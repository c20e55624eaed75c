import { expect, test } from 'vitest'
import { fixedSeed } from '../property-seed.ts'
import { chaos } from './chaos.ts'

const SEEDS = 8
const SECONDS = 12

/**
 * MILLRACE_SEED=n runs just that seed, for long. What holds at every moment is in `ledger.ts`; that all jobs run again when all is
 * repaired is in `chaos.ts`.
 */
const first = fixedSeed() ?? Math.floor(Math.random() * 1e9)
const given = process.env.MILLRACE_SEED !== undefined && process.env.MILLRACE_SEED !== ''

for (let i = 0; i < (given ? 1 : SEEDS); i++)
  test(`whatever happens, what was seen stays true, and all jobs run again (seed ${first + i})`, async () => {
    const stage = await chaos({ seed: first + i, seconds: given ? 30 : SECONDS, trace: process.env.TRACE === '1' })
    expect(stage.ledger.shownCount).toBeGreaterThan(100)
  })

test('one seed gives one run', async () => {
  const runs = [await chaos({ seed: 7, seconds: 6 }), await chaos({ seed: 7, seconds: 6 })]
  expect(runs[0].lines.length).toBeGreaterThan(20)
  expect(runs[1].lines).toEqual(runs[0].lines)
})
