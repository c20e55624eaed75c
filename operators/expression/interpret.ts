/**
 * Evaluates expressions without generating code: where `new Function` is forbidden, for rows whose 64-bit values don't
 * fit a double, and as the definition that compiled expressions are tested against.
 *
 * An expression becomes a tree of closures from (frame, row) to a value; a row that has no result throws a RowFailure.
 */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { isInterned, NULL_BOOL, NULL_FLOAT_HIGH, NULL_FLOAT_LOW, NULL_TIMESTAMP_HIGH } from '../../runtime/data/column-type.ts'
import { INT64_MAX, INT64_MIN } from '../../runtime/data/value-encoding.ts'
import { compareText } from '../../runtime/data/value-order.ts'
import type { Frame } from './frame.ts'
import type { ComparisonOperation, ExpressionNode, Scalar } from './node.ts'
import { literalValue } from './node.ts'
import * as scalar from './scalar.ts'

/** Why a row has no result. Not an Error: nobody reads its stack, and making one costs microseconds. */
export class RowFailure {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

export type Evaluate = (frame: Frame, row: number) => Scalar

/** @param resolve the input column of a column node */
export function interpret(node: ExpressionNode, resolve: (node: ExpressionNode) => number): Evaluate {
  if (node.op === 'column') return reader(node.type, resolve(node))
  if (node.op === 'literal') {
    const value = literalValue(node)
    return () => value
  }
  const args = node.args.map((arg) => interpret(arg, resolve))
  return lazy(node, args) ?? strict(node, args)
}

/** Reads a value of a column. */
function reader(type: ColumnType, column: number): Evaluate {
  switch (type.kind) {
    case 'int32':
      return type.nullable
        ? (frame, row) => ((frame.columns[column] as Int32Array)[2 * row + 1] === 0 ? (frame.columns[column] as Int32Array)[2 * row] : null)
        : (frame, row) => (frame.columns[column] as Int32Array)[row]
    case 'bool':
      return (frame, row) => {
        const value = (frame.columns[column] as Int32Array)[row]
        return value === NULL_BOOL ? null : value === 1
      }
    case 'float64':
      return (frame, row) => {
        const words = frame.columns[column] as Int32Array
        if (words[2 * row + 1] === NULL_FLOAT_HIGH && words[2 * row] === NULL_FLOAT_LOW) return null
        return (frame.floats[column] as Float64Array)[row]
      }
    case 'int64':
    case 'timestamp': {
      const { width, nullable } = type
      return (frame, row) => {
        const words = frame.columns[column] as Int32Array
        const low = words[width * row]
        const high = words[width * row + 1]
        if (width === 3 && words[width * row + 2] !== 0) return null
        if (width === 2 && nullable && low === 0 && high === NULL_TIMESTAMP_HIGH) return null
        return scalar.longOf(low, high)
      }
    }
    default:
      return (frame, row) => {
        const id = (frame.columns[column] as Int32Array)[row]
        return id === 0 ? null : frame.dictionary.get(id)
      }
  }
}

/** Operations that look at null themselves or don't evaluate all arguments. */
function lazy(node: ExpressionNode, args: readonly Evaluate[]): Evaluate | null {
  const [a, b, c] = args as [Evaluate, Evaluate, Evaluate]
  switch (node.op) {
    case 'isNull':
      return (frame, row) => a(frame, row) === null
    case 'isNotNull':
      return (frame, row) => a(frame, row) !== null
    case 'orElse':
      return (frame, row) => a(frame, row) ?? b(frame, row)
    case 'when':
      return (frame, row) => (a(frame, row) === true ? b(frame, row) : c(frame, row))
    case 'and':
      return (frame, row) => {
        const left = a(frame, row)
        if (left === false) return false
        const right = b(frame, row)
        return right === false ? false : left === null ? null : right
      }
    case 'or':
      return (frame, row) => {
        const left = a(frame, row)
        if (left === true) return true
        const right = b(frame, row)
        return right === true ? true : left === null ? null : right
      }
    case 'least':
    case 'greatest': {
      const sign = node.op === 'least' ? 1 : -1
      const compare = comparator(node.type)
      return (frame, row) => {
        const left = a(frame, row)
        const right = b(frame, row)
        if (left === null || right === null) return left ?? right
        return sign * compare(right, left) < 0 ? right : left
      }
    }
    default:
      return null
  }
}

type NotNull = Exclude<Scalar, null>

function strict(node: ExpressionNode, args: readonly Evaluate[]): Evaluate {
  const apply = operation(node)
  const [a, b, c] = args as [Evaluate, Evaluate | undefined, Evaluate | undefined]
  if (b === undefined) {
    return (frame, row) => {
      const x = a(frame, row)
      return x === null ? null : apply(x, x, undefined)
    }
  }
  return (frame, row) => {
    const x = a(frame, row)
    const y = b(frame, row)
    const z = c?.(frame, row)
    return x === null || y === null || z === null ? null : apply(x, y, z)
  }
}

/** The order of two values of a type; NaN is above all numbers and equals itself. */
export function comparator(type: ColumnType): (a: NotNull, b: NotNull) => number {
  switch (type.kind) {
    case 'float64':
      return (a, b) => (a < b ? -1 : a > b ? 1 : Number(Number.isNaN(a)) - Number(Number.isNaN(b)))
    case 'decimal':
      return (a, b) => scalar.compareDecimal(a as string, b as string)
    default:
      if (isInterned(type)) return (a, b) => compareText(a as string, b as string)
      return (a, b) => (a < b ? -1 : a > b ? 1 : 0)
  }
}

const COMPARISONS: Record<ComparisonOperation, (order: number) => boolean> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
}

