/** Several outer times inside a loop at once: every time's output is still the definition's. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { connectedComponents } from '../../operators/connected-components.ts'
import { OutputOperator } from '../../operators/output.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reachability } from '../../operators/reachability.ts'
import { WordTable } from '../../runtime/data/word-table.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import { Engine } from '../oracle/engine.ts'
import { add, type Multiset, multiset, plain, type Row } from '../oracle/multiset.ts'
import { components, reachable, strongEdges } from './graphs.ts'
import { commits, edgeColumns, edgesOf, nodeColumns, nodesOf } from './inputs.ts'
import { strong } from './plans.ts'

afterEach(() => {
  WordTable.forceHash = null
  KeyTable.forceHash = false
})

/** Activations after each commit: 0 leaves all of it to later, 40 some, without end all. */
const budgets = fc.array(fc.constantFrom(0, 7, 40, Number.POSITIVE_INFINITY), { minLength: 8, maxLength: 8 })

function check(
  kinds: readonly ('edge' | 'node')[],
  plan: (...inputs: PlanNode[]) => PlanNode,
  definition: (...inputs: Multiset[]) => Multiset,
  runs: number,
  nodes = 6,
): void {
  fc.assert(
    fc.property(commits(kinds, nodes), budgets, (list, budget) => {
      let node: PlanNode | null = null
      const engine = new Engine(
        kinds.map((kind) => (kind === 'edge' ? edgeColumns : nodeColumns)),
        (...inputs) => {
          node = plan(...inputs)
          return node
        },
      )
      const found: { time: number; row: Row; diff: number }[] = []
      new OutputOperator(engine.builder.of(node as unknown as PlanNode).rows, 'each').subscribe(({ time, changes }) => {
        for (const { row, diff } of changes) found.push({ time, row: row as Row, diff })
      })
      const { dataflow } = engine
      const run = dataflow.run.bind(dataflow)
      const inputs: Multiset[] = kinds.map(() => new Map())
      const expected: { time: number; rows: Record<string, number> }[] = []
      list.forEach((commit, i) => {
        for (const { input, row, diff } of commit) {
          engine.change(input, row, diff)
          add(inputs[input], row, diff)
        }
        dataflow.run = () => (budget[i] === 0 ? false : run(budget[i]))
        expected.push({ time: engine.commit(), rows: plain(definition(...inputs)) })
      })
      run()
      expect(found.map(({ time }) => time)).toEqual(found.map(({ time }) => time).sort((a, b) => a - b))
      for (const { time, rows } of expected) expect(plain(multiset(found.filter((one) => one.time <= time)))).toEqual(rows)
    }),
    { numRuns: runs },
  )
}

const reach = (edges: PlanNode, roots: PlanNode) => reachability(roots, edges, ['src'], ['dst'])
const reachDefinition = (edges: Multiset, roots: Multiset) =>
  multiset([...reachable(nodesOf(roots), edgesOf(edges))].map((node) => ({ row: { node }, diff: 1 })))

describe('several times under way in a loop', () => {
  it('give the reachable nodes of each time', () => {
    check(['edge', 'node'], reach, reachDefinition, 250)
  })

  it('do so with colliding hashes', () => {
    KeyTable.forceHash = true
    WordTable.forceHash = 7
    check(['edge', 'node'], reach, reachDefinition, 60)
  })

  it('give the components of each time', () => {
    check(
      ['edge'],
      (edges) => connectedComponents(edges, 'src', 'dst'),
      (edges) => multiset([...components(edgesOf(edges))].map(([node, component]) => ({ row: { node, component }, diff: 1 }))),
      150,
    )
  })

  it('give the strongly connected edges of each time, two loops deep', () => {
    check(['edge'], strong, (edges) => multiset(strongEdges(edgesOf(edges)).map((row) => ({ row: { ...row }, diff: 1 }))), 60, 5)
  })
})
