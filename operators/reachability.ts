/**
 * reachability: the nodes that can be reached from given ones along directed edges.
 *
 * Computes: each node once that is a root, or the target of an edge whose source is reached.
 * State: the edges by source, the reached nodes, and for each node when it was reached from where.
 * Times: a loop; outside of it any.
 * Cost: a change of an edge costs what it changes: the nodes whose distance from the roots becomes another.
 * Source: differential dataflow's bfs and graph examples.
 *
 * @example
 *   reachability(roots, edges, ['src'], ['dst'])   // roots has one column, such as node
 */
import { MillraceError } from '../runtime/error.ts'
import { concat } from './concat.ts'
import { distinct } from './distinct.ts'
import { columnNode } from './expression/node.ts'
import { innerJoin } from './inner-join.ts'
import { type IterateOptions, iterate } from './iterate.ts'
import type { PlanNode } from './plan.ts'
import { positionsOf } from './plan-columns.ts'

/**
 * @param roots its columns together identify a node
 * @param sources names of the columns of `edges` that identify the source node, in the order of the roots' columns
 * @param targets the same for the target node; of the types of the roots' columns
 */
export function reachability(
  roots: PlanNode,
  edges: PlanNode,
  sources: readonly string[],
  targets: readonly string[],
  options: IterateOptions = {},
  origin = '',
): PlanNode {
  const { names } = roots.schema
  if (sources.length !== names.length || targets.length !== names.length)
    throw new MillraceError('CONFIG', `a node has ${names.length} columns, an edge ${sources.length} for its source and ${targets.length}`)
  const from = positionsOf(edges, sources)
  const to = positionsOf(edges, targets)
  const projection = Object.fromEntries(
    names.map((name, i) => [name, { node: { ...columnNode(targets[i], edges.schema.types[to[i]]), side: 0 as const } }]),
  )
  return iterate(
    roots,
    (reached, enter) => {
      const next = innerJoin(
        enter(edges),
        reached,
        from,
        names.map((_, i) => i),
        projection,
        origin,
      )
      return distinct(concat([enter(roots), next], origin), origin)
    },
    options,
    origin,
  )
}
