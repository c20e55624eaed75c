/** The content behind key ids and value ids, as a checkpoint stores it. */
import type { ColumnType } from '../data/column-type.ts'
import type { WordTable } from '../data/word-table.ts'
import type { KeyTable } from './key-table.ts'

export interface CheckpointTypes {
  readonly keys: readonly ColumnType[]
  readonly values: readonly ColumnType[]
}

export function keyColumnsOf(table: KeyTable, types: CheckpointTypes, keys: Int32Array): Int32Array[] {
  const columns = types.keys.map((type) => new Int32Array(type.width * keys.length))
  table.writeKeys(keys, keys.length, columns, 0)
  return columns
}

/** `rows` has the rows that value ids stand for; null where a value is one word, or there is none. */
export function valueColumnsOf(rows: WordTable | null, types: CheckpointTypes, values: Int32Array): Int32Array[] {
  const n = values.length
  const columns = types.values.map((type) => new Int32Array(type.width * n))
  if (rows === null) {
    if (columns.length > 0) columns[0].set(values)
    return columns
  }
  const { arena, stride, offset } = rows
  let word = offset
  types.values.forEach(({ width }, c) => {
    for (let i = 0; i < n; i++) for (let w = 0; w < width; w++) columns[c][i * width + w] = arena[values[i] * stride + word + w]
    word += width
  })
  return columns
}
