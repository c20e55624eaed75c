/** Rows and columns of JavaScript values to the words of a batch, and back: the door of a collection. */
import { MillraceError } from '../error.ts'
import type { Batch } from './batch.ts'
import { writeColumn, writeDifferences } from './column-input.ts'
import type { ColumnType } from './column-type.ts'
import type { Dictionary } from './dictionary.ts'
import { type Change, generatedKernels, interpretedKernels, type Row, type RowKernels } from './row-kernels.ts'
import { type Schema, typeName } from './schema.ts'
import { didYouMean } from './suggest.ts'
import { checkValue, type Interner, writeValue } from './value-codec.ts'
import { shownValue } from './value-encoding.ts'

export class RowCodec {
  readonly schema: Schema
  private readonly kernels: RowKernels

  /** Use `rowCodec(schema)`, which shares codecs; `interpreted` is for places that forbid generated code. */
  constructor(schema: Schema, interpreted = false) {
    this.schema = schema
    this.kernels = (interpreted ? null : generatedKernels(schema)) ?? interpretedKernels(schema)
  }

  /**
   * Appends rows[from] up to rows[to - 1] to a batch that has room for them. Properties without a column are ignored.
   * @throws MillraceError BAD_ROW naming the row and column; batch.n is unchanged then.
   */
  writeRows(rows: readonly object[], from: number, to: number, batch: Batch, difference: number, dictionary: Dictionary): void {
    try {
      this.kernels.writeRows(rows, from, to, batch, difference, dictionary)
    } catch (error) {
      throw this.located(rows, from, to, error)
    }
  }

  readRow(batch: Batch, i: number, dictionary: Dictionary): Row {
    return this.kernels.readRow(batch, i, dictionary)
  }

  readRows(batch: Batch, from: number, to: number, dictionary: Dictionary): Change[] {
    return this.kernels.readRows(batch, from, to, dictionary)
  }

  /**
   * Appends rows given as columns: int32 as Int32Array or numbers; int64 and timestamp as BigInt64Array or bigints (a
   * timestamp also as Dates); float64 as Float64Array or numbers; bool as Uint8Array (0, 1, 2 = null) or booleans; the
   * others as arrays. Null where the type has it. `differences`: one for all, or one a row.
   * @throws MillraceError BAD_ROW naming the row and column, UNKNOWN_COLUMN; batch.n is unchanged then.
   */
  writeColumns(
    columns: { readonly [name: string]: ArrayLike<unknown> },
    from: number,
    to: number,
    batch: Batch,
    differences: ArrayLike<number> | number,
    dictionary: Dictionary,
  ): void {
    const { names, types } = this.schema
    const at = batch.n
    for (let k = 0; k < names.length; k++) {
      const name = names[k] as string
      const values = columns[name]
      if (values === undefined) throw this.missingColumn(name, columns)
      if (values.length < to) {
        throw new MillraceError('BAD_ROW', `column ${JSON.stringify(name)} has ${values.length} rows, expected ${to}`)
      }
      try {
        writeColumn(types[k] as ColumnType, values, from, to, batch, k, at, dictionary)
      } catch (error) {
        throw this.locatedInColumn(k, values, from, to, error)
      }
    }
    if (typeof differences !== 'number' && differences.length < to) {
      throw new MillraceError('BAD_ROW', `there are ${differences.length} differences, expected ${to}`)
    }
    writeDifferences(differences, from, to, batch.differences, at)
    batch.n = at + to - from
  }

  /**
   * Writes the values of some columns as row `row` of `out`, one array a name; for the keys of lookups.
   * @throws MillraceError BAD_ROW
   */
  writeKey(values: Row, names: readonly string[], out: readonly Int32Array[], row: number, ids: Interner): void {
    for (let k = 0; k < names.length; k++) {
      const name = names[k] as string
      const type = this.schema.types[this.schema.indexOf(name)]
      if (type === undefined) throw this.unknownColumn(name)
      try {
        writeValue(type, values[name], out[k] as Int32Array, row, ids)
      } catch (error) {
        throw badValue(`key column ${JSON.stringify(name)}`, type, values[name], error)
      }
    }
  }

  /** What is wrong with a row, unknown and missing columns included, or null. */
  checkRow(row: unknown): string | null {
    const { names, types } = this.schema
    if (typeof row !== 'object' || row === null) return `expected an object, got ${shownValue(row)}`
    const unknown = Object.keys(row).find((name) => !names.includes(name))
    if (unknown !== undefined) return this.unknownColumn(unknown).message
    for (let k = 0; k < names.length; k++) {
      const name = names[k] as string
      const value = (row as Row)[name]
      try {
        checkValue(types[k] as ColumnType, value)
      } catch (error) {
        return badValue(`column ${JSON.stringify(name)}`, types[k] as ColumnType, value, error).message
      }
    }
    return null
  }