/** An operation on values that are not null. */
function operation(node: ExpressionNode): (a: NotNull, b: NotNull, c: NotNull | undefined) => Scalar {
  const { op } = node
  const from = (node.args[0] as ExpressionNode).type
  switch (op) {
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge': {
      const compare = comparator(from)
      const holds = COMPARISONS[op]
      return (a, b) => holds(compare(a, b))
    }
    case 'not':
      return (a) => !a
    case 'length':
      return (a) => scalar.textLength(a as string)
    case 'lower':
      return (a) => (a as string).toLowerCase()
    case 'upper':
      return (a) => (a as string).toUpperCase()
    case 'concat':
      return (a, b) => (a as string) + (b as string)
    case 'startsWith':
      return (a, b) => (a as string).startsWith(b as string)
    case 'endsWith':
      return (a, b) => (a as string).endsWith(b as string)
    case 'contains':
      return (a, b) => (a as string).includes(b as string)
    case 'slice':
      return (a, b, c) => scalar.textSlice(a as string, b as number, c as number | undefined)
    case 'floor':
      return (a) => Math.floor(a as number)
    case 'ceil':
      return (a) => Math.ceil(a as number)
    case 'round':
      return (a) => scalar.roundHalfEven(a as number)
    case 'toInt32':
    case 'toInt64':
    case 'toFloat64':
    case 'toText':
    case 'toTimestamp':
    case 'toDecimal':
      return casting(node, from)
    case 'truncate':
      return (a, b) => long(node, floorTo(a as bigint, b as bigint), a, undefined)
    default:
      return arithmetic(node)
  }
}

function floorTo(value: bigint, unit: bigint): bigint {
  const rest = value % unit
  return value - (rest < 0n ? rest + unit : rest)
}

/** Checks an int64 or timestamp result. The least int64 stands for a null timestamp. */
function long(node: ExpressionNode, value: bigint, a: Scalar, b: Scalar | undefined): bigint {
  const least = node.type.kind === 'timestamp' ? -INT64_MAX : INT64_MIN
  if (value < least || value > INT64_MAX) throw new RowFailure(scalar.outOfRange(node.op, node.type.kind, a, b ?? undefined))
  return value
}

function arithmetic(node: ExpressionNode): (a: NotNull, b: NotNull) => Scalar {
  const { op, type } = node
  const binary = node.args.length === 2
  switch (type.kind) {
    case 'float64':
      return (a, b) => {
        if ((op === 'divide' || op === 'modulo') && b === 0) throw new RowFailure(scalar.divisionByZero(op, a))
        return compute(op, a as number, b as number) as number
      }
    case 'int32':
      return (a, b) => {
        if ((op === 'divide' || op === 'modulo') && b === 0) throw new RowFailure(scalar.divisionByZero(op, a))
        const value = Math.trunc(compute(op, a as number, b as number) as number)
        if (value !== (value | 0)) throw new RowFailure(scalar.outOfRange(op, type.kind, a, binary ? b : undefined))
        return value | 0
      }
    default:
      return (a, b) => {
        if ((op === 'divide' || op === 'modulo') && b === 0n) throw new RowFailure(scalar.divisionByZero(op, a))
        return long(node, compute(op, a as bigint, b as bigint) as bigint, a, binary ? b : undefined)
      }
  }
}

