/** Jobs for simulated clusters, and rows for them from a seed. */
import { featureStore } from '../../examples/feature-store/job.ts'
import { count, int32, job, sum, table, text } from '../../millrace.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'

const DAY = 86_400_000_000
/** The simulated clock's start. */
const START = Date.UTC(2026, 0, 1) * 1000

/** Accounts that change owners, and frauds, some of which leave the view within the simulated seconds. */
export function featureStoreInputs(seed: number, changes: number) {
  const random = new SeededRandom(seed)
  const accounts: (object | ChangeRun)[] = []
  const frauds: { a: (object | ChangeRun)[]; b: (object | ChangeRun)[] } = { a: [], b: [] }
  for (let i = 0; i < changes; i++) {
    const accountId = random.below(20)
    if (random.chance(0.3)) {
      if (random.chance(0.1)) accounts.push({ op: 'delete', rows: [{ accountId }] })
      else accounts.push({ accountId, ownerId: random.below(6) })
    } else {
      const at = BigInt(START - (random.chance(0.5) ? 30 * DAY - random.below(15_000_000) : random.below(29 * 86_400) * 1_000_000))
      const side = random.chance(0.5) ? frauds.a : frauds.b
      side.push({ accountId, at })
      if (random.chance(0.2)) side.push({ op: 'remove', rows: [{ accountId, at }] })
      if (random.chance(0.05))
        side.push({ op: 'reject', rows: [{ source: 'log', position: `line ${i}`, excerpt: '???', message: 'no fraud' }] })
    }
  }
  return { accounts, frauds }
}

export { featureStore }

/** Words on their way through a changelog, a count and a top list. */
export const words = job('words', { lines: table({ word: text, weight: int32 }) }, ({ lines }) => {
  const counts = lines.groupBy('word').aggregate((line) => ({ n: count(), weight: sum(line.weight) }))
  return { counts: counts.keyBy('word'), heavy: counts.topK(3, (row) => [row.weight.desc(), row.word.asc()]), log: counts.changelog() }
})

export function wordsInputs(seed: number, changes: number) {
  const random = new SeededRandom(seed)
  const lines: Record<string, (object | ChangeRun)[]> = { one: [], two: [], three: [] }
  const names = Object.keys(lines)
  for (let i = 0; i < changes; i++) {
    const list = lines[names[random.below(names.length)]]
    const row = { word: `word number ${random.below(12)}`, weight: random.below(100) }
    list.push(row)
    if (random.chance(0.4)) list.push({ op: 'remove', rows: [row] })
  }
  return { lines }
}
