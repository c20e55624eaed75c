/** The accounts with the most frauds against their owner, as lines of text. */
import type { AccountRow } from './change-feed.ts'

const HEADER = '   account     owner    frauds in 30 days'
const LONGEST_BAR = 40

/** At most `most` accounts, the ones with the most frauds first; a header, then a line each. `width` in characters. */
export function tableLines(rows: readonly AccountRow[], most: number, width: number): string[] {
  const sorted = [...rows].sort((a, b) => Number(b.frauds - a.frauds) || a.accountId - b.accountId).slice(0, most)
  const largest = sorted.length === 0 ? 1 : Math.max(1, Number(sorted[0].frauds))
  const room = Math.max(0, Math.min(LONGEST_BAR, width - 32))
  const lines = sorted.map(({ accountId, ownerId, frauds }) => {
    const bar = '█'.repeat(Math.round((Math.max(0, Number(frauds)) / largest) * room))
    return `${String(accountId).padStart(10)}${String(ownerId).padStart(10)}${String(frauds).padStart(10)} ${bar}`
  })
  return [HEADER, ...lines].map((line) => line.slice(0, width))
}
