/**
 * Typed expressions over the columns of a row: `o.cents.gt(100).and(o.city.eq('Rimini'))`.
 *
 * Nulls behave as in SQL: an operation on null is null, `and`, `or` and `not` are three-valued, and a filter keeps only
 * what is true. `and`, `or`, `when` and `orElse` evaluate no more than they need. An operation that has no result (a
 * division by zero, an integer that leaves its range, an invalid cast) makes its row an error; other rows go on.
 */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { MillraceError } from '../../runtime/error.ts'
import * as build from './build.ts'
import type {
  Addend,
  BoolOperand,
  CommonKind,
  CommonValue,
  DifferenceKind,
  KindOf,
  NullOf,
  Numeric,
  NumericOperand,
  Operand,
  Ordered,
  OrderedOperand,
  Subtrahend,
  SumKind,
  TextOperand,
  Typed,
  Value,
  Wider,
} from './kinds.ts'
import type { ExpressionNode } from './node.ts'
import { OrderBy } from './order-by.ts'

type Nulls<T, O = never> = Extract<T, null> | NullOf<O>
type Of<K extends Kind, N> = Expression<Value<K> | N, K>

const DAY = 86_400_000_000n
/** Microseconds of the units that a timestamp can be truncated to. */
const UNITS = { second: 1_000_000n, minute: 60_000_000n, hour: 3_600_000_000n, day: DAY }

/** An immutable expression with values of type T (null among them if it can be null), stored as kind K. */
export class Expression<T, K extends Kind> implements Typed<T, K> {
  readonly node: ExpressionNode

  constructor(node: ExpressionNode) {
    this.node = node
  }

  get type(): ColumnType<T, K> {
    return this.node.type as ColumnType<T, K>
  }

  /** Sum; on a timestamp, that many microseconds later. */
  plus<O extends Addend<K>>(this: Typed<T, Numeric | 'timestamp'>, other: O): Of<SumKind<K, O>, Nulls<T, O>> {
    return new Expression(build.arithmetic('plus', this.node, other))
  }

  /** Difference; of two timestamps, in microseconds. */
  minus<O extends Subtrahend<K>>(this: Typed<T, Numeric | 'timestamp'>, other: O): Of<DifferenceKind<K, O>, Nulls<T, O>> {
    return new Expression(build.arithmetic('minus', this.node, other))
  }

  times<O extends NumericOperand<K>>(this: Typed<T, Numeric>, other: O): Of<Wider<K | KindOf<O>>, Nulls<T, O>> {
    return new Expression(build.arithmetic('times', this.node, other))
  }

  /** Quotient; of integers it is an integer, rounded towards zero. By zero: an error of the row, for float64 too. */
  divide<O extends NumericOperand<K>>(this: Typed<T, Numeric>, other: O): Of<Wider<K | KindOf<O>>, Nulls<T, O>> {
    return new Expression(build.arithmetic('divide', this.node, other))
  }

  /** Remainder, with the sign of the dividend. */
  modulo<O extends NumericOperand<K>>(this: Typed<T, Numeric>, other: O): Of<Wider<K | KindOf<O>>, Nulls<T, O>> {
    return new Expression(build.arithmetic('modulo', this.node, other))
  }

  negate(this: Typed<T, Numeric>): Expression<T, K> {
    return new Expression(build.numeric('negate', this.node))
  }

  abs(this: Typed<T, Numeric>): Expression<T, K> {
    return new Expression(build.numeric('abs', this.node))
  }

  floor(this: Typed<T, 'float64'>): Expression<T, K> {
    return new Expression(build.numeric('floor', this.node))
  }

  ceil(this: Typed<T, 'float64'>): Expression<T, K> {
    return new Expression(build.numeric('ceil', this.node))
  }

  /** To the nearest whole number, halves to the even one. */
  round(this: Typed<T, 'float64'>): Expression<T, K> {
    return new Expression(build.numeric('round', this.node))
  }