/** One arithmetic operation, on two numbers or on two bigints. */
function compute<N extends number | bigint>(op: string, a: N, b: N): number | bigint {
  const x = a as number
  const y = b as number
  switch (op) {
    case 'plus':
      return x + y
    case 'minus':
      return x - y
    case 'times':
      return x * y
    case 'divide':
      return x / y
    case 'modulo':
      return x % y
    case 'negate':
      return -x
    default:
      return x < 0 || Object.is(x, -0) ? -x : x
  }
}

function casting(node: ExpressionNode, from: ColumnType): (a: NotNull) => Scalar {
  const fail = (a: Scalar): never => {
    throw new RowFailure(scalar.badCast(a, node.type.kind))
  }
  switch (node.op) {
    case 'toInt32':
      if (from.kind === 'text') return (a) => scalar.parseInteger(a as string) ?? fail(a)
      return (a) => {
        const value = Math.trunc(Number(a))
        return value === (value | 0) ? value | 0 : fail(a)
      }
    case 'toInt64':
      if (from.kind === 'text') return (a) => scalar.parseLong(a as string) ?? fail(a)
      if (from.kind !== 'float64') return (a) => BigInt(a as number)
      return (a) => (Math.abs(a as number) < 2 ** 63 || a === -(2 ** 63) ? BigInt(Math.trunc(a as number)) : fail(a))
    case 'toFloat64':
      if (from.kind === 'text') return (a) => scalar.parseFloat64(a as string) ?? fail(a)
      return (a) => Number(a)
    case 'toTimestamp':
      if (from.kind === 'text') return (a) => scalar.parseTimestamp(a as string) ?? fail(a)
      return (a) => (a === INT64_MIN ? fail(a) : a)
    case 'toDecimal':
      return (a) => scalar.parseDecimal(String(a)) ?? fail(a)
    default:
      if (from.kind === 'timestamp') return (a) => scalar.timestampText(a as bigint) ?? fail(a)
      return (a) => String(a)
  }
}

/** Writes a value to place `at` of an output column. */
export function writer(type: ColumnType, column: number): (frame: Frame, at: number, value: Scalar) => void {
  const { width } = type
  switch (type.kind) {
    case 'int32':
      return (frame, at, value) => {
        const words = frame.outColumns[column] as Int32Array
        words[width * at] = value === null ? 0 : (value as number)
        if (width === 2) words[2 * at + 1] = value === null ? 1 : 0
      }
    case 'bool':
      return (frame, at, value) => {
        ;(frame.outColumns[column] as Int32Array)[at] = value === null ? NULL_BOOL : Number(value)
      }
    case 'float64':
      return (frame, at, value) => {
        const words = frame.outColumns[column] as Int32Array
        if (value !== null && !Number.isNaN(value)) {
          ;(frame.outFloats[column] as Float64Array)[at] = value as number
          return
        }
        words[2 * at] = value === null ? NULL_FLOAT_LOW : 0
        words[2 * at + 1] = value === null ? NULL_FLOAT_HIGH : 0x7ff80000
      }
    case 'int64':
    case 'timestamp':
      return (frame, at, value) => {
        const words = frame.outColumns[column] as Int32Array
        const long = value === null ? (type.kind === 'timestamp' ? INT64_MIN : 0n) : (value as bigint)
        words[width * at] = Number(BigInt.asIntN(32, long))
        words[width * at + 1] = Number(long >> 32n)
        if (width === 3) words[width * at + 2] = value === null ? 1 : 0
      }
    default:
      return (frame, at, value) => {
        ;(frame.outColumns[column] as Int32Array)[at] = value === null ? 0 : frame.dictionary.intern(value as string)
      }
  }
}
