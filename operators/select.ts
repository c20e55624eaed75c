/**
 * select: rows of expressions over each row's columns.
 *
 * Computes: one row a row, with its multiplicity. A row whose expressions have no result becomes an error.
 * State: none.
 * Times: each row keeps its time; inside loops too.
 * Cost: nothing if every expression is a column; else see `transform`.
 * Source: projection of the relational algebra.
 *
 * @example
 *   select(orders, { city: o.city, euros: o.cents.divide(100) })
 */
import { Schema } from '../runtime/data/schema.ts'
import { pick } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { checkColumns, type HasNode, pickedColumn } from './expression/compile.ts'
import type { ExpressionNode } from './expression/node.ts'
import type { Built, PlanNode } from './plan.ts'
import { sizeOf, substitute } from './substitute.ts'
import { canFuse, isTransform, transform } from './transform.ts'

/** Steps stop fusing when an expression would grow past this many nodes: substitution may repeat its parts. */
const FUSED_NODES = 200

/**
 * Rows of expressions.
 * @throws MillraceError UNKNOWN_COLUMN, COLUMN_TYPE if an expression is not over the input's columns
 */
export function select(input: PlanNode, expressions: Readonly<Record<string, HasNode>>, origin = ''): PlanNode {
  const nodes = Object.values(expressions).map((expression) => expression.node)
  checkColumns(nodes, input.schema)
  const schema = new Schema(Object.fromEntries(Object.keys(expressions).map((name, i) => [name, (nodes[i] as ExpressionNode).type])))
  const picks = nodes.map((node) => pickedColumn({ node }, input.schema))
  if (picks.every((column) => column >= 0)) return pickColumnsOf(input, schema, picks, origin)
  if (isTransform(input) && canFuse(input, nodes)) {
    const { projection } = input
    const fused = projection === null ? nodes : nodes.map((node) => substitute(node, input.schema, projection))
    if (fused.every((node) => sizeOf(node) <= FUSED_NODES)) {
      return transform('select', input.inputs[0], input.condition, fused, schema, origin)
    }
  }
  return transform('select', input, null, nodes, schema, origin)
}

/** Some columns of a node under the names of `schema`; nothing is copied. */
export function pickColumnsOf(input: PlanNode, schema: Schema, columns: readonly number[], origin: string): PlanNode {
  return {
    kind: 'select',
    inputs: [input],
    schema,
    parameters: { columns },
    origin,
    depth: input.depth,
    appendOnly: input.appendOnly ?? false,
    build: (builder: Builder): Built => {
      const { rows, errors } = builder.of(input)
      return { rows: pick(rows, schema, columns), errors }
    },
  }
}
