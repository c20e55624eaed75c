/** Reads an arrangement from outside the dataflow: rows of a key, or all rows, as of a time. */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { KeyEncoder } from '../runtime/data/key-encoding.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Row } from '../runtime/data/row-kernels.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { lookupOnly } from '../runtime/data/value-codec.ts'
import type { Arrangement } from './arrangement.ts'

/** Where a column's words are: in the value, or in the key, which may have a wider type. */
interface Source {
  readonly inKey: boolean
  readonly word: number
  readonly keyType: ColumnType | null
}

export class ArrangementReader {
  readonly arrangement: Arrangement
  readonly schema: Schema
  readonly codec: RowCodec
  private readonly keyNames: readonly string[]
  private readonly keyColumns: Int32Array[]
  private readonly encoder: KeyEncoder
  private readonly sources: readonly Source[]
  private readonly pool: BatchPool
  private readonly found = new Int32Array(1)
  private batch: Batch
  private readonly append: (value: number, multiplicity: number) => void
  private key = -1

  /** `schema` has the names: collections that differ in names only share an arrangement. */
  constructor(arrangement: Arrangement, schema: Schema = arrangement.input.schema) {
    const { keyColumns, keyTypes } = arrangement
    this.arrangement = arrangement
    this.schema = schema
    this.codec = rowCodec(schema)
    const types = keyColumns.map((column) => schema.types[column])
    this.keyNames = keyColumns.map((column) => schema.names[column])
    this.keyColumns = types.map((type) => new Int32Array(type.width))
    this.encoder = new KeyEncoder(types, keyTypes as ColumnType[])
    this.sources = schema.types.map((_, column) => sourceOf(arrangement, column))
    this.pool = new BatchPool(schema.widths)
    this.batch = this.pool.take(0, 16)
    this.append = (value, multiplicity) => this.write(this.key, value, multiplicity)
  }

  /**
   * Rows of a key with their multiplicities, as a batch that is valid until the next read.
   * @throws MillraceError BAD_ROW for a key that is none, BAD_TIME for a time that cannot be read
   */
  readKey(key: Row, time: number): Batch {
    const { arrangement, keyColumns, found } = this
    const { dictionary } = arrangement.dataflow
    this.codec.writeKey(key, this.keyNames, keyColumns, 0, lookupOnly(dictionary))
    arrangement.keys.find(this.encoder.encode(keyColumns, 1, dictionary), 1, found)
    this.key = found[0]
    this.batch.n = 0
    arrangement.trace.readKey(this.key, time, this.append)
    return this.batch
  }

  /** All rows with their multiplicities, in no order, as a batch that is valid until the next read. */
  readAll(time: number): Batch {
    this.batch.n = 0
    this.arrangement.trace.readAll(time, (key, value, multiplicity) => this.write(key, value, multiplicity))
    return this.batch
  }

  /** The row of a key id and a value id. */
  row(key: number, value: number): Row {
    this.batch.n = 0
    this.write(key, value, 1)
    return this.codec.readRow(this.batch, 0, this.arrangement.dataflow.dictionary)
  }

  private write(key: number, value: number, multiplicity: number): void {
    const { batch, sources, schema, arrangement } = this
    const at = batch.n
    batch.reserve(at + 1)
    const { rows } = arrangement.trace
    for (let c = 0; c < sources.length; c++) {
      const { inKey, word, keyType } = sources[c]
      const column = batch.columns[c]
      const width = batch.widths[c]
      if (inKey) this.writeKeyWords(key, word, keyType as ColumnType, schema.types[c], column, at)
      else if (rows === null) column[at] = value
      else {
        const from = value * rows.stride + rows.offset + word
        for (let w = 0; w < width; w++) column[at * width + w] = rows.arena[from + w]
      }
    }
    batch.differences[at] = multiplicity
    batch.n = at + 1
  }

  private writeKeyWords(key: number, word: number, keyType: ColumnType, type: ColumnType, column: Int32Array, at: number): void {
    const { words } = this.arrangement.keys
    const wordAt = (i: number): number => {
      if (words !== null) return words.arena[key * words.stride + words.offset + word + i]
      return i === 0 ? key : key >> 31
    }
    const { width } = type
    if (type.kind !== 'int32' && type.kind !== 'int64') {
      for (let w = 0; w < width; w++) column[at * width + w] = wordAt(w)
      return
    }
    column[at * width] = wordAt(0)
    if (type.kind === 'int64') column[at * width + 1] = wordAt(1)
    if (type.nullable) column[at * width + width - 1] = keyType.nullable ? wordAt(keyType.width - 1) : 0
  }
}

function sourceOf(arrangement: Arrangement, column: number): Source {
  const { valueColumns, keyColumns, keyTypes, input } = arrangement
  const width = (position: number): number => input.schema.widths[position]
  const value = valueColumns.indexOf(column)
  if (value >= 0) return { inKey: false, word: valueColumns.slice(0, value).reduce((sum, c) => sum + width(c), 0), keyType: null }
  const key = keyColumns.indexOf(column)
  const word = keyTypes.slice(0, key).reduce((sum, type) => sum + type.width, 0)
  return { inKey: true, word, keyType: keyTypes[key] }
}
