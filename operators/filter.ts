/**
 * filter: the rows for which a condition is true.
 *
 * Computes: each row that satisfies the condition, with its multiplicity; null counts as false. A row whose condition has no result
 * becomes an error.
 * State: none.
 * Times: each row keeps its time; inside loops too.
 * Cost: see `transform`, into which neighbouring steps fuse.
 * Source: selection of the relational algebra.
 *
 * @example
 *   filter(orders, o.cents.gt(100))
 */
import { MillraceError } from '../runtime/error.ts'
import { checkColumns, type HasNode } from './expression/compile.ts'
import type { PlanNode } from './plan.ts'
import { andThen, substitute } from './substitute.ts'
import { canFuse, isTransform, transform } from './transform.ts'

/**
 * The rows that satisfy a condition.
 * @throws MillraceError COLUMN_TYPE if the expression is not a condition
 */
export function filter(input: PlanNode, predicate: HasNode, origin = ''): PlanNode {
  const { node } = predicate
  checkColumns([node], input.schema)
  if (node.type.kind !== 'bool') {
    throw new MillraceError(
      'COLUMN_TYPE',
      `a filter takes a condition, not ${node.type.kind}`,
      'Compare it with something, for example .gt(0).',
    )
  }
  if (isTransform(input) && canFuse(input, [node])) {
    const { projection, condition } = input
    const inner = projection === null ? node : substitute(node, input.schema, projection)
    const both = condition === null ? inner : andThen(condition, inner)
    return transform('filter', input.inputs[0], both, projection, input.schema, origin)
  }
  return transform('filter', input, node, null, input.schema, origin)
}
