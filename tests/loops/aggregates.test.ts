import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aggregate } from '../../operators/aggregate.ts'
import { concat } from '../../operators/concat.ts'
import { connectedComponents } from '../../operators/connected-components.ts'
import { distinct } from '../../operators/distinct.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { filterRows } from '../../operators/filter-rows.ts'
import { innerJoin } from '../../operators/inner-join.ts'
import { iterate } from '../../operators/iterate.ts'
import { map } from '../../operators/map.ts'
import { negate } from '../../operators/negate.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reduce } from '../../operators/reduce.ts'
import { topK } from '../../operators/top-k.ts'
import { int32, int64 } from '../../runtime/data/column-type.ts'
import { follow } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import { multiset, plain } from '../oracle/multiset.ts'
import { components, type Edge } from './graphs.ts'
import { commits, edgeColumns, edgesOf, nodeColumns, nodesOf } from './inputs.ts'

const column = (name: string) => columnNode(name, int32)

describe('connected components', () => {
  it('equal a search after every commit', () => {
    fc.assert(
      fc.property(commits(['edge']), (list) => {
        follow(
          list,
          [edgeColumns],
          (edges) => connectedComponents(edges, 'src', 'dst'),
          {},
          (engine, [edges]) => {
            const rows = [...components(edgesOf(edges))].map(([node, component]) => ({ row: { node, component }, diff: 1 }))
            expect(plain(engine.output())).toEqual(plain(multiset(rows)))
          },
        )
      }),
      { numRuns: 200 },
    )
  })
})

/** Shortest distances from node 0, by one of several ways to keep the least. */
function distances(edges: PlanNode, least: (paths: PlanNode) => PlanNode): PlanNode {
  const start = map(edges, { node: int32, steps: int32 }, (() => ({ node: 0, steps: 0 })) as never)
  const initial = distinct(start)
  return iterate(initial, (paths, enter) => {
    const next = innerJoin(enter(edges), paths, [0], [0], {
      node: { node: column('dst') },
      steps: { node: columnNode('steps', int32, 1) },
    })
    const longer = map(next, { node: int32, steps: int32 }, ((row: { node: number; steps: number }) => ({
      ...row,
      steps: row.steps + 1,
    })) as never)
    return least(concat([enter(initial), longer]))
  })
}

function shortest(edges: readonly Edge[]): Map<number, number> {
  const found = new Map(edges.length > 0 ? [[0, 0]] : [])
  for (let steps = 0; ; steps++) {
    const size = found.size
    for (const { src, dst } of edges) if (found.get(src) === steps && !found.has(dst)) found.set(dst, steps + 1)
    if (found.size === size) return found
  }
}

describe('groups in loops', () => {
  const ways: Record<string, (paths: PlanNode) => PlanNode> = {
    min: (paths) => aggregate(paths, ['node'], { steps: { op: 'min', inputs: [column('steps')], type: int32 } }),
    reduce: (paths) =>
      reduce(paths, ['node'], { steps: int32 }, (rows) => [{ steps: Math.min(...rows.map(({ row }) => row['steps'] as number)) }]),
    topK: (paths) => distinct(topK(paths, ['node'], 1, [{ node: column('steps'), descending: false, nulls: 'last' } as never])),
  }
  for (const [name, least] of Object.entries(ways)) {
    it(`keep shortest paths by ${name}`, () => {
      fc.assert(
        fc.property(commits(['edge'], 5), (list) => {
          follow(
            list,
            [edgeColumns],
            (edges) => distances(edges, least),
            {},
            (engine, [edges]) => {
              const rows = [...shortest(edgesOf(edges))].map(([node, steps]) => ({ row: { node, steps }, diff: 1 }))
              expect(plain(engine.output())).toEqual(plain(multiset(rows)))
              expect(plain(engine.errors)).toEqual({})
            },
          )
        }),
        { numRuns: 60 },
      )
    })
  }

  it('count in loops: a node is kept while at least two kept nodes point to it', () => {
    fc.assert(
      fc.property(commits(['edge', 'node'], 5), (list) => {
        const plan = (edges: PlanNode, nodes: PlanNode) =>
          iterate(distinct(nodes), (kept, enter) => {
            const pointed = innerJoin(enter(distinct(edges)), kept, [0], [0], { node: { node: column('dst') } })
            const counted = aggregate(pointed, ['node'], { n: { op: 'count', inputs: [], type: int64 } })
            const enough = filterRows(counted, (({ n }: { n: bigint }) => n >= 2n) as never)
            return distinct(innerJoin(enough, kept, [0], [0], { node: { node: column('node') } }))
          })
        follow(list, [edgeColumns, nodeColumns], plan, {}, (engine, [edges, nodes]) => {
          let kept = new Set(nodesOf(nodes))
          for (;;) {
            const next = new Set(
              [...kept].filter((node) => edgesOf(edges).filter(({ src, dst }) => dst === node && kept.has(src)).length >= 2),
            )
            if (next.size === kept.size) break
            kept = next
          }
          expect(plain(engine.output())).toEqual(plain(multiset([...kept].map((node) => ({ row: { node }, diff: 1 })))))
        })
      }),
      { numRuns: 100 },
    )
  })
})

describe('a loop that does not settle', () => {
  it('stops, names the rows that still change, goes on working, and the error goes away with its cause', () => {
    const engine = new Engine([nodeColumns], (nodes) =>
      iterate(nodes, (x) => map(x, nodeColumns, (({ node }: { node: number }) => ({ node: node < 0 ? node : (node + 1) % 3 })) as never), {
        maxIterations: 50,
      }),
    )
    engine.change(0, { node: 1 }, 1)
    engine.commit()
    const errors = [...engine.errors.values()]
    expect(errors.length).toBeGreaterThan(0)
    expect(errors[0].row).toMatchObject({ operator: 'iterate', message: expect.stringContaining('50 iterations') })
    engine.change(0, { node: 1 }, -1)
    engine.change(0, { node: -1 }, 1)
    engine.commit()
    expect(plain(engine.errors)).toEqual({})
    expect(plain(engine.output())).toEqual(plain(multiset([{ row: { node: -1 }, diff: 1 }])))
  })

  it('is said to be wrong where it takes what is outside', () => {
    const outside = (edges: PlanNode, nodes: PlanNode) =>
      iterate(nodes, (x) => distinct(innerJoin(edges, x, [0], [0], { node: { node: column('dst') } })))
    expect(() => new Engine([edgeColumns, nodeColumns], outside)).toThrow(/enter/)
    const other = (nodes: PlanNode) => iterate(nodes, (x) => distinct(concat([x, negate(iterate(nodes, () => x))])))
    expect(() => new Engine([nodeColumns], other)).toThrow(/does not belong/)
  })
})
