/** What a `select` or a join's projection returns: named expressions. */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { MillraceError } from '../../runtime/error.ts'
import { Expression } from './expression.ts'
import type { Typed } from './kinds.ts'

export type Selection = { readonly [name: string]: Typed<unknown, Kind> }

/** The columns of a selection's rows. */
export type SelectedColumns<S extends Selection> = {
  [N in keyof S]: S[N] extends Typed<infer T, infer K> ? ColumnType<T, K> : never
}

/**
 * The schema of a selection's rows.
 * @throws MillraceError COLUMN_TYPE if a value is not an expression
 */
export function selectionSchema(selection: Selection): Schema {
  const columns: Record<string, ColumnType> = {}
  for (const [name, value] of Object.entries(selection)) {
    if (!(value instanceof Expression)) {
      throw new MillraceError('COLUMN_TYPE', `${JSON.stringify(name)} is not an expression.`, 'Use a column of the row, or literal(value).')
    }
    columns[name] = value.node.type
  }
  return new Schema(columns as Columns)
}
