/** Which expressions can have no result for some row: only operators with such an expression have an error side. */
import type { ExpressionNode } from './expression/node.ts'

/** Whether an expression can fail. Says true rather than false when in doubt. */
export function canFail(node: ExpressionNode): boolean {
  return node.args.some(canFail) || failsItself(node)
}

function failsItself(node: ExpressionNode): boolean {
  const { kind } = node.type
  const from = node.args[0]?.type.kind
  switch (node.op) {
    case 'plus':
    case 'minus':
    case 'times':
    case 'negate':
    case 'abs':
      return kind !== 'float64'
    case 'divide':
    case 'modulo':
      return true
    case 'toInt32':
      return true
    case 'toInt64':
      return from === 'text' || from === 'float64'
    case 'toFloat64':
      return from === 'text'
    case 'toText':
      return from === 'timestamp'
    case 'toDecimal':
      return from === 'text'
    case 'toTimestamp':
    case 'truncate':
      return true
    case 'concat':
    case 'upper':
    case 'lower':
    case 'slice':
    case 'column':
    case 'literal':
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
    case 'and':
    case 'or':
    case 'not':
    case 'isNull':
    case 'isNotNull':
    case 'orElse':
    case 'when':
    case 'least':
    case 'greatest':
    case 'length':
    case 'startsWith':
    case 'endsWith':
    case 'contains':
    case 'floor':
    case 'ceil':
    case 'round':
      return false
    default:
      return true
  }
}
