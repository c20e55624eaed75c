/** What a change-log line says, and what a decoder of lines is given and gives. */

import type { Columns } from '../../runtime/data/schema.ts'
import { didYouMean } from '../../runtime/data/suggest.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { BadLine, FilePosition, LineBatch, LinePosition } from './position.ts'

export type Operation = 'upsert' | 'delete' | 'insert' | 'remove'

/** Values by column, as `RowOf` has them (int64 and timestamp are bigint). A delete may have only the key. */
export type DecodedValues = { readonly [column: string]: unknown }

export interface DecodedRow {
  readonly row: DecodedValues
  readonly operation: Operation
  readonly position: LinePosition
}

export interface DecodedBatch {
  readonly rows: DecodedRow[]
  /** In the order of the file. A bad line never keeps others from being decoded. */
  readonly bad: BadLine[]
  /** Where following may go on after a restart once these rows are safe. */
  readonly resume: FilePosition
}

export interface LineDecoder {
  /** Never throws because of data. */
  decode(batch: LineBatch): DecodedBatch
}

export interface DecodeOptions {
  readonly columns: Columns
  /**
   * With a key, lines are commands to a keyed table: `upsert` (default) or `delete`. Without, they are changes to a
   * collection: `insert` (default) or `remove`.
   */
  readonly key?: string | readonly string[]
  /** The field that says the operation. Default 'op'; null if lines have none. */
  readonly operationField?: string | null
}

/** Columns and operations of a decoder, checked and in arrays. */
export class ChangeShape {
  readonly columns: Columns
  readonly names: readonly string[]
  readonly indexes: ReadonlyMap<string, number>
  /** By column: whether a delete needs it. */
  readonly inKey: readonly boolean[]
  readonly keyed: boolean
  readonly operationField: string | null

  constructor(options: DecodeOptions) {
    this.columns = options.columns
    this.names = Object.keys(options.columns)
    this.indexes = new Map(this.names.map((name, i) => [name, i]))
    const key = typeof options.key === 'string' ? [options.key] : (options.key ?? [])
    for (const name of key) {
      if (!this.indexes.has(name)) {
        throw new MillraceError('UNKNOWN_COLUMN', `there is no key column "${name}"`, `Columns: ${this.names.join(', ')}.`)
      }
    }
    this.keyed = key.length > 0
    this.inKey = this.names.map((name) => key.includes(name))
    this.operationField = options.operationField === undefined ? 'op' : options.operationField
    if (this.operationField !== null && this.indexes.has(this.operationField)) {
      throw new MillraceError(
        'CONFIG',
        `"${this.operationField}" is both a column and the field of the operation`,
        'Set operationField to another name, or to null if lines have no operation.',
      )
    }
  }

  /** The operation of a word, null if this collection has no such operation. */
  operation(word: string): Operation | null {
    if (this.keyed) return word === 'upsert' || word === 'delete' ? word : null
    return word === 'insert' || word === 'remove' ? word : null
  }

  get defaultOperation(): Operation {
    return this.keyed ? 'upsert' : 'insert'
  }

  unknownOperation(word: string): string {
    return `unknown operation ${JSON.stringify(word.slice(0, 40))} (${this.keyed ? 'upsert, delete' : 'insert, remove'})`
  }

  unknownColumn(name: string): string {
    return `unknown column ${JSON.stringify(name.slice(0, 80))} (columns: ${this.names.join(', ')}).${didYouMean(name, this.names)}`
  }
}
