/**
 * Expression nodes: what a typed expression is made of, as plain data that `JSON.stringify` keeps whole.
 *
 * Operands of arithmetic and comparison have one kind by the time a node exists: widening is written out as casts.
 */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { nullable } from '../../runtime/data/column-type.ts'
import { checkWellFormed } from '../../runtime/data/dictionary.ts'
import { encode, INT64_MAX, INT64_MIN, shownValue } from '../../runtime/data/value-encoding.ts'
import { MillraceError } from '../../runtime/error.ts'

export type ArithmeticOperation = 'plus' | 'minus' | 'times' | 'divide' | 'modulo'
export type ComparisonOperation = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'
export type NumberOperation = 'negate' | 'abs' | 'floor' | 'ceil' | 'round'
export type TextOperation = 'length' | 'lower' | 'upper' | 'concat' | 'startsWith' | 'endsWith' | 'contains' | 'slice'
export type CastOperation = 'toInt32' | 'toInt64' | 'toFloat64' | 'toText' | 'toTimestamp' | 'toDecimal'

export type Operation =
  | 'column'
  | 'literal'
  | ArithmeticOperation
  | ComparisonOperation
  | NumberOperation
  | TextOperation
  | CastOperation
  | 'and'
  | 'or'
  | 'not'
  | 'isNull'
  | 'isNotNull'
  | 'orElse'
  | 'when'
  | 'least'
  | 'greatest'
  /** Down to a multiple of the second argument, microseconds. */
  | 'truncate'

/** A literal as JSON: int64, timestamp, and the doubles that JSON lacks, are strings. */
export type LiteralData = null | boolean | number | string

export interface ExpressionNode {
  readonly op: Operation
  readonly args: readonly ExpressionNode[]
  readonly type: ColumnType
  /** Of a column: its name, and which side of a join it comes from (0 unless there are two). */
  readonly name?: string
  readonly side?: number
  /** Of a literal. */
  readonly value?: LiteralData
}

/** A value as the interpreter holds it: bigint for int64 and timestamp, the content for interned kinds. */
export type Scalar = null | boolean | number | bigint | string

/** A type without what cannot be sent or stored. */
export function plainType(type: ColumnType): ColumnType {
  const { kind, nullable, width, element } = type
  return element === undefined ? { kind, nullable, width } : { kind, nullable, width, element: plainType(element) }
}

export function columnNode(name: string, type: ColumnType, side = 0): ExpressionNode {
  return { op: 'column', args: [], type: plainType(type), name, side }
}

/**
 * A literal of a column type.
 * @throws MillraceError COLUMN_TYPE if the value is not one of that type
 */
export function literalNode(value: unknown, type: ColumnType): ExpressionNode {
  const data = literalData(value, type)
  const plain = plainType(type)
  return { op: 'literal', args: [], type: data === null ? nullable(plain) : { ...plain, ...notNull(plain) }, value: data }
}

function notNull(type: ColumnType): { nullable: boolean; width: 1 | 2 | 3 } {
  switch (type.kind) {
    case 'int32':
      return { nullable: false, width: 1 }
    case 'int64':
      return { nullable: false, width: 2 }
    default:
      return { nullable: false, width: type.width }
  }
}

function literalData(value: unknown, type: ColumnType): LiteralData {
  const { kind } = type
  if (value === null) return null
  switch (kind) {
    case 'int32':
      if (typeof value === 'number' && value === (value | 0)) return value | 0
      break
    case 'int64':
    case 'timestamp': {
      const long = toLong(value, kind)
      // The least int64 stands for a null timestamp.
      if (long !== null && long <= INT64_MAX && long >= (kind === 'int64' ? INT64_MIN : -INT64_MAX)) return String(long)
      break
    }
    case 'float64':
      if (typeof value === 'number') return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)
      break
    case 'bool':
      if (typeof value === 'boolean') return value
      break
    default: {
      const encoded = encode(type, value)
      checkWellFormed(encoded)
      return encoded
    }
  }
  throw new MillraceError('COLUMN_TYPE', `${shownValue(value)} is not a value of kind ${kind}.`, literalHint(value, kind))
}

function toLong(value: unknown, kind: Kind): bigint | null {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null
  if (kind === 'timestamp' && value instanceof Date && !Number.isNaN(value.getTime())) return BigInt(value.getTime()) * 1000n
  return null
}

function literalHint(value: unknown, kind: Kind): string {
  if (typeof value === 'number' && kind === 'int32') {
    return Number.isInteger(value)
      ? 'Use .toInt64() on the other side, or literal(value, int64).'
      : 'Use .toFloat64() on the other side, or literal(value, float64).'
  }
  return `Write it as ${kind}, or convert the other side.`
}

/** The value of a literal node. */
export function literalValue(node: ExpressionNode): Scalar {
  const value = node.value as LiteralData
  if (value === null) return null
  switch (node.type.kind) {
    case 'int64':
    case 'timestamp':
      return BigInt(value)
    case 'float64':
      return Number(value)
    default:
      return value
  }
}
