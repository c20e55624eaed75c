/** What a job says about its inputs: `table` and `stream`. */
import { type Columns, type RowOf, Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { unknownColumn } from './expression/proxy-row.ts'

/** Rows that come and go: a multiset of rows. */
export class TableDefinition<C extends Columns> {
  readonly kind = 'table'
  readonly columns: C
  readonly schema: Schema

  constructor(columns: C) {
    this.columns = columns
    this.schema = inputSchema(columns)
  }
}

/** One row a key: inserted or replaced by `upsert`, removed by `delete`. */
export class KeyedTableDefinition<C extends Columns, K extends keyof C & string> {
  readonly kind = 'keyed table'
  readonly columns: C
  readonly schema: Schema
  readonly key: readonly K[]

  constructor(columns: C, key: readonly K[]) {
    this.columns = columns
    this.schema = inputSchema(columns)
    this.key = key
    for (const name of key) if (this.schema.indexOf(name) < 0) throw unknownColumn(this.schema, 'the table', name)
    if (key.length === 0 || new Set(key).size < key.length) {
      throw new MillraceError('DUPLICATE_NAME', `the key of a table is one or more different columns, not [${key.join(', ')}]`)
    }
  }
}

/** Rows that are only ever added. */
export class StreamDefinition<C extends Columns> {
  readonly kind = 'stream'
  readonly columns: C
  readonly schema: Schema

  constructor(columns: C) {
    this.columns = columns
    this.schema = inputSchema(columns)
  }
}

/** Any of them; it says nothing of keys, from which the compiler would otherwise infer too much. */
export interface InputDefinition {
  readonly kind: 'table' | 'keyed table' | 'stream' | 'imported'
  readonly columns: Columns
  readonly schema: Schema
}

export type InputDefinitions = { readonly [name: string]: InputDefinition }

/** The row of an input. */
export type InputRow<D> = D extends { readonly columns: infer C extends Columns } ? RowOf<C> : never

function inputSchema(columns: Columns): Schema {
  const schema = new Schema(columns)
  if (schema.names.length === 0) throw new MillraceError('CONFIG', 'an input needs at least one column')
  return schema
}

/**
 * A table: rows come and go. With a `key` there is one row a key, changed by `upsert` and `delete`; without, the rows
 * are a multiset, changed by `insert` and `remove`.
 * @throws MillraceError UNKNOWN_COLUMN, DUPLICATE_NAME for a key that is none
 */
export function table<const C extends Columns>(columns: C): TableDefinition<C>
export function table<const C extends Columns, K extends keyof C & string>(
  columns: C,
  options: { readonly key: K | readonly K[] },
): KeyedTableDefinition<C, K>
export function table(
  columns: Columns,
  options?: { readonly key: string | readonly string[] },
): TableDefinition<Columns> | KeyedTableDefinition<Columns, string> {
  if (options === undefined) return new TableDefinition(columns)
  const { key } = options
  if (typeof key !== 'string' && !Array.isArray(key))
    throw new MillraceError(
      'CONFIG',
      'the options of a table name its key',
      "Write table(columns, { key: 'id' }), or leave the options out.",
    )
  return new KeyedTableDefinition(columns, typeof key === 'string' ? [key] : key)
}

/** A stream: rows are only ever added, which lets operators forget more. */
export function stream<const C extends Columns>(columns: C): StreamDefinition<C> {
  return new StreamDefinition(columns)
}
