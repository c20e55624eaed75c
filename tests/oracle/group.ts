/** Definitions of reduce and topK. */
import { groupsOf } from './aggregate.ts'
import { add, type Change, type Multiset, type Row } from './multiset.ts'

export function reduced(
  input: Multiset,
  keys: readonly string[],
  fn: (rows: Change[], key: Row) => Iterable<Row>,
): { rows: Multiset; errors: Multiset } {
  const rows: Multiset = new Map()
  const errors: Multiset = new Map()
  for (const group of groupsOf(input, keys)) {
    try {
      const changes = group.rows.map(({ row, count }) => ({ row, diff: count }))
      for (const row of [...fn(changes, group.key)]) add(rows, { ...group.key, ...row }, 1)
    } catch (error) {
      const parts = Object.entries(group.key).map(
        ([name, value]) => `${name}: ${typeof value === 'string' ? JSON.stringify(value) : value}`,
      )
      add(errors, { row: parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`, message: (error as Error).message }, 1)
    }
  }
  return { rows, errors }
}

/** `order` is what the user asked for; `exact` orders what it leaves equal. */
export function topRows(
  input: Multiset,
  keys: readonly string[],
  k: number,
  order: (a: Row, b: Row) => number,
  exact: (a: Row, b: Row) => number,
  options: { readonly offset?: number; readonly ties?: boolean } = {},
): Multiset {
  const { offset = 0, ties = false } = options
  const out: Multiset = new Map()
  for (const { rows } of groupsOf(input, keys)) {
    const places = rows
      .filter(({ count }) => count > 0)
      .sort((a, b) => order(a.row, b.row) || exact(a.row, b.row))
      .flatMap(({ row, count }) => Array.from({ length: count }, () => row))
    const last = places[offset + k - 1]
    places.forEach((row, place) => {
      if (place >= offset && (place < offset + k || (ties && last !== undefined && order(row, last) === 0))) add(out, row, 1)
    })
  }
  return out
}
