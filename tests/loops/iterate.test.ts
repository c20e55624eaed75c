import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { concat } from '../../operators/concat.ts'
import { distinct } from '../../operators/distinct.ts'
import { innerJoin } from '../../operators/inner-join.ts'
import { iterate, iterateAll } from '../../operators/iterate.ts'
import { map } from '../../operators/map.ts'
import { negate } from '../../operators/negate.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reachability } from '../../operators/reachability.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import { forceGeneration } from '../../runtime/data/kernel.ts'
import { WordTable } from '../../runtime/data/word-table.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import { follow } from '../oracle/check.ts'
import { type Multiset, multiset, plain } from '../oracle/multiset.ts'
import { type Edge, reachable, strongEdges } from './graphs.ts'
import { commits, edgeColumns, edgesOf, NODES, nodeColumns, nodesOf } from './inputs.ts'
import { column, strong } from './plans.ts'

const asRows = (nodes: Iterable<number>) => multiset([...nodes].map((node) => ({ row: { node }, diff: 1 })))

function checkEach(
  kinds: readonly ('edge' | 'node')[],
  plan: (...inputs: PlanNode[]) => PlanNode,
  definition: (...inputs: Multiset[]) => Multiset,
  runs = 150,
  nodes = NODES,
): void {
  const columns = kinds.map((kind) => (kind === 'edge' ? edgeColumns : nodeColumns))
  fc.assert(
    fc.property(commits(kinds, nodes), (list) => {
      follow(list, columns, plan, {}, (engine, inputs) => {
        expect(plain(engine.output())).toEqual(plain(definition(...inputs)))
        expect(plain(engine.errors)).toEqual({})
      })
    }),
    { numRuns: runs },
  )
}

afterEach(() => {
  forceGeneration(undefined)
  WordTable.forceHash = null
  KeyTable.forceHash = false
})

const reachPlan = (edges: PlanNode, roots: PlanNode) => reachability(roots, edges, ['src'], ['dst'])
const reachDefinition = (edges: Multiset, roots: Multiset) => asRows(reachable(nodesOf(roots), edgesOf(edges)))

describe('reachability', () => {
  it('equals a search from the roots after every commit', () => {
    checkEach(['edge', 'node'], reachPlan, reachDefinition, 300)
  })

  it('does so for edges of several columns', () => {
    const wide = { src: int32, dst: int32, weight: int32 }
    const weighted = (edges: PlanNode) => map(edges, wide, (({ src, dst }: Edge) => ({ src, dst, weight: src * dst })) as never)
    checkEach(['edge', 'node'], (edges, roots) => reachPlan(weighted(edges), roots), reachDefinition)
  })

  it('does so interpreted, with hashed keys, and with colliding hashes', () => {
    forceGeneration(false)
    checkEach(['edge', 'node'], reachPlan, reachDefinition, 60)
    forceGeneration(undefined)
    KeyTable.forceHash = true
    checkEach(['edge', 'node'], reachPlan, reachDefinition, 60)
    WordTable.forceHash = 42
    checkEach(['edge', 'node'], reachPlan, reachDefinition, 60)
  })
})

describe('nested loops', () => {
  it('trim a graph to the edges within its strongly connected components', () => {
    checkEach(['edge'], strong, (edges) => multiset(strongEdges(edgesOf(edges)).map((row) => ({ row: { ...row }, diff: 1 }))), 60, 5)
  })

  it('three deep, each level the closure of the one around it', () => {
    const grow = (nodes: PlanNode, edges: PlanNode) =>
      distinct(concat([nodes, innerJoin(edges, nodes, [0], [0], { node: column(edges, 'dst') })]))
    checkEach(
      ['edge', 'edge', 'edge', 'node'],
      (a, b, c, roots) =>
        iterate(roots, (x, enterX) =>
          grow(
            iterate(x, (y, enterY) => {
              const inner = iterate(y, (z, enterZ) => distinct(concat([enterZ(y), grow(z, enterZ(enterY(enterX(c))))])))
              return distinct(concat([enterY(x), grow(inner, enterY(enterX(b)))]))
            }),
            enterX(a),
          ),
        ),
      (a, b, c, roots) => asRows(reachable(nodesOf(roots), [...edgesOf(a), ...edgesOf(b), ...edgesOf(c)])),
      80,
    )
  })
})

describe('several variables', () => {
  it('reach even and odd numbers of steps by turns', () => {
    checkEach(
      ['edge', 'node'],
      (edges, roots) => {
        const step = (nodes: PlanNode, along: PlanNode) => innerJoin(along, nodes, [0], [0], { node: column(along, 'dst') })
        const none = distinct(concat([roots, negate(roots)]))
        return iterateAll({ even: roots, odd: none }, ({ even, odd }, enter) => ({
          even: distinct(concat([enter(roots), step(odd, enter(edges))])),
          odd: distinct(step(even, enter(edges))),
        })).odd
      },
      (edges, roots) => {
        const doubled = edgesOf(edges).flatMap(({ src, dst }) => [
          { src: 2 * src, dst: 2 * dst + 1 },
          { src: 2 * src + 1, dst: 2 * dst },
        ])
        const seen = [
          ...reachable(
            nodesOf(roots).map((node) => 2 * node),
            doubled,
          ),
        ]
        return asRows(seen.filter((node) => node % 2 === 1).map((node) => (node - 1) / 2))
      },
    )
  })
})

describe('a variable', () => {
  it('starts from its source and becomes the result of the body, so the source is not kept by itself', () => {
    // Every node moves to its half; what counts is where all end.
    checkEach(
      ['node'],
      (nodes) => iterate(nodes, (moving) => map(moving, nodeColumns, (({ node }: { node: number }) => ({ node: node >> 1 })) as never)),
      (nodes) => multiset([...nodes.values()].map(({ count }) => ({ row: { node: 0 }, diff: count }))),
    )
  })
})
