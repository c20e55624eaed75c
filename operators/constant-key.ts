/** Grouping by nothing: all rows under one key, by a column of which every row has the same value. */
import { int32 } from '../runtime/data/column-type.ts'
import { Schema } from '../runtime/data/schema.ts'
import { columnNode, literalNode } from './expression/node.ts'
import type { PlanNode } from './plan.ts'
import { pickColumnsOf, select } from './select.ts'

/** No user's column has this name: theirs come from identifiers or SQL, and clashes are checked. */
export const CONSTANT_KEY = '\u0000all'

export function withConstantKey(input: PlanNode): PlanNode {
  const { names, types } = input.schema
  const columns = names.map((name, i) => [name, { node: columnNode(name, types[i] as Schema['types'][number]) }] as const)
  return select(input, Object.fromEntries([[CONSTANT_KEY, { node: literalNode(0, int32) }], ...columns]))
}

export function withoutConstantKey(node: PlanNode, origin: string): PlanNode {
  const kept = node.schema.names.map((_, i) => i).filter((i) => node.schema.names[i] !== CONSTANT_KEY)
  const columns = kept.map((i) => [node.schema.names[i] as string, node.schema.types[i] as Schema['types'][number]] as const)
  return pickColumnsOf(node, new Schema(Object.fromEntries(columns)), kept, origin)
}
