/** The plain meaning of a collection: a multiset of rows, as a Map of a row's text to the row and its multiplicity. */
export type Row = Record<string, unknown>
export type Multiset = Map<string, { row: Row; count: number }>
export interface Change {
  readonly row: Row
  readonly diff: number
}

function shown(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' && (Number.isNaN(value) || !Number.isFinite(value) || Object.is(value, -0))) {
    return `#${Object.is(value, -0) ? '-0' : value}`
  }
  return value instanceof Uint8Array ? `bytes ${[...value].join()}` : value
}

/** A text that is equal exactly for identical values. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, shown) ?? 'undefined'
}

export function add(set: Multiset, row: Row, count: number): void {
  const text = textOf(row)
  const sum = (set.get(text)?.count ?? 0) + count
  if (sum === 0) set.delete(text)
  else set.set(text, { row, count: sum })
}

export function multiset(changes: Iterable<Change> = []): Multiset {
  const set: Multiset = new Map()
  for (const { row, diff } of changes) add(set, row, diff)
  return set
}

export function* changesOf(set: Multiset): Generator<Change> {
  for (const { row, count } of set.values()) yield { row, diff: count }
}

/** For comparison with `toEqual`: text to multiplicity, sorted. */
export function plain(set: Multiset): Record<string, number> {
  return Object.fromEntries([...set].map(([text, { count }]) => [text, count] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}
