/** A user's function from one multiplicity to another, called so that whatever it does is an answer. */
import { shownValue } from '../runtime/data/value-encoding.ts'
import { NOT_DETERMINISTIC } from './determinism.ts'
import { thrownText } from './error-outlet.ts'

export type ThresholdFunction = (multiplicity: number) => number

/** What the function makes of a multiplicity other than 0, or, as text, why it makes nothing. `twice`: two calls must give the same. */
export function callThreshold(fn: ThresholdFunction, multiplicity: number, twice: boolean): number | string {
  try {
    const result = fn(multiplicity)
    if (twice && fn(multiplicity) !== result) return NOT_DETERMINISTIC
    if (result === (result | 0)) return result
    return `the function gave ${shownValue(result)}, which is no multiplicity (int32)`
  } catch (thrown) {
    return thrownText(thrown)
  }
}