  /** Equal by value: -0 equals 0, NaN equals NaN, decimal 1.0 equals 1.00. */
  eq<O extends Operand<K>>(other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.comparison('eq', this.node, other))
  }

  ne<O extends Operand<K>>(other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.comparison('ne', this.node, other))
  }

  /** Less than; text by code points, NaN above every number, false below true. */
  lt<O extends OrderedOperand<K>>(this: Typed<T, Ordered>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.comparison('lt', this.node, other))
  }

  le<O extends OrderedOperand<K>>(this: Typed<T, Ordered>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.comparison('le', this.node, other))
  }

  gt<O extends OrderedOperand<K>>(this: Typed<T, Ordered>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.comparison('gt', this.node, other))
  }

  ge<O extends OrderedOperand<K>>(this: Typed<T, Ordered>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.comparison('ge', this.node, other))
  }

  and<O extends BoolOperand>(this: Typed<T, 'bool'>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.logic('and', this.node, other))
  }

  or<O extends BoolOperand>(this: Typed<T, 'bool'>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.logic('or', this.node, other))
  }

  not(this: Typed<T, 'bool'>): Expression<T, K> {
    return new Expression(build.not(this.node))
  }

  isNull(): Expression<boolean, 'bool'> {
    return new Expression(build.nullTest('isNull', this.node))
  }

  isNotNull(): Expression<boolean, 'bool'> {
    return new Expression(build.nullTest('isNotNull', this.node))
  }

  /** This, or the other where this is null. */
  orElse<O extends Operand<K>>(other: O): Expression<CommonValue<Typed<T, K> | O> | NullOf<O>, CommonKind<Typed<T, K> | O>> {
    return new Expression(build.orElse(this.node, other))
  }

  /** Length in code points. */
  length(this: Typed<T, 'text'>): Of<'int32', Nulls<T>> {
    return new Expression(build.textual('length', this.node, []))
  }

  lower(this: Typed<T, 'text'>): Expression<T, K> {
    return new Expression(build.textual('lower', this.node, []))
  }

  upper(this: Typed<T, 'text'>): Expression<T, K> {
    return new Expression(build.textual('upper', this.node, []))
  }

  concat<O extends TextOperand>(this: Typed<T, 'text'>, other: O): Of<'text', Nulls<T, O>> {
    return new Expression(build.textual('concat', this.node, [other]))
  }

  startsWith<O extends TextOperand>(this: Typed<T, 'text'>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.textual('startsWith', this.node, [other]))
  }

  endsWith<O extends TextOperand>(this: Typed<T, 'text'>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.textual('endsWith', this.node, [other]))
  }

  contains<O extends TextOperand>(this: Typed<T, 'text'>, other: O): Of<'bool', Nulls<T, O>> {
    return new Expression(build.textual('contains', this.node, [other]))
  }

  /** From `start` to before `end`, in code points; negative positions count from the end. */
  slice<S extends Typed<unknown, 'int32'> | number, E extends Typed<unknown, 'int32'> | number = number>(
    this: Typed<T, 'text'>,
    start: S,
    end?: E,
  ): Of<'text', Nulls<T, S | E>> {
    return new Expression(build.textual('slice', this.node, end === undefined ? [start] : [start, end]))
  }

  /** From float64 towards zero; from text, the whole text must be a number. */
  toInt32(this: Typed<T, Numeric | 'text'>): Of<'int32', Nulls<T>> {
    return new Expression(build.cast('toInt32', this.node))
  }

  /** As toInt32; of a timestamp, its microseconds. */
  toInt64(this: Typed<T, Numeric | 'text' | 'timestamp'>): Of<'int64', Nulls<T>> {
    return new Expression(build.cast('toInt64', this.node))
  }

  toFloat64(this: Typed<T, Numeric | 'text' | 'decimal'>): Of<'float64', Nulls<T>> {
    return new Expression(build.cast('toFloat64', this.node))
  }

  /** Timestamps as ISO 8601 in UTC, with 3 or, where needed, 6 digits of a second. */
  toText(this: Typed<T, Ordered>): Of<'text', Nulls<T>> {
    return new Expression(build.cast('toText', this.node))
  }

  /** From microseconds since 1970, or from ISO 8601 text (UTC unless it has an offset). */
  toTimestamp(this: Typed<T, 'int64' | 'text' | 'timestamp'>): Of<'timestamp', Nulls<T>> {
    return new Expression(build.cast('toTimestamp', this.node))
  }

  toDecimal(this: Typed<T, 'int32' | 'int64' | 'text' | 'decimal'>): Of<'decimal', Nulls<T>> {
    return new Expression(build.cast('toDecimal', this.node))
  }

  /** Down to the start of the unit, in UTC; weeks start on Monday. */
  truncate(this: Typed<T, 'timestamp'>, unit: 'second' | 'minute' | 'hour' | 'day' | 'week'): Expression<T, K> {
    if (unit === 'week') {
      // 1970-01-01 was a Thursday, three days after a Monday.
      const shifted = build.arithmetic('plus', this.node, 3n * DAY)
      return new Expression(build.arithmetic('minus', build.truncate(shifted, 7n * DAY), 3n * DAY))
    }
    const length = UNITS[unit]
    if (length === undefined) {
      throw new MillraceError('COLUMN_TYPE', `truncate() has no unit ${JSON.stringify(unit)}.`, 'Use second, minute, hour, day or week.')
    }
    return new Expression(build.truncate(this.node, length))
  }

  asc(this: Typed<T, Ordered>): OrderBy {
    return new OrderBy(build.ordered('asc', this.node), false)
  }

  desc(this: Typed<T, Ordered>): OrderBy {
    return new OrderBy(build.ordered('desc', this.node), true)
  }

  /** Catches `o.cents > 100` in plain JavaScript, which would silently compare objects. */
  [Symbol.toPrimitive](): never {
    throw new MillraceError('COLUMN_TYPE', 'An expression has no value before it meets a row.', 'Write o.cents.gt(100), not o.cents > 100.')
  }
}
