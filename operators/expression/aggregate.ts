/** Aggregates of a group's rows, as data: `.aggregate((o) => ({ n: count(), cents: sum(o.cents) }))`. */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { float64, int64, nullable } from '../../runtime/data/column-type.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { MillraceError } from '../../runtime/error.ts'
import * as build from './build.ts'
import { isNumeric } from './build.ts'
import type { Numeric, Ordered, Typed, Value } from './kinds.ts'
import type { ExpressionNode } from './node.ts'

export type AggregateOperation = 'count' | 'countNotNull' | 'countDistinct' | 'sum' | 'avg' | 'min' | 'max' | 'user'

/** A different row of a group, and how often it is there (negative in a collection that is). */
export interface GroupRow<V extends readonly unknown[]> {
  readonly values: V
  readonly multiplicity: number
}

export interface AggregateSpec {
  readonly op: AggregateOperation
  /** Arguments: none for `count`, one for most, any number for `user`. */
  readonly inputs: readonly ExpressionNode[]
  readonly type: ColumnType
  /** Of `user`: the user's function, which is not data. */
  readonly compute?: (rows: readonly GroupRow<readonly unknown[]>[]) => unknown
}

/** An aggregate with values of type T, stored as kind K. */
export class Aggregate<T, K extends Kind> {
  readonly spec: AggregateSpec

  constructor(spec: AggregateSpec) {
    this.spec = spec
  }

  get type(): ColumnType<T, K> {
    return this.spec.type as ColumnType<T, K>
  }
}

type Nulls<T> = Extract<T, null>
type SumOf<K extends Numeric> = 'float64' extends K ? 'float64' : 'int64'

/** Rows; or, of an expression, rows where it is not null. */
export function count(): Aggregate<bigint, 'int64'>
export function count(expression: Typed<unknown, Kind>): Aggregate<bigint, 'int64'>
export function count(expression?: Typed<unknown, Kind>): Aggregate<bigint, 'int64'> {
  if (expression === undefined) return new Aggregate({ op: 'count', inputs: [], type: int64 })
  return new Aggregate({ op: 'countNotNull', inputs: [expression.node], type: int64 })
}

/** Different values that are not null. */
export function countDistinct(expression: Typed<unknown, Kind>): Aggregate<bigint, 'int64'> {
  return new Aggregate({ op: 'countDistinct', inputs: [expression.node], type: int64 })
}

/**
 * Sum of what is not null; null if nothing is. Integers sum to int64, and a sum that leaves its range is an error of the group;
 * doubles sum exactly, rounded once, so that the order of the rows never shows.
 */
export function sum<T, K extends Numeric>(expression: Typed<T, K>): Aggregate<Value<SumOf<K>> | Nulls<T>, SumOf<K>> {
  const { node } = expression
  requireNumeric('sum', node)
  return new Aggregate({ op: 'sum', inputs: [node], type: like(node.type.kind === 'float64' ? float64 : int64, node) })
}

/** Mean of what is not null; null if nothing is. */
export function avg<T, K extends Numeric>(expression: Typed<T, K>): Aggregate<number | Nulls<T>, 'float64'> {
  requireNumeric('avg', expression.node)
  return new Aggregate({ op: 'avg', inputs: [expression.node], type: like(float64, expression.node) })
}

/** Least value that is not null; null if nothing is. */
export function min<T, K extends Ordered>(expression: Typed<T, K>): Aggregate<T, K> {
  return new Aggregate({ op: 'min', inputs: [build.ordered('min', expression.node)], type: expression.node.type })
}

/** Greatest value that is not null; null if nothing is. */
export function max<T, K extends Ordered>(expression: Typed<T, K>): Aggregate<T, K> {
  return new Aggregate({ op: 'max', inputs: [build.ordered('max', expression.node)], type: expression.node.type })
}

type ValuesOf<I extends readonly Typed<unknown, Kind>[]> = { readonly [N in keyof I]: I[N] extends Typed<infer T, Kind> ? T : never }

/**
 * An aggregate by a user's function of the group's rows. `compute` sees each different tuple of the inputs' values once,
 * with its multiplicity; it must be deterministic and must not depend on the order of the rows.
 */
export function aggregate<const I extends readonly Typed<unknown, Kind>[], T, K extends Kind>(definition: {
  readonly inputs: I
  readonly type: ColumnType<T, K>
  readonly compute: (rows: readonly GroupRow<ValuesOf<I>>[]) => NoInfer<T>
}): Aggregate<T, K> {
  const { inputs, type, compute } = definition
  return new Aggregate({
    op: 'user',
    inputs: inputs.map((input) => input.node),
    type,
    compute: compute as NonNullable<AggregateSpec['compute']>,
  })
}

function requireNumeric(op: string, node: ExpressionNode): void {
  if (isNumeric(node.type.kind)) return
  throw new MillraceError(
    'COLUMN_TYPE',
    `${op}() takes numbers, not ${node.type.kind}.`,
    'Convert it first, for example with .toInt64() or .toFloat64().',
  )
}

function like(type: ColumnType, node: ExpressionNode): ColumnType {
  return node.type.nullable ? nullable(type) : type
}

export type Aggregates = { readonly [name: string]: Aggregate<unknown, Kind> }

/** The columns of the rows that aggregates give. */
export type AggregatedColumns<A extends Aggregates> = {
  [N in keyof A]: A[N] extends Aggregate<infer T, infer K> ? ColumnType<T, K> : never
}

/**
 * The schema of the rows that aggregates give.
 * @throws MillraceError COLUMN_TYPE if a value is not an aggregate
 */
export function aggregateSchema(aggregates: Aggregates): Schema {
  const columns: Record<string, ColumnType> = {}
  for (const [name, value] of Object.entries(aggregates)) {
    if (!(value instanceof Aggregate)) {
      throw new MillraceError(
        'COLUMN_TYPE',
        `${JSON.stringify(name)} is not an aggregate.`,
        'Use count(), sum(row.column), min(row.column) and the like.',
      )
    }
    columns[name] = value.spec.type
  }
  return new Schema(columns as Columns)
}