  /** Finds the first wrong value after a kernel threw; the kernel itself keeps no place, which costs it nothing. */
  private located(rows: readonly unknown[], from: number, to: number, error: unknown): unknown {
    const { names, types } = this.schema
    for (let i = from; i < to; i++) {
      const row = rows[i]
      if (typeof row !== 'object' || row === null)
        return new MillraceError('BAD_ROW', `row ${i}: expected an object, got ${shownValue(row)}`)
      for (let k = 0; k < names.length; k++) {
        const name = names[k] as string
        let value: unknown
        try {
          value = (row as Row)[name]
        } catch (cause) {
          return new MillraceError('BAD_ROW', `column ${JSON.stringify(name)} of row ${i}: reading it threw ${String(cause)}`, undefined, {
            cause,
          })
        }
        try {
          checkValue(types[k] as ColumnType, value)
        } catch (cause) {
          const given = Object.keys(row).filter((key) => !names.includes(key))
          const hint = value === undefined ? didYouMeanGiven(name, given) : undefined
          return badValue(`column ${JSON.stringify(name)} of row ${i}`, types[k] as ColumnType, value, cause, hint)
        }
      }
    }
    if (error instanceof MillraceError) return error
    return new MillraceError('BAD_ROW', `the rows could not be read: ${String(error)}`, undefined, { cause: error })
  }

  private locatedInColumn(k: number, values: ArrayLike<unknown>, from: number, to: number, error: unknown): unknown {
    const type = this.schema.types[k] as ColumnType
    for (let i = from; i < to; i++) {
      const byte = type.kind === 'bool' && values instanceof Uint8Array
      const value = byte && (values[i] as number) < 3 ? [false, true, null][values[i] as number] : values[i]
      try {
        checkValue(type, value)
      } catch (cause) {
        return badValue(`column ${JSON.stringify(this.schema.names[k])} of row ${i}`, type, value, cause)
      }
    }
    return error
  }

  private missingColumn(name: string, columns: { readonly [name: string]: unknown }): MillraceError {
    const given = Object.keys(columns).filter((key) => !this.schema.names.includes(key))
    return new MillraceError('BAD_ROW', `column ${JSON.stringify(name)} is missing`, didYouMeanGiven(name, given))
  }

  private unknownColumn(name: string): MillraceError {
    const known = this.schema.names.join(', ')
    return new MillraceError(
      'UNKNOWN_COLUMN',
      `there is no column ${JSON.stringify(name)} (${known}).${didYouMean(name, this.schema.names)}`,
    )
  }
}

function didYouMeanGiven(name: string, given: readonly string[]): string | undefined {
  const suggestion = didYouMean(name, given)
  return suggestion === '' ? undefined : `The row has no ${JSON.stringify(name)}.${suggestion}`
}

function badValue(place: string, type: ColumnType, value: unknown, cause: unknown, hint?: string): MillraceError {
  const plain = `expected ${typeName(type)}, got ${value === undefined ? 'nothing (undefined)' : shownValue(value)}`
  const reason = cause instanceof MillraceError ? cause.message.split('\n')[0] : String(cause)
  const detail = value === undefined || (reason as string).startsWith('expected ') ? plain : `${plain}: ${reason}`
  const kept = cause instanceof MillraceError ? cause.hint : undefined
  return new MillraceError('BAD_ROW', `${place}: ${detail}`, hint ?? hintFor(type, value) ?? kept, { cause })
}

/** What a user most likely meant. */
function hintFor(type: ColumnType, value: unknown): string | undefined {
  if (value === null) return 'The column is not nullable: declare it nullable(...), or give a value.'
  if (value === undefined) return type.nullable ? 'Give null for "no value".' : undefined
  switch (type.kind) {
    case 'int64':
    case 'timestamp':
      if (typeof value === 'number') {
        return type.kind === 'int64'
          ? 'An int64 is a bigint: 5n, or BigInt(5).'
          : 'A timestamp is a bigint of microseconds since 1970, or a Date.'
      }
      return typeof value === 'bigint' ? 'The value is outside the 64 bits of the type.' : undefined
    case 'int32':
      if (typeof value === 'string') return 'Convert the string first: Number(value).'
      if (typeof value === 'number') return 'An int32 is a whole number from -2147483648 to 2147483647; int64 and float64 take more.'
      return typeof value === 'bigint' ? 'Declare the column int64 for bigints.' : undefined
    case 'decimal':
      return typeof value === 'number' ? "A decimal is a string, such as '1.10': a number has lost its exact digits." : undefined
    default:
      return undefined
  }
}

const codecs = new Map<string, RowCodec>()

/** The codec of a schema, shared by all schemas of one signature. */
export function rowCodec(schema: Schema): RowCodec {
  // A validate function is not part of the signature, so such a codec is its schema's own.
  if (schema.types.some(validates)) return new RowCodec(schema)
  let codec = codecs.get(schema.signature)
  if (codec === undefined) {
    codec = new RowCodec(schema)
    codecs.set(schema.signature, codec)
  }
  return codec
}

function validates(type: ColumnType): boolean {
  return type.validate !== undefined || (type.element !== undefined && validates(type.element))
}
