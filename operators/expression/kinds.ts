/** Which kinds go together in an expression, and the types of what comes out. Types only. */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import type { ExpressionNode } from './node.ts'

export type Integer = 'int32' | 'int64'
export type Numeric = Integer | 'float64'
export type Ordered = Numeric | 'bool' | 'text' | 'timestamp' | 'decimal'

/** An expression as the type system sees it: small, so that checking operands is cheap. */
export interface Typed<T, K extends Kind> {
  readonly node: ExpressionNode
  readonly type: ColumnType<T, K>
}

interface Values {
  int32: number
  int64: bigint
  float64: number
  bool: boolean
  text: string
  timestamp: bigint
  decimal: string
  bytes: Uint8Array
  json: unknown
  array: readonly unknown[]
}

/** The JavaScript value of a kind. */
export type Value<K extends Kind> = Values[K]

interface Literals {
  int32: number
  int64: number | bigint
  float64: number
  bool: boolean
  text: string
  timestamp: Date | bigint | number
  decimal: string
  bytes: Uint8Array
  json: never
  array: never
}

/** What may be written for a value of a kind. */
export type Literal<K extends Kind> = Literals[K]
export type AnyLiteral = number | bigint | boolean | string | Date | Uint8Array

type Family<K extends Kind> = K extends Numeric ? Numeric : K

/** What an expression of kind K may be compared or combined with. */
export type Operand<K extends Kind> = Typed<unknown, Family<K>> | Literal<K>
export type OrderedOperand<K extends Kind> = K extends Ordered ? Operand<K> : never
export type NumericOperand<K extends Kind> = K extends Numeric ? Operand<K> : never
export type TextOperand = Typed<unknown, 'text'> | string
export type BoolOperand = Typed<unknown, 'bool'> | boolean

/** What may be added to an expression of kind K: to a timestamp, microseconds. */
export type Addend<K extends Kind> = K extends 'timestamp' ? Typed<unknown, Integer> | bigint | number : NumericOperand<K>
export type Subtrahend<K extends Kind> = K extends 'timestamp' ? Typed<unknown, Integer | 'timestamp'> | bigint | number : NumericOperand<K>

export type KindOf<O> = O extends Typed<unknown, infer L> ? L : never
export type NullOf<O> = O extends Typed<infer U, Kind> ? Extract<U, null> : Extract<O, null>

export type Wider<K> = 'float64' extends K ? 'float64' : 'int64' extends K ? 'int64' : 'int32'

export type SumKind<K extends Kind, O> = K extends 'timestamp' ? 'timestamp' : Wider<K | KindOf<O>>
export type DifferenceKind<K extends Kind, O> = K extends 'timestamp'
  ? 'timestamp' extends KindOf<O>
    ? 'int64'
    : 'timestamp'
  : Wider<K | KindOf<O>>

type LiteralKind<A> = A extends number
  ? 'int32'
  : A extends bigint
    ? 'int64'
    : A extends boolean
      ? 'bool'
      : A extends string
        ? 'text'
        : A extends Date
          ? 'timestamp'
          : A extends Uint8Array
            ? 'bytes'
            : never

type UnifyKind<K, A> = [K] extends [never] ? LiteralKind<A> : [K] extends [Numeric] ? Wider<K> : K

/** The kind of a choice between operands. */
export type CommonKind<A> = UnifyKind<KindOf<A>, A> extends infer K extends Kind ? K : never

type OwnValue<O> = O extends Typed<infer U, Kind> ? Exclude<U, null> : never

/** The JavaScript value of a choice between operands, null apart. */
export type CommonValue<A> = CommonKind<A> extends 'json' | 'array' ? OwnValue<A> : Value<CommonKind<A>>

/** What may stand beside A as the other branch of a choice. */
export type Beside<A> =
  | null
  | (A extends Typed<unknown, infer K>
      ? Operand<K>
      : A extends number
        ? Typed<unknown, Numeric> | number
        : A extends bigint
          ? Typed<unknown, 'int64' | 'timestamp'> | bigint
          : A extends boolean
            ? BoolOperand
            : A extends string
              ? Typed<unknown, 'text' | 'decimal'> | string
              : A extends Date
                ? Typed<unknown, 'timestamp'> | Date
                : A extends Uint8Array
                  ? Typed<unknown, 'bytes'> | Uint8Array
                  : Typed<unknown, Kind>)
