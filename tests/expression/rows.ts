/** JavaScript rows to batches and back, for the tests of expressions. */

import type { TextTable } from '../../operators/expression/frame.ts'
import type { Batch } from '../../runtime/data/batch.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { isInterned } from '../../runtime/data/column-type.ts'
import type { Schema } from '../../runtime/data/schema.ts'

/** bigint for int64 and timestamp; interned kinds by their encoded string. */
export type Row = readonly (null | boolean | number | bigint | string)[]

/** A dictionary that tells when something asks for an id that was never given. */
export class TestTexts implements TextTable {
  private readonly ids = new Map<string, number>()
  private readonly strings: string[] = []

  intern(s: string): number {
    let id = this.ids.get(s)
    if (id === undefined) {
      this.strings.push(s)
      id = this.strings.length
      this.ids.set(s, id)
    }
    return id
  }

  get(id: number): string {
    const s = this.strings[id - 1]
    if (s === undefined) throw new Error(`no text has id ${id}`)
    return s
  }
}

const scratch = new DataView(new ArrayBuffer(8))

export function wordsOf(type: ColumnType, value: Row[number], texts: TextTable): number[] {
  switch (type.kind) {
    case 'int32':
      return type.nullable ? (value === null ? [0, 1] : [value as number, 0]) : [value as number]
    case 'bool':
      return [value === null ? 2 : Number(value)]
    case 'float64':
      if (value === null) return [1, 0x7ff80001]
      if (Number.isNaN(value)) return [0, 0x7ff80000]
      scratch.setFloat64(0, value as number)
      return [scratch.getInt32(4), scratch.getInt32(0)]
    case 'int64':
    case 'timestamp': {
      if (value === null) return type.kind === 'int64' ? [0, 0, 1] : [0, -0x80000000]
      scratch.setBigInt64(0, value as bigint)
      const words = [scratch.getInt32(4), scratch.getInt32(0)]
      return type.width === 3 ? [...words, 0] : words
    }
    default:
      return [value === null ? 0 : texts.intern(value as string)]
  }
}

export function readValue(type: ColumnType, words: readonly number[], texts: TextTable): Row[number] {
  const [low = 0, high = 0, flag = 0] = words
  switch (type.kind) {
    case 'int32':
      return type.nullable && high === 1 ? null : low
    case 'bool':
      return low === 2 ? null : low === 1
    case 'float64':
      if (low === 1 && high === 0x7ff80001) return null
      scratch.setInt32(4, low)
      scratch.setInt32(0, high)
      if (Number.isNaN(scratch.getFloat64(0)) && (low !== 0 || high !== 0x7ff80000)) throw new Error('a NaN that is not the one NaN')
      return scratch.getFloat64(0)
    case 'int64':
    case 'timestamp':
      if (type.width === 3 && flag === 1) return null
      if (type.kind === 'timestamp' && type.nullable && low === 0 && high === -0x80000000) return null
      scratch.setInt32(4, low)
      scratch.setInt32(0, high)
      return scratch.getBigInt64(0)
    default:
      if (!isInterned(type)) throw new Error(type.kind)
      return low === 0 ? null : texts.get(low)
  }
}

export function batchOf(schema: Schema, rows: readonly Row[], texts: TextTable): Batch {
  const batch = new BatchPool(schema.widths).take(0, rows.length)
  rows.forEach((row, i) => {
    schema.types.forEach((type, c) => {
      batch.columns[c]?.set(wordsOf(type, row[c] ?? null, texts), type.width * i)
    })
    batch.differences[i] = i + 1
  })
  batch.n = rows.length
  return batch
}

/** @throws Error if a value is not stored as its type says: rows are identical exactly if their words are */
export function rowsOf(types: readonly ColumnType[], batch: Batch, texts: TextTable): Row[] {
  return Array.from({ length: batch.n }, (_, i) =>
    types.map((type, c) => {
      const words = Array.from(batch.columns[c]?.slice(type.width * i, type.width * (i + 1)) ?? [])
      const value = readValue(type, words, texts)
      const canonical = wordsOf(type, value, texts)
      if (canonical.join() !== words.join()) throw new Error(`${type.kind} ${value} is stored as ${words}, not as ${canonical}`)
      return value
    }),
  )
}

/** Fills a batch with what an earlier use may have left in it. */
export function soil(batch: Batch): Batch {
  for (const column of batch.columns) column.fill(0x55555555)
  return batch
}
