/** Puts a projection's expressions in the place of its columns: what two steps compute, as one. */

import { bool } from '../runtime/data/column-type.ts'
import type { Schema } from '../runtime/data/schema.ts'
import type { ExpressionNode } from './expression/node.ts'
import { literalNode } from './expression/node.ts'

/** `node` over the columns of `schema`, as an expression over what `projection` (one expression a column) reads. */
export function substitute(node: ExpressionNode, schema: Schema, projection: readonly ExpressionNode[]): ExpressionNode {
  if (node.op === 'column') return projection[schema.indexOf(node.name as string)] as ExpressionNode
  if (node.args.length === 0) return node
  return { ...node, args: node.args.map((arg) => substitute(arg, schema, projection)) }
}

/** Nodes in an expression, as a measure of its code. */
export function sizeOf(node: ExpressionNode): number {
  let size = 1
  for (const arg of node.args) size += sizeOf(arg)
  return size
}

/** `first` is true, and then `second` is; `second` is not evaluated where `first` is false or null. */
export function andThen(first: ExpressionNode, second: ExpressionNode): ExpressionNode {
  const certain: ExpressionNode = first.type.nullable ? { op: 'orElse', args: [first, literalNode(false, bool)], type: bool } : first
  return { op: 'and', args: [certain, second], type: second.type }
}
