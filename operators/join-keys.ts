/** The keys of a join as a user writes them: one name, several, or `{ mine: 'theirs' }`; their types and positions. */
import type { ColumnType, Kind } from '../runtime/data/column-type.ts'
import { commonKeyType } from '../runtime/data/key-encoding.ts'
import { type Columns, typeName } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { unknownColumn } from './expression/proxy-row.ts'
import type { PlanNode } from './plan.ts'

/** Kinds whose values can be one key; whole numbers of both sizes are. */
type KeyFamily<T> = T extends ColumnType<unknown, infer K extends Kind> ? (K extends 'int32' | 'int64' ? 'integer' : K) : never

/** Names of D whose columns can equal a column of type T. */
type Comparable<D extends Columns, T> = { [N in keyof D & string]: KeyFamily<D[N]> extends KeyFamily<T> ? N : never }[keyof D & string]

/** Names that both sides have, with comparable types. */
export type SharedName<C extends Columns, D extends Columns> = {
  [N in keyof C & keyof D & string]: KeyFamily<D[N]> extends KeyFamily<C[N]> ? N : never
}[keyof C & keyof D & string]

export type JoinKeys<C extends Columns, D extends Columns> =
  | SharedName<C, D>
  | readonly SharedName<C, D>[]
  | { readonly [N in keyof C & string]?: Comparable<D, C[N]> }

/** Their columns that are keys. */
export type TheirKeys<K> = K extends string ? K : K extends readonly (infer N)[] ? N : K[keyof K]

/** My columns that are keys. */
export type MyKeys<K> = K extends string ? K : K extends readonly (infer N)[] ? N : keyof K

/** Columns that both sides have and that are no keys of theirs: they need a projection. */
type Collisions<C extends Columns, D extends Columns, K> = Exclude<keyof C & keyof D & string, TheirKeys<K>>

/** Keys, or where columns collide something that no keys are. */
export type Unambiguous<C extends Columns, D extends Columns, K> = [Collisions<C, D, K>] extends [never]
  ? unknown
  : { readonly 'both sides have columns of these names: add a projection': Collisions<C, D, K> }

/** All columns of C, then those of D that are no keys. */
export type Joined<C extends Columns, D extends Columns, K> = {
  readonly [N in keyof C | Exclude<keyof D, TheirKeys<K>>]: N extends keyof C ? C[N] : N extends keyof D ? D[N] : never
}

type OrNull<T> = T extends ColumnType<infer V, infer K> ? ColumnType<V | null, K> : never

/** The columns of a side whose rows may be missing. */
export type NullableColumns<C extends Columns> = { readonly [N in keyof C]: OrNull<C[N]> }

/** Their column that a column of mine must equal. */
type TheirsOf<K, N> = K extends string | readonly string[] ? N : N extends keyof K ? K[N] : never

type Nulls<T> = T extends ColumnType<infer V> ? Extract<V, null> : never

/** A key column of mine, or theirs where mine is missing. */
type EitherKey<A, B> =
  A extends ColumnType<infer V, infer K>
    ? B extends ColumnType<unknown, infer L>
      ? ColumnType<('int64' extends K | L ? bigint : Exclude<V, null>) | Nulls<B>, 'int64' extends K | L ? 'int64' : K>
      : never
    : never

type WithTheirKeys<C extends Columns, D extends Columns, K> = {
  readonly [N in keyof C]: N extends MyKeys<K> ? EitherKey<C[N], D[TheirsOf<K, N> & keyof D]> : OrNull<C[N]>
}

export type LeftJoined<C extends Columns, D extends Columns, K> = Joined<C, NullableColumns<D>, K>
export type RightJoined<C extends Columns, D extends Columns, K> = Joined<WithTheirKeys<C, D, K>, D, K>
export type OuterJoined<C extends Columns, D extends Columns, K> = Joined<WithTheirKeys<C, NullableColumns<D>, K>, NullableColumns<D>, K>

/** Keys as they arrive at run time. */
export type AnyJoinKeys = string | readonly string[] | Readonly<Record<string, string | undefined>>

/**
 * The pairs of columns that must be equal.
 * @throws MillraceError UNKNOWN_COLUMN, COLUMN_TYPE for types that cannot be compared, CONFIG for no key
 */
export function keyPairs(left: PlanNode, leftName: string, right: PlanNode, rightName: string, keys: AnyJoinKeys): [string, string][] {
  const pairs: [string, string][] = []
  if (typeof keys === 'string') pairs.push([keys, keys])
  else if (Array.isArray(keys)) for (const name of keys as readonly string[]) pairs.push([name, name])
  else for (const [mine, theirs] of Object.entries(keys)) if (theirs !== undefined) pairs.push([mine, theirs])
  if (pairs.length === 0) throw new MillraceError('CONFIG', 'A join needs a key.', "Write the name of a column: .join(other, 'id').")
  for (const [mine, theirs] of pairs) {
    const a = left.schema.indexOf(mine)
    const b = right.schema.indexOf(theirs)
    if (a < 0) throw unknownColumn(left.schema, leftName, mine)
    if (b < 0) throw unknownColumn(right.schema, rightName, theirs)
    const types = [left.schema.types[a], right.schema.types[b]] as const
    if (commonKeyType(...types) !== null) continue
    throw new MillraceError(
      'COLUMN_TYPE',
      `${JSON.stringify(mine)} is ${typeName(types[0])} in ${leftName}, and ${JSON.stringify(theirs)} is ${typeName(types[1])} in ${rightName}: they are never equal.`,
      'Convert one of them with .select() first.',
    )
  }
  return pairs
}
