/** Definitions of joins: null equals nothing; the number of rows of a pair is the product of both. */
import { add, type Multiset, type Row, textOf } from './multiset.ts'

export type Pairs = readonly (readonly [string, string])[]

function keyOf(row: Row, names: readonly string[]): string | null {
  const values = names.map((name) => row[name])
  if (values.includes(null)) return null
  // int32 meets int64; -0 is 0.
  return textOf(values.map((value) => (typeof value === 'bigint' ? Number(value) : value === 0 ? 0 : value)))
}

export function joined(left: Multiset, right: Multiset, keys: Pairs, project: (a: Row, b: Row) => Row): Multiset {
  const out: Multiset = new Map()
  for (const a of left.values()) {
    const key = keyOf(
      a.row,
      keys.map(([mine]) => mine),
    )
    for (const b of right.values()) {
      if (
        key !== null &&
        key ===
          keyOf(
            b.row,
            keys.map(([, theirs]) => theirs),
          )
      )
        add(out, project(a.row, b.row), a.count * b.count)
    }
  }
  return out
}

/** Keys whose multiplicities on the right add up to more than 0. */
function matched(right: Multiset, names: readonly string[]): Set<string | null> {
  const counts = new Map<string | null, number>()
  for (const { row, count } of right.values()) counts.set(keyOf(row, names), (counts.get(keyOf(row, names)) ?? 0) + count)
  return new Set([...counts].filter(([key, count]) => key !== null && count > 0).map(([key]) => key))
}

export function semijoined(left: Multiset, right: Multiset, keys: Pairs, matching = true): Multiset {
  const out: Multiset = new Map()
  const present = matched(
    right,
    keys.map(([, theirs]) => theirs),
  )
  for (const { row, count } of left.values()) {
    if (
      present.has(
        keyOf(
          row,
          keys.map(([mine]) => mine),
        ),
      ) === matching
    )
      add(out, row, count)
  }
  return out
}

export function antijoined(left: Multiset, right: Multiset, keys: Pairs): Multiset {
  return semijoined(left, right, keys, false)
}

/** `project` gets null for the side without a match. */
export function outerJoined(
  left: Multiset,
  right: Multiset,
  keys: Pairs,
  kept: { readonly left: boolean; readonly right: boolean },
  project: (a: Row | null, b: Row | null) => Row,
): Multiset {
  const out = joined(left, right, keys, project)
  if (kept.left) for (const { row, count } of antijoined(left, right, keys).values()) add(out, project(row, null), count)
  const turned = keys.map(([mine, theirs]) => [theirs, mine] as const)
  if (kept.right) for (const { row, count } of antijoined(right, left, turned).values()) add(out, project(null, row), count)
  return out
}
