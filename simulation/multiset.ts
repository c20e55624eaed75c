/** Rows with multiplicities, compared by content; none is 0. */

export type Multiset = Map<string, number>

export const Multisets = {
  empty: (): Multiset => new Map(),

  add(set: Multiset, row: object, diff: number): void {
    const text = rowText(row)
    const sum = (set.get(text) ?? 0) + diff
    if (sum === 0) set.delete(text)
    else set.set(text, sum)
  },

  of(rows: Iterable<{ readonly row: object; readonly diff: number }>): Multiset {
    const set = Multisets.empty()
    for (const { row, diff } of rows) Multisets.add(set, row, diff)
    return set
  },

  /** What is in one and not in the other, for people; null if they are equal. */
  difference(found: Multiset, expected: Multiset): string | null {
    const lines: string[] = []
    for (const [text, n] of expected) if (found.get(text) !== n) lines.push(`expected ${n} x ${text}, found ${found.get(text) ?? 0}`)
    for (const [text, n] of found) if (!expected.has(text)) lines.push(`found ${n} x ${text}, expected none`)
    return lines.length === 0 ? null : lines.slice(0, 10).join('\n')
  },
}

/** Columns in the order of their names; a bigint and a number differ. */
export function rowText(row: object): string {
  const names = Object.keys(row).sort()
  return names.map((name) => `${name}=${valueText((row as Record<string, unknown>)[name])}`).join(' ')
}

function valueText(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `0x${Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value)
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? 'undefined'
}
