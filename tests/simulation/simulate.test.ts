import { expect, test } from 'vitest'
import { simulate } from '../../simulation/simulate.ts'
import { featureStore, featureStoreInputs, words, wordsInputs } from './jobs.ts'

test('without faults all is told and read as one worker computes it, in one generation', async () => {
  const report = await simulate(words, { seed: 1, faults: 'none', seconds: 5, inputs: wordsInputs(1, 200) })
  expect(report.generations).toBe(1)
  expect(report.reads).toBeGreaterThan(20)
  expect(report.changes).toBeGreaterThan(20)
  expect(report.resets).toBe(0)
})

test('rows expire at the same times everywhere', async () => {
  const report = await simulate(featureStore, { seed: 2, faults: 'none', seconds: 5, inputs: featureStoreInputs(2, 200) })
  expect(report.reads).toBeGreaterThan(20)
})
