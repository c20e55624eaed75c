/**
 * connected components: for each node the least node that it is connected with, along edges in either direction.
 *
 * Computes: one row (node, component) for each node that has an edge.
 * State: the edges in both directions by node, the labels, and each node's offered labels with their times.
 * Times: a loop; outside of it any.
 * Cost: a change of an edge costs what it changes: the nodes that come to know of their component by another way.
 * Source: label propagation, as in differential dataflow's examples.
 *
 * @example
 *   connectedComponents(edges, 'src', 'dst')   // columns node, component
 */
import { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { aggregate } from './aggregate.ts'
import { concat } from './concat.ts'
import { distinct } from './distinct.ts'
import { columnNode } from './expression/node.ts'
import { innerJoin } from './inner-join.ts'
import { type IterateOptions, iterate } from './iterate.ts'
import type { PlanNode } from './plan.ts'
import { positionsOf } from './plan-columns.ts'
import { pickColumnsOf } from './select.ts'

/**
 * @param source the column of `edges` with one end, `target` the one with the other end; both of one type, not json or an array
 * @throws MillraceError UNKNOWN_COLUMN, COLUMN_TYPE if the ends have different types
 */
export function connectedComponents(edges: PlanNode, source: string, target: string, options: IterateOptions = {}, origin = ''): PlanNode {
  const [from, to] = positionsOf(edges, [source, target])
  const type = edges.schema.types[from]
  const other = edges.schema.types[to]
  if (other.kind !== type.kind || other.nullable !== type.nullable)
    throw new MillraceError('COLUMN_TYPE', `the ends ${JSON.stringify(source)} and ${JSON.stringify(target)} have different types`)
  const ends = new Schema({ node: type, neighbour: type })
  const both = concat([pickColumnsOf(edges, ends, [from, to], origin), pickColumnsOf(edges, ends, [to, from], origin)], origin)
  const labelled = new Schema({ node: type, component: type })
  const initial = distinct(pickColumnsOf(both, labelled, [0, 0], origin), origin)
  return iterate(
    initial,
    (labels, enter) => {
      const offered = innerJoin(
        enter(both),
        labels,
        [0],
        [0],
        { node: { node: columnNode('neighbour', type) }, component: { node: columnNode('component', type, 1) } },
        origin,
      )
      const least = { op: 'min', inputs: [columnNode('component', type)], type } as const
      return aggregate(concat([enter(initial), offered], origin), ['node'], { component: least }, origin)
    },
    options,
    origin,
  )
}
