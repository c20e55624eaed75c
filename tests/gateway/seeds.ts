import { fixedSeed } from '../property-seed.ts'

/** So many seeds, from the fixed one on or from a new one. */
export function propertySeeds(count: number): number[] {
  const first = fixedSeed() ?? Math.floor(Math.random() * 1_000_000_000)
  return Array.from({ length: count }, (_, i) => first + i)
}
