/** Expressions that start from no column: literals, choices, and lengths of time. */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import * as build from './build.ts'
import { Expression } from './expression.ts'
import type { AnyLiteral, Beside, BoolOperand, CommonKind, CommonValue, Literal, NullOf, Operand, Ordered, Typed } from './kinds.ts'
import { literalNode } from './node.ts'

/**
 * A constant. Without a type a number is an int32, a bigint an int64, a string a text, a Date a timestamp.
 * @throws MillraceError COLUMN_TYPE if the value is not one of the type
 */
export function literal<T, K extends Kind>(value: Literal<K> | T, type: ColumnType<T, K>): Expression<Exclude<T, null>, K>
export function literal<T, K extends Kind>(value: null, type: ColumnType<T, K>): Expression<T | null, K>
export function literal<A extends AnyLiteral>(value: A): Expression<CommonValue<A>, CommonKind<A>>
export function literal(value: unknown, type?: ColumnType): Expression<unknown, Kind> {
  return new Expression(literalNode(value, type ?? build.guessType('literal', [value])))
}

/** `yes` where the condition is true, else (where it is false or null) `no`. */
export function when<A extends Typed<unknown, Kind> | AnyLiteral | null, B extends Beside<A>>(
  condition: BoolOperand,
  yes: A,
  no: B,
): Expression<CommonValue<A | B> | NullOf<A> | NullOf<B>, CommonKind<A | B>> {
  return new Expression(build.when(condition, yes, no))
}

/** null only if all operands can be null. */
type NullOfAll<O extends readonly unknown[]> = O extends readonly [infer A, ...infer R]
  ? null extends NullOf<A>
    ? NullOfAll<R>
    : never
  : null

/** The least of the operands that are not null. */
export function least<K extends Ordered, A extends Typed<unknown, K>, R extends readonly Operand<NoInfer<K>>[]>(
  first: A & Typed<unknown, K>,
  ...rest: R
): Expression<CommonValue<A | R[number]> | NullOfAll<[A, ...R]>, CommonKind<A | R[number]>> {
  return new Expression(build.extreme('least', [first, ...rest]))
}

/** The greatest of the operands that are not null. */
export function greatest<K extends Ordered, A extends Typed<unknown, K>, R extends readonly Operand<NoInfer<K>>[]>(
  first: A & Typed<unknown, K>,
  ...rest: R
): Expression<CommonValue<A | R[number]> | NullOfAll<[A, ...R]>, CommonKind<A | R[number]>> {
  return new Expression(build.extreme('greatest', [first, ...rest]))
}

const SECOND = 1_000_000

/** Lengths of time in microseconds; fractions of a microsecond are rounded away. */
export function seconds(n: number): bigint {
  return BigInt(Math.round(n * SECOND))
}

export function minutes(n: number): bigint {
  return seconds(60 * n)
}

export function hours(n: number): bigint {
  return seconds(3_600 * n)
}

export function days(n: number): bigint {
  return seconds(86_400 * n)
}
