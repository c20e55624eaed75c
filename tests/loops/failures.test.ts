/** What fails inside a loop: an error of the row or group for as long as the definition, computed plainly, fails there. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aggregate } from '../../operators/aggregate.ts'
import { concat } from '../../operators/concat.ts'
import { distinct } from '../../operators/distinct.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { innerJoin } from '../../operators/inner-join.ts'
import { iterate } from '../../operators/iterate.ts'
import { map } from '../../operators/map.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reduce } from '../../operators/reduce.ts'
import { threshold } from '../../operators/threshold.ts'
import { int32, int64 } from '../../runtime/data/column-type.ts'
import { follow } from '../oracle/check.ts'
import { multiset, plain } from '../oracle/multiset.ts'
import type { Edge } from './graphs.ts'
import { commits, edgeColumns, nodeColumns } from './inputs.ts'

const NODES = 3
const target = { node: { node: columnNode('dst', int32) } }

/** What one step makes of the ways in which each node was offered: the nodes that are reached now, and the errors. */
type Step = (offers: ReadonlyMap<number, number>) => { reached: Set<number>; errors: string[] }

/**
 * The fixed point; null where the steps go round in a circle. Offers are the edges out of reached nodes, and node 0 as long as there
 * is an edge.
 */
function closure(edges: readonly Edge[], step: Step): ReturnType<Step> | null {
  const seen = new Set<string>()
  let reached = new Set(edges.length > 0 ? [0] : [])
  for (;;) {
    const offers = new Map(edges.length > 0 ? [[0, 1]] : [])
    for (const { src, dst } of edges) if (reached.has(src)) offers.set(dst, (offers.get(dst) ?? 0) + 1)
    const next = step(offers)
    const name = [...reached].sort().join()
    if ([...next.reached].sort().join() === name) return next
    if (seen.has(name)) return null
    seen.add(name)
    reached = next.reached
  }
}

function looped(edges: PlanNode, body: (offers: PlanNode) => PlanNode): PlanNode {
  const roots = distinct(map(edges, nodeColumns, (() => ({ node: 0 })) as never))
  return iterate(roots, (reached, enter) => body(concat([enter(roots), innerJoin(enter(edges), reached, [0], [0], target)])), {
    maxIterations: 200,
  })
}

function check(body: (offers: PlanNode) => PlanNode, step: Step, kind: string): void {
  let failed = 0
  fc.assert(
    fc.property(commits(['edge'], NODES), (list) => {
      follow(
        list,
        [edgeColumns],
        (edges) => looped(edges, body),
        {},
        (engine, [edges]) => {
          const all = [...edges.values()].flatMap(({ row, count }) => Array.from({ length: count }, () => row as unknown as Edge))
          const expected = closure(all, step)
          if (expected === null) return
          const { reached, errors } = expected
          failed += errors.length
          expect(plain(engine.output())).toEqual(plain(multiset([...reached].map((node) => ({ row: { node }, diff: 1 })))))
          const shown = [...engine.errors.values()].map(({ row, count }) => `${row['operator']}: ${row['row']} ${row['message']} ${count}`)
          expect(shown.sort()).toEqual(errors.map((error) => `${kind}: ${error}`).sort())
        },
      )
    }),
    { numRuns: 150 },
  )
  expect(failed).toBeGreaterThan(10)
}

/** A node fails, and is not reached, if it is offered in so many ways. */
function failing(fails: (ways: number) => boolean, message: string): Step {
  return (offers) => {
    const reached = new Set<number>()
    const errors: string[] = []
    for (const [node, ways] of offers) {
      if (fails(ways)) errors.push(`{ node: ${node} } ${message} 1`)
      else reached.add(node)
    }
    return { reached, errors }
  }
}

const atTwo = (message: string): Step => failing((ways) => ways === 2, message)
const nodesOnly = (rows: PlanNode): PlanNode => map(rows, nodeColumns, (({ node }: { node: number }) => ({ node })) as never)

describe('inside a loop', () => {
  it('a threshold that throws is an error of the row', () => {
    const fn = (count: number) => {
      if (count === 2) throw new Error('two')
      return 1
    }
    check((offers) => threshold(offers, fn, 'here'), atTwo('Error: two'), 'threshold')
  })

  it('a threshold that gives no multiplicity is an error of the row', () => {
    const message = 'the function gave 0.5, which is no multiplicity (int32)'
    check((offers) => threshold(offers, (count) => (count === 2 ? 0.5 : 1)), atTwo(message), 'threshold')
  })

  it('a reduction that throws is an error of the group', () => {
    const waysOf = (rows: readonly { diff: number }[]) => {
      const ways = rows.reduce((sum, { diff }) => sum + diff, 0)
      if (ways === 2) throw new Error('two')
      return [{ ways: 0 }]
    }
    check((offers) => nodesOnly(reduce(offers, ['node'], { ways: int32 }, waysOf)), atTwo('Error: two'), 'reduce')
  })

  it('an aggregate that overflows is an error of the group', () => {
    const body = (offers: PlanNode) => {
      const rows = map(offers, { ...nodeColumns, big: int64 }, (({ node }: { node: number }) => ({ node, big: 2n ** 62n })) as never)
      return nodesOnly(aggregate(rows, ['node'], { sum: { op: 'sum', inputs: [columnNode('big', int64)], type: int64 } }))
    }
    check(
      body,
      failing((ways) => ways > 1, 'the sum "sum" leaves the range of int64'),
      'aggregate',
    )
  })
})
