/** Makes expression nodes from operands, with the checks that the compiler makes for TypeScript repeated for plain JavaScript. */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { bool, bytes, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { shownValue } from '../../runtime/data/value-encoding.ts'
import { MillraceError } from '../../runtime/error.ts'
import type {
  ArithmeticOperation,
  CastOperation,
  ComparisonOperation,
  ExpressionNode,
  NumberOperation,
  Operation,
  TextOperation,
} from './node.ts'
import { literalNode, plainType } from './node.ts'

const SCALARS: Partial<Record<Kind, ColumnType>> = { int32, int64, float64, bool, text, timestamp, decimal, bytes }
const NUMERIC: readonly Kind[] = ['int32', 'int64', 'float64']
const ORDERED: readonly Kind[] = [...NUMERIC, 'bool', 'text', 'timestamp', 'decimal']

export function isNumeric(kind: Kind): boolean {
  return NUMERIC.includes(kind)
}

export function isOrdered(kind: Kind): boolean {
  return ORDERED.includes(kind)
}

/** The type of a kind; `like` gives what the kind alone does not say. */
function typed(kind: Kind, isNullable: boolean, like?: ColumnType): ColumnType {
  const base = SCALARS[kind] ?? { ...plainType(like as ColumnType), nullable: false }
  return isNullable ? nullable(base) : base
}

/** A node whose result is null if an argument is. */
function strict(op: Operation, kind: Kind, args: readonly ExpressionNode[]): ExpressionNode {
  return {
    op,
    args,
    type: typed(
      kind,
      args.some((arg) => arg.type.nullable),
      args[0]?.type,
    ),
  }
}

function mismatch(op: string, message: string): MillraceError {
  return new MillraceError(
    'COLUMN_TYPE',
    `${op}() ${message}.`,
    'Convert one side first, for example with .toText(), .toInt64() or .toFloat64().',
  )
}

function isExpression(value: unknown): value is { readonly node: ExpressionNode } {
  return typeof value === 'object' && value !== null && 'node' in value
}

/** An operand as a node; a literal takes the type of what stands beside it. */
export function operand(value: unknown, beside: ColumnType): ExpressionNode {
  return isExpression(value) ? value.node : literalNode(value, beside)
}

function require(op: string, node: ExpressionNode, kinds: readonly Kind[]): void {
  if (kinds.includes(node.type.kind)) return
  throw mismatch(op, `takes ${kinds.join(' or ')}, not ${node.type.kind}`)
}

/** The narrowest kind that holds both, or null. */
function common(a: Kind, b: Kind): Kind | null {
  if (a === b) return a
  if (!isNumeric(a) || !isNumeric(b)) return null
  return a === 'float64' || b === 'float64' ? 'float64' : 'int64'
}

function widen(node: ExpressionNode, kind: Kind): ExpressionNode {
  if (node.type.kind === kind) return node
  return strict(kind === 'float64' ? 'toFloat64' : 'toInt64', kind, [node])
}

export function arithmetic(op: ArithmeticOperation, left: ExpressionNode, other: unknown): ExpressionNode {
  const kind = left.type.kind
  if (kind === 'timestamp') return timestampArithmetic(op, left, other)
  require(op, left, NUMERIC)
  const right = operand(other, left.type)
  require(op, right, NUMERIC)
  const result = common(kind, right.type.kind) as Kind
  return strict(op, result, [widen(left, result), widen(right, result)])
}

function timestampArithmetic(op: ArithmeticOperation, left: ExpressionNode, other: unknown): ExpressionNode {
  if (op !== 'plus' && op !== 'minus') throw mismatch(op, 'takes numbers, not timestamp')
  const right = operand(other, int64)
  if (op === 'minus' && right.type.kind === 'timestamp') return strict(op, 'int64', [left, right])
  require(op, right, ['int32', 'int64'])
  return strict(op, 'timestamp', [left, widen(right, 'int64')])
}

export function numeric(op: NumberOperation, node: ExpressionNode): ExpressionNode {
  require(op, node, op === 'negate' || op === 'abs' ? NUMERIC : ['float64'])
  return strict(op, node.type.kind, [node])
}

export function comparison(op: ComparisonOperation, left: ExpressionNode, other: unknown): ExpressionNode {
  const right = operand(other, left.type)
  const kind = common(left.type.kind, right.type.kind)
  if (kind === null) throw mismatch(op, `compares ${left.type.kind} with ${right.type.kind}`)
  if (op !== 'eq' && op !== 'ne') require(op, left, ORDERED)
  return strict(op, 'bool', [widen(left, kind), widen(right, kind)])
}

export function logic(op: 'and' | 'or', left: ExpressionNode, other: unknown): ExpressionNode {
  const right = operand(other, bool)
  for (const node of [left, right]) require(op, node, ['bool'])
  return strict(op, 'bool', [left, right])
}

export function not(node: ExpressionNode): ExpressionNode {
  require('not', node, ['bool'])
  return strict('not', 'bool', [node])
}

export function nullTest(op: 'isNull' | 'isNotNull', node: ExpressionNode): ExpressionNode {
  return { op, args: [node], type: bool }
}

const TEXT_RESULT: Record<TextOperation, Kind> = {
  length: 'int32',
  lower: 'text',
  upper: 'text',
  concat: 'text',
  startsWith: 'bool',
  endsWith: 'bool',
  contains: 'bool',
  slice: 'text',
}

/** A text operation; further operands are text, those of `slice` int32. */
export function textual(op: TextOperation, node: ExpressionNode, others: readonly unknown[]): ExpressionNode {
  require(op, node, ['text'])
  const beside = op === 'slice' ? int32 : text
  const rest = others.map((other) => operand(other, beside))
  for (const other of rest) require(op, other, [beside.kind])
  return strict(op, TEXT_RESULT[op], [node, ...rest])
}

const CASTS: Record<CastOperation, { to: Kind; from: readonly Kind[] }> = {
  toInt32: { to: 'int32', from: ['int32', 'int64', 'float64', 'text'] },
  toInt64: { to: 'int64', from: ['int32', 'int64', 'float64', 'text', 'timestamp'] },
  toFloat64: { to: 'float64', from: ['int32', 'int64', 'float64', 'text', 'decimal'] },
  toText: { to: 'text', from: ORDERED },
  toTimestamp: { to: 'timestamp', from: ['int64', 'text', 'timestamp'] },
  toDecimal: { to: 'decimal', from: ['int32', 'int64', 'text', 'decimal'] },
}

export function cast(op: CastOperation, node: ExpressionNode): ExpressionNode {
  const { to, from } = CASTS[op]
  require(op, node, from)
  return node.type.kind === to ? node : strict(op, to, [node])
}

/** Down to a multiple of `unit` microseconds. */
export function truncate(node: ExpressionNode, unit: bigint): ExpressionNode {
  require('truncate', node, ['timestamp'])
  return strict('truncate', 'timestamp', [node, literalNode(unit, int64)])
}

/** Operands of a choice brought to one kind: an expression among them gives the literals their type. */
function choices(op: string, values: readonly unknown[]): { kind: Kind; nodes: ExpressionNode[] } {
  const types = values.filter(isExpression).map((value) => value.node.type)
  const guide = types[0] ?? guessType(op, values)
  const nodes = values.map((value) => operand(value, guide))
  let kind = guide.kind
  for (const node of nodes) {
    const wider = common(kind, node.type.kind)
    if (wider === null) throw mismatch(op, `has operands of kind ${kind} and ${node.type.kind}`)
    kind = wider
  }
  return { kind, nodes: nodes.map((node) => widen(node, kind)) }
}

/** The type of a value without context: a number is an int32. */
export function guessType(op: string, values: readonly unknown[]): ColumnType {
  const value = values.find((v) => v !== null)
  switch (typeof value) {
    case 'number':
      return int32
    case 'bigint':
      return int64
    case 'boolean':
      return bool
    case 'string':
      return text
    default:
      if (value instanceof Date) return timestamp
      if (value instanceof Uint8Array) return bytes
      throw new MillraceError('COLUMN_TYPE', `${op}() cannot tell the type of ${shownValue(value ?? null)}.`, 'Write literal(value, type).')
  }
}

export function orElse(node: ExpressionNode, other: unknown): ExpressionNode {
  const { kind, nodes } = choices('orElse', [{ node }, other])
  return {
    op: 'orElse',
    args: nodes,
    type: typed(
      kind,
      nodes.every((n) => n.type.nullable),
      node.type,
    ),
  }
}

export function when(condition: unknown, yes: unknown, no: unknown): ExpressionNode {
  const test = operand(condition, bool)
  require('when', test, ['bool'])
  const { kind, nodes } = choices('when', [yes, no])
  const like = nodes[0] as ExpressionNode
  return {
    op: 'when',
    args: [test, ...nodes],
    type: typed(
      kind,
      nodes.some((n) => n.type.nullable),
      like.type,
    ),
  }
}

/** The least or greatest of the operands that are not null. */
export function extreme(op: 'least' | 'greatest', values: readonly unknown[]): ExpressionNode {
  const { kind, nodes } = choices(op, values)
  for (const node of nodes) require(op, node, ORDERED)
  return nodes.reduce((a, b) => ({ op, args: [a, b], type: typed(kind, a.type.nullable && b.type.nullable) }))
}

/** A node that rows can be ordered by. */
export function ordered(op: string, node: ExpressionNode): ExpressionNode {
  require(op, node, ORDERED)
  return node
}
