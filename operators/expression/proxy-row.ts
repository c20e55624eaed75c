/** The row that a user's callback receives: an expression for each column, and a clear error for any other name. */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import type { Columns, Schema } from '../../runtime/data/schema.ts'
import { suggest } from '../../runtime/data/suggest.ts'
import { MillraceError } from '../../runtime/error.ts'
import { Expression } from './expression.ts'
import { columnNode } from './node.ts'

export type RowExpressions<C extends Columns> = {
  readonly [N in keyof C]: C[N] extends ColumnType<infer T, infer K> ? Expression<T, K> : never
}

/** Names that JavaScript itself looks up on any object. */
const PROBED = new Set(['then', 'toJSON', 'constructor', 'toString', 'valueOf', 'asymmetricMatch', '$$typeof', 'nodeType'])

/**
 * The proxy row of a schema; `{ ...row }` gives every column.
 * @param collection what error messages call the collection
 * @param side 0, or 1 for the right side of a join
 * @throws MillraceError UNKNOWN_COLUMN when a column is read that is not there
 */
export function proxyRow<C extends Columns>(schema: Schema, collection: string, side = 0): RowExpressions<C> {
  const target: Record<string, unknown> = Object.create(null)
  schema.names.forEach((name, i) => {
    target[name] = new Expression(columnNode(name, schema.types[i] as ColumnType, side))
  })
  Object.freeze(target)
  return new Proxy(target, {
    get(columns, name) {
      if (typeof name === 'symbol' || name in columns) return columns[name as string]
      if (PROBED.has(name)) return undefined
      throw unknownColumn(schema, collection, name)
    },
  }) as RowExpressions<C>
}

/** The error for a column that is not there, with the closest name that is. */
export function unknownColumn(schema: Schema, collection: string, name: string): MillraceError {
  const guess = suggest(name, schema.names)
  const hint = guess === undefined ? undefined : `Did you mean ${JSON.stringify(guess)}?`
  return new MillraceError(
    'UNKNOWN_COLUMN',
    `There is no column ${JSON.stringify(name)} in ${collection} (${schema.names.join(', ')}).`,
    hint,
  )
}
