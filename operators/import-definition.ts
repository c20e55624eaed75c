/** What a job says about an index that another job keeps: `imported`. */
import type { Columns } from '../runtime/data/schema.ts'
import { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { unknownColumn } from './expression/proxy-row.ts'

/** Rows of another job's output, with the index by which that job keeps them. */
export class ImportedDefinition<C extends Columns, K extends keyof C & string> {
  readonly kind = 'imported'
  readonly columns: C
  readonly schema: Schema
  readonly key: readonly K[]

  constructor(columns: C, key: readonly K[]) {
    this.columns = columns
    this.schema = new Schema(columns)
    this.key = key
    for (const name of key) if (this.schema.indexOf(name) < 0) throw unknownColumn(this.schema, 'the import', name)
    if (key.length === 0 || new Set(key).size < key.length) {
      throw new MillraceError('DUPLICATE_NAME', `the key of an import is one or more different columns, not [${key.join(', ')}]`)
    }
  }
}

/**
 * Rows of an output of another job that runs in the same engine: `embed(job, { beside: other, imports: { name: other.outputs.x } })`.
 * Joins and groups by the key use the other job's index; its memory counts once.
 * @param columns those of the output, all of them, in any order
 * @param options the key of the output, in its order: `imported({ accountId: int32, ownerId: int32 }, { key: 'ownerId' })`
 * @throws MillraceError UNKNOWN_COLUMN, DUPLICATE_NAME for a key that is none
 */
export function imported<const C extends Columns, K extends keyof C & string>(
  columns: C,
  options: { readonly key: K | readonly K[] },
): ImportedDefinition<C, K> {
  const { key } = options
  return new ImportedDefinition<C, K>(columns, typeof key === 'string' ? [key as K] : (key as readonly K[]))
}
