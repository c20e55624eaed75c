/** Plans over graphs that several tests use. */
import { concat } from '../../operators/concat.ts'
import { distinct } from '../../operators/distinct.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { innerJoin } from '../../operators/inner-join.ts'
import { iterate } from '../../operators/iterate.ts'
import { map } from '../../operators/map.ts'
import type { PlanNode } from '../../operators/plan.ts'
import type { Edge } from './graphs.ts'
import { edgeColumns } from './inputs.ts'

export function column(node: PlanNode, name: string, side?: 1) {
  const made = columnNode(name, node.schema.types[node.schema.indexOf(name)] as never)
  return { node: side === 1 ? { ...made, side } : made }
}

/** Edges within strongly connected components: edges are trimmed forwards and backwards until none goes. */
export function strong(all: PlanNode): PlanNode {
  const edges = distinct(all)
  return distinct(iterate(edges, (inner, enter) => trimmed(trimmed(inner, enter(edges)), enter(edges))))
}

/** The edges of `edges`, turned, whose ends get the same least label along `inner`. Labels are taken from all ends. */
function trimmed(inner: PlanNode, edges: PlanNode): PlanNode {
  const ends = distinct(map(edges, edgeColumns, (({ src }: Edge) => ({ src, dst: src })) as never))
  const others = distinct(map(edges, edgeColumns, (({ dst }: Edge) => ({ src: dst, dst })) as never))
  // reach(src, dst): a walk along `inner` leads from src to dst.
  const reach = iterate(distinct(concat([ends, others])), (pairs, enter) =>
    distinct(
      concat([
        enter(distinct(concat([ends, others]))),
        innerJoin(pairs, enter(inner), [1], [0], { src: column(pairs, 'src'), dst: column(inner, 'dst', 1) }),
      ]),
    ),
  )
  // An edge stays if its target reaches its source.
  return innerJoin(edges, reach, [1, 0], [0, 1], { src: column(edges, 'src'), dst: column(edges, 'dst') })
}
