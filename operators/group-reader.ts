/** Reads the rows of one key of an arrangement, as of a time, back into the columns of the arranged collection. */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Arrangement } from './arrangement.ts'
import type { GeneralArrangeOperator } from './general-arrange.ts'
import { KeyWriter } from './key-writer.ts'

/** Reads whole groups. */
export type Groups = Pick<GroupReader, 'read'>

export class GroupReader {
  private readonly arrangement: Arrangement | GeneralArrangeOperator
  private readonly group: Batch
  private readonly writer: KeyWriter
  /** Key columns that are not among the values, by position in the schema, and as columns of `group`. */
  private readonly lookedUp: readonly number[]
  private readonly ids = new Int32Array(1)
  private readonly visit: (value: number, difference: number) => void
  private readonly keyScratch: Int32Array[]

  constructor(arrangement: Arrangement | GeneralArrangeOperator) {
    this.arrangement = arrangement
    const { input, keyColumns, keyTypes, keys, valueColumns } = arrangement
    this.group = new BatchPool(input.schema.widths).take(0, 16)
    this.lookedUp = keyColumns.map((column) => (valueColumns.includes(column) ? -1 : column))
    const types = keyColumns.map((column) => input.schema.types[column] as ColumnType)
    this.writer = new KeyWriter(keys, types, keyTypes)
    this.keyScratch = types.map((type) => new Int32Array(type.width))
    this.visit = (value, difference) => this.add(value, difference)
  }

  /** The rows of a key as of `time`, with their multiplicities; valid until the next call. Values come in no order. */
  read(key: number, time: number): Batch {
    const { group, arrangement } = this
    group.n = 0
    group.time = time
    arrangement.trace.readKey(key, time, this.visit)
    if (group.n > 0) this.writeKey(key)
    return group
  }

  /** A changed row alone, by its value id, without the columns that only the key has; valid until the next call. */
  load(value: number): Batch {
    this.group.n = 0
    this.add(value, 1)
    return this.group
  }

  private add(value: number, difference: number): void {
    const { group } = this
    const n = group.n
    if (n === group.capacity) group.reserve(n + 1)
    const { valueColumns, trace } = this.arrangement
    const { rows } = trace
    if (rows !== null) {
      const { arena, stride, offset } = rows
      let word = value * stride + offset
      for (let c = 0; c < valueColumns.length; c++) {
        const column = valueColumns[c] as number
        const width = group.widths[column] as number
        const out = group.columns[column] as Int32Array
        for (let j = 0; j < width; j++) out[n * width + j] = arena[word++] as number
      }
    } else if (valueColumns.length === 1) (group.columns[valueColumns[0] as number] as Int32Array)[n] = value
    group.differences[n] = difference
    group.n = n + 1
  }

  private writeKey(key: number): void {
    const { group, lookedUp, keyScratch } = this
    this.ids[0] = key
    this.writer.write(this.ids, 1, keyScratch, 0)
    for (let k = 0; k < lookedUp.length; k++) {
      const column = lookedUp[k] as number
      if (column < 0) continue
      const width = group.widths[column] as number
      const from = keyScratch[k] as Int32Array
      const out = group.columns[column] as Int32Array
      for (let i = 0; i < group.n; i++) for (let j = 0; j < width; j++) out[i * width + j] = from[j] as number
    }
  }
}
