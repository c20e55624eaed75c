/** An output as its readers see it: names and types of its columns, the order of its rows, and who has the rows of a key. */
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { array, bool, bytes, decimal, float64, int32, int64, json, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { errorSchema } from '../../runtime/data/error-schema.ts'
import { hashKeys, virtualShard } from '../../runtime/data/key-hash.ts'
import { typeName } from '../../runtime/data/schema.ts'
import { didYouMean } from '../../runtime/data/suggest.ts'
import { writeValue } from '../../runtime/data/value-codec.ts'
import { compareDecoded } from '../../runtime/data/value-order.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { CountedRow, OutputShape } from '../../runtime/protocol/thread.ts'

type Row = Readonly<Record<string, unknown>>

const SCALARS: Readonly<Record<Exclude<Kind, 'array'>, ColumnType>> = {
  int32,
  int64,
  float64,
  bool,
  text,
  timestamp,
  decimal,
  bytes,
  json: json(),
}

/** The type that `typeName` calls so; without a json column's `validate`, which only the job has. */
export function parseTypeName(name: string): ColumnType {
  if (name.endsWith('?')) return nullable(parseTypeName(name.slice(0, -1)))
  if (name.startsWith('array<') && name.endsWith('>')) return array(parseTypeName(name.slice('array<'.length, -1)))
  const type = Object.hasOwn(SCALARS, name) ? SCALARS[name as keyof typeof SCALARS] : undefined
  if (type === undefined) throw new MillraceError('PROTOCOL', `there is no column type ${JSON.stringify(name)} in this release`)
  return type
}

/** Strings that the dictionary for hashes holds at most before a new one takes its place. */
const HASHED_STRINGS = 4096
let hashed = new Dictionary()
const hash = new Uint32Array(1)

export class GatewayShape {
  readonly name: string
  readonly columns: readonly string[]
  readonly types: readonly ColumnType[]
  /** Key columns; null for an output without rows by key. */
  readonly key: readonly string[] | null
  /** Whether rows are kept and can be read. */
  readonly kept: boolean
  /** Whether no two workers have rows of one key. */
  readonly isSharded: boolean
  private readonly keyTypes: readonly ColumnType[]
  /** Columns in the order by which rows are sorted: the key's first. */
  private readonly order: readonly { readonly name: string; readonly type: ColumnType }[]

  constructor({ name, columns, types, key, kept, sharded }: OutputShape) {
    this.name = name
    this.columns = columns
    this.types = types.map(parseTypeName)
    this.key = key
    this.kept = kept
    this.isSharded = sharded
    this.keyTypes = (key ?? []).map((column) => this.typeOf(column))
    const names = [...(key ?? []), ...columns.filter((column) => key?.includes(column) !== true)]
    this.order = names.map((column) => ({ name: column, type: this.typeOf(column) }))
  }

  /** @throws MillraceError UNKNOWN_COLUMN */
  typeOf(column: string): ColumnType {
    const type = this.types[this.columns.indexOf(column)]
    if (type === undefined)
      throw new MillraceError(
        'UNKNOWN_COLUMN',
        `${this.name} has no column ${JSON.stringify(column)} (${this.columns.join(', ')}).${didYouMean(column, this.columns)}`,
      )
    return type
  }

  /** Negative if a row comes before another; 0 for identical rows only. */
  compare(a: Row, b: Row): number {
    for (const exact of [false, true])
      for (const { name, type } of this.order) {
        const order = compareDecoded(type, a[name], b[name], exact)
        if (order !== 0) return order
      }
    return 0
  }

  isSameKey(a: Row, b: Row): boolean {
    return (this.key ?? this.columns).every((column) => compareDecoded(this.typeOf(column), a[column], b[column], false) === 0)
  }

  /**
   * The number of the worker that has all rows of a key; null if any may have some.
   * @throws MillraceError COLUMN_TYPE for values that are not of the columns' types
   */
  workerOf(key: Row, owners: readonly number[]): number | null {
    if (!this.isSharded || this.key === null) return null
    if (hashed.live > HASHED_STRINGS) hashed = new Dictionary()
    const words = this.keyTypes.map((type) => new Int32Array(type.width))
    this.key.forEach((column, k) => {
      writeValue(this.keyTypes[k], key[column], words[k], 0, hashed)
    })
    hashKeys(words, this.keyTypes, 1, hashed, hash)
    return owners[virtualShard(hash[0])]
  }
}

/** The shape of what is read as an output's errors. */
export function errorsShape(output: string): GatewayShape {
  return new GatewayShape({
    name: `the errors of ${output}`,
    columns: errorSchema.names,
    types: errorSchema.types.map(typeName),
    key: null,
    kept: true,
    sharded: false,
  })
}

/**
 * Rows of several workers as one: sorted, identical ones summed up, what sums up to nothing left out. Changes only the array that
 * it returns.
 */
export function mergeRows(parts: readonly (readonly CountedRow[])[], shape: GatewayShape): CountedRow[] {
  const rows = parts.flat()
  rows.sort((a, b) => shape.compare(a.row, b.row))
  let n = 0
  for (const { row, diff } of rows) {
    const last = n > 0 ? rows[n - 1] : null
    if (last !== null && shape.compare(last.row, row) === 0) rows[n - 1] = { row: last.row, diff: last.diff + diff }
    else {
      if (last !== null && last.diff === 0) n--
      rows[n++] = { row, diff }
    }
  }
  if (n > 0 && rows[n - 1].diff === 0) n--
  rows.length = n
  return rows
}
