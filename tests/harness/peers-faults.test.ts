/** What other engines got wrong, as tests of whole jobs: rows lost by hashing, retractions in loops, keys that stay, values for rows. */
import { expect, test } from 'vitest'
import { aggregate } from '../../operators/aggregate.ts'
import { Collection } from '../../operators/collection.ts'
import { consolidate } from '../../operators/consolidate.ts'
import { distinct } from '../../operators/distinct.ts'
import { count } from '../../operators/expression/aggregate.ts'
import { Expression } from '../../operators/expression/expression.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { type InputDefinition, table } from '../../operators/input-definition.ts'
import { type InputNode, inputNode } from '../../operators/input-node.ts'
import { Job } from '../../operators/job.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reachability } from '../../operators/reachability.ts'
import { topK } from '../../operators/top-k.ts'
import { float64, int32 } from '../../runtime/data/column-type.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { SimulatedCluster } from '../../worker/simulated-cluster.ts'
import { add, type Multiset, plain } from '../oracle/multiset.ts'

function start(
  workers: number,
  inputs: Record<string, InputDefinition>,
  make: (nodes: Record<string, InputNode>) => Record<string, PlanNode>,
) {
  const nodes = Object.fromEntries(Object.entries(inputs).map(([name, definition]) => [name, inputNode(name, definition)]))
  const outputs = Object.fromEntries(Object.entries(make(nodes)).map(([name, node]) => [name, new Collection(node, name).changelog()]))
  const random = new SeededRandom(7)
  const cluster = new SimulatedCluster(new Job('test', inputs, outputs, nodes) as never, { workers, below: (bound) => random.below(bound) })
  const content = (name: string): Multiset => {
    const sum: Multiset = new Map()
    for (const changes of cluster.outputs.get(name)?.changes.values() ?? [])
      for (const { row, diff } of changes) add(sum, row as Record<string, unknown>, diff)
    return sum
  }
  return { cluster, content }
}

const nodeColumns = { node: int32 }
const edgeColumns = { src: int32, dst: int32 }

test.each([1, 3])(
  '300,000 random rows through distinct and consolidate keep every row, on %i workers',
  (workers) => {
    const { cluster } = start(workers, { rows: table({ x: float64, y: int32 }) }, ({ rows }) => ({
      distinct: aggregate(distinct(rows), [], { n: count().spec }),
      consolidated: aggregate(consolidate(rows), [], { n: count().spec }),
    }))
    const random = new SeededRandom(3)
    const seen = new Set<string>()
    const rows: object[] = []
    for (let i = 0; i < 300_000; i++) {
      const row = { x: random.fraction(), y: random.below(0x7fffffff) }
      seen.add(`${row.x},${row.y}`)
      rows.push(row)
    }
    cluster.changeMany('rows', rows, 1)
    cluster.commit()
    cluster.settle()
    expect(seen.size).toBe(300_000)
    for (const name of ['distinct', 'consolidated'])
      expect([...(cluster.outputs.get(name)?.changes.values() ?? [])].flat()).toEqual([{ row: { n: 300_000n }, diff: 1 }])
  },
  60_000,
)

test.each([1, 2, 5])('what was reachable only through a removed edge, a cycle among it, goes away, on %i workers', (workers) => {
  const { cluster, content } = start(workers, { edges: table(edgeColumns), roots: table(nodeColumns) }, ({ edges, roots }) => ({
    reached: reachability(roots, edges, ['src'], ['dst']),
  }))
  cluster.change('roots', { node: 0 }, 1)
  for (const [src, dst] of [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 1],
    [0, 4],
  ])
    cluster.change('edges', { src, dst }, 1)
  cluster.commit()
  cluster.settle()
  expect(content('reached').size).toBe(5)
  cluster.change('edges', { src: 0, dst: 1 }, -1)
  cluster.commit()
  cluster.settle()
  expect(plain(content('reached'))).toEqual({ '{"node":0}': 1, '{"node":4}': 1 })
  cluster.change('edges', { src: 4, dst: 3 }, 1)
  cluster.commit()
  cluster.settle()
  expect(content('reached').size).toBe(5)
})

test.each([1, 3])('the count of a key whose last row went away disappears, on %i workers', (workers) => {
  const { cluster, content } = start(workers, { edges: table(edgeColumns) }, ({ edges }) => ({
    counts: aggregate(edges, ['src'], { n: count().spec }),
  }))
  cluster.change('edges', { src: 1, dst: 1 }, 1)
  cluster.commit()
  cluster.change('edges', { src: 1, dst: 1 }, -1)
  cluster.commit()
  cluster.settle()
  expect(content('counts').size).toBe(0)
})

test.each([1, 3])('the first two are two rows, also where both have the same value, on %i workers', (workers) => {
  const { cluster, content } = start(workers, { edges: table(edgeColumns) }, ({ edges }) => ({
    top: topK(edges, ['src'], 2, [new Expression<number, 'int32'>(columnNode('dst', int32)).desc()]),
  }))
  for (const dst of [9, 9, 8, 7]) cluster.change('edges', { src: 1, dst }, 1)
  cluster.commit()
  cluster.settle()
  expect(plain(content('top'))).toEqual({ '{"src":1,"dst":9}': 2 })
  cluster.change('edges', { src: 1, dst: 9 }, -1)
  cluster.commit()
  cluster.settle()
  expect(plain(content('top'))).toEqual({ '{"src":1,"dst":8}': 1, '{"src":1,"dst":9}': 1 })
})
