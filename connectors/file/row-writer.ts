/** Hands decoded lines to an input. A line that the input does not take is rejected like one that was not decoded. */
import { MillraceError } from '../../runtime/error.ts'
import type { KeyedRowInput, RowInput } from '../input.ts'
import type { DecodedBatch, DecodedRow } from './change-row.ts'
import { excerptOf, type LinePosition } from './position.ts'

/** How many rows were taken, and how many lines were rejected. */
export interface WrittenRows {
  readonly rows: number
  readonly rejected: number
}

type Write = (rows: readonly object[]) => void

export class RowWriter {
  private readonly input: RowInput | KeyedRowInput
  private readonly describe: (position: LinePosition) => string
  private rejected = 0

  /** `describe` gives the position within its file, for people. */
  constructor(input: RowInput | KeyedRowInput, describe: (position: LinePosition) => string) {
    this.input = input
    this.describe = describe
  }

  write(batch: DecodedBatch): WrittenRows {
    this.rejected = 0
    for (const { position, excerpt, message } of batch.bad) this.reject(position, excerpt, message)
    if ('upsertMany' in this.input) this.commands(this.input, batch.rows)
    else this.changes(this.input, batch.rows)
    return { rows: batch.rows.length + batch.bad.length - this.rejected, rejected: this.rejected }
  }

  /** Commands for a key count in their order, so only neighbours of one kind go together. */
  private commands(input: KeyedRowInput, rows: readonly DecodedRow[]): void {
    for (let i = 0; i < rows.length; ) {
      const start = i
      while (i < rows.length && rows[i].operation === 'upsert') i++
      if (i > start) this.many(rows.slice(start, i), (some) => input.upsertMany(some))
      for (; i < rows.length && rows[i].operation !== 'upsert'; i++) this.many([rows[i]], (some) => input.delete(some[0]))
    }
  }

  /** Changes to a multiset add up in any order. */
  private changes(input: RowInput, rows: readonly DecodedRow[]): void {
    const inserted = rows.filter((one) => one.operation === 'insert')
    if (inserted.length > 0) this.many(inserted, (some) => input.insertMany(some))
    if (inserted.length === rows.length) return
    const removed = rows.filter((one) => one.operation !== 'insert')
    if (input.removeMany !== undefined) this.many(removed, (some) => input.removeMany?.(some))
    else for (const one of removed) this.rejectRow(one, 'the input is a stream: rows are only added to it, never removed')
  }

  /** All at once; if one of them is wrong, which takes none, one by one. */
  private many(rows: readonly DecodedRow[], write: Write): void {
    try {
      write(rows.map((one) => one.row))
    } catch (error) {
      if (!isRowError(error)) throw error
      if (rows.length === 1) this.rejectRow(rows[0], error.message)
      else for (const one of rows) this.many([one], write)
    }
  }

  private rejectRow(one: DecodedRow, message: string): void {
    const text = JSON.stringify(one.row, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    this.reject(one.position, excerptOf(text), message)
  }

  private reject(position: LinePosition, excerpt: string, message: string): void {
    this.rejected++
    this.input.reject({ source: position.file, position: this.describe(position), excerpt, message })
  }
}

/** Whether the row is at fault and not the app. */
function isRowError(error: unknown): error is MillraceError {
  return error instanceof MillraceError && (error.code === 'BAD_ROW' || error.code === 'UNKNOWN_COLUMN' || error.code === 'COLUMN_TYPE')
}
