/** Random changes of edges and nodes. */
import fc from 'fast-check'
import { int32 } from '../../runtime/data/column-type.ts'
import type { InputChange } from '../oracle/generators.ts'
import type { Multiset } from '../oracle/multiset.ts'
import type { Edge } from './graphs.ts'

export const edgeColumns = { src: int32, dst: int32 }
export const nodeColumns = { node: int32 }
export const NODES = 7

export const edgesOf = (set: Multiset) => [...set.values()].filter(({ count }) => count > 0).map(({ row }) => row as unknown as Edge)
export const nodesOf = (set: Multiset) => [...set.values()].filter(({ count }) => count > 0).map(({ row }) => row['node'] as number)

/** Commits of random insertions and removals; a removal takes back what is there. */
export function commits(kinds: readonly ('edge' | 'node')[], nodes = NODES): fc.Arbitrary<InputChange[][]> {
  const change = fc.record({
    input: fc.nat(kinds.length - 1),
    src: fc.nat(nodes - 1),
    dst: fc.nat(nodes - 1),
    remove: fc.boolean(),
    pick: fc.nat(1000),
  })
  return fc.array(fc.array(change, { maxLength: 6 }), { minLength: 1, maxLength: 8 }).map((lists) => {
    const present: Record<string, unknown>[][] = kinds.map(() => [])
    return lists.map((list) =>
      list.map(({ input, src, dst, remove, pick }) => {
        const there = present[input] as Record<string, unknown>[]
        if (remove && there.length > 0) return { input, row: there.splice(pick % there.length, 1)[0] as never, diff: -1 }
        const row = kinds[input] === 'edge' ? { src, dst } : { node: src }
        there.push(row)
        return { input, row: row as never, diff: 1 }
      }),
    )
  })
}
