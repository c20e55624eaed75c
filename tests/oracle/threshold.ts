/** Definitions of distinct and threshold. */
import { add, type Multiset } from './multiset.ts'

export function thresholded(input: Multiset, fn: (multiplicity: number) => number): Multiset {
  const out: Multiset = new Map()
  for (const { row, count } of input.values()) add(out, row, fn(count))
  return out
}

export function distinctRows(input: Multiset): Multiset {
  return thresholded(input, (multiplicity) => (multiplicity > 0 ? 1 : 0))
}
