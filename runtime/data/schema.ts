/** A schema: the ordered, named, typed columns of a collection's rows. */
import { MillraceError } from '../error.ts'
import type { ColumnType } from './column-type.ts'

export type Columns = { readonly [name: string]: ColumnType }

/** The JavaScript row of a set of columns. */
export type RowOf<C extends Columns> = { [N in keyof C]: C[N] extends ColumnType<infer T> ? T : never }

export class Schema {
  readonly names: readonly string[]
  readonly types: readonly ColumnType[]
  /** int32 words of each column. */
  readonly widths: readonly number[]
  /** Names and types as one string: equal signatures mean interchangeable row codecs. */
  readonly signature: string
  /** Widths as one string: equal layouts mean interchangeable batches and kernels. */
  readonly layout: string

  constructor(columns: Columns) {
    if (typeof columns !== 'object' || columns === null)
      throw new MillraceError('COLUMN_TYPE', 'columns are an object of types', 'Write { id: int32, name: text }.')
    this.names = Object.keys(columns)
    this.types = this.names.map((name) => columns[name] as ColumnType)
    const untyped = this.names.find((name) => typeof columns[name]?.kind !== 'string')
    if (untyped !== undefined)
      throw new MillraceError(
        'COLUMN_TYPE',
        `column ${JSON.stringify(untyped)} has no type`,
        'Write { id: int32 }, with int32 from millrace.',
      )
    this.widths = this.types.map((type) => type.width)
    this.layout = this.widths.join('')
    this.signature = this.names.map((name, i) => `${JSON.stringify(name)}:${typeName(this.types[i] as ColumnType)}`).join()
  }

  /** The position of a column, or -1. */
  indexOf(name: string): number {
    return this.names.indexOf(name)
  }

  columns(): Columns {
    return Object.fromEntries(this.names.map((name, i) => [name, this.types[i] as ColumnType]))
  }
}

/** A type in words: `text?`, `array<int32>`. */
export function typeName(type: ColumnType): string {
  const element = type.element === undefined ? '' : `<${typeName(type.element)}>`
  return `${type.kind}${element}${type.nullable ? '?' : ''}`
}
