/**
 * Seeds of property tests: MILLRACE_SEED if given; in CI always the same, so that what is judged is the change; else new ones at
 * each run, so that the tests explore. A failure prints its seed either way.
 */
import * as fc from 'fast-check'

const CI_SEED = 20_261_122

/** The seed to begin with, or null for a new one. */
export function fixedSeed(): number | null {
  const given = process.env.MILLRACE_SEED
  if (given !== undefined && given !== '') return Number(given)
  return process.env.CI === undefined || process.env.CI === '' ? null : CI_SEED
}

const seed = fixedSeed()
if (seed !== null) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
