/** Rows in order: all columns' order with some of them first, between bounds on those. */
import type { Batch } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type Comparator, comparatorOf } from '../runtime/data/order.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Row } from '../runtime/data/row-kernels.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { firstInOrder } from './first-in-order.ts'

/** Bounds give values for the first of the leading columns, or for the first few. */
export interface RangeBounds {
  /** Only rows with these values. */
  readonly prefix?: Row | undefined
  /** Only rows at or after this. */
  readonly from?: Row | undefined
  /** Only rows before this. */
  readonly to?: Row | undefined
}

interface Bound {
  readonly columns: readonly Int32Array[]
  /** Leading columns that it has values for. */
  readonly length: number
}

export class RowRange {
  private readonly schema: Schema
  private readonly codec: RowCodec
  private readonly order: readonly number[]
  private readonly leading: number
  private readonly byValue: readonly Comparator[]
  private readonly exact: readonly Comparator[]

  /** @param leading positions of the columns that come first in the order, and that bounds are on */
  constructor(schema: Schema, leading: readonly number[]) {
    this.schema = schema
    this.codec = rowCodec(schema)
    this.leading = leading.length
    this.order = [...leading, ...schema.types.map((_, column) => column).filter((column) => !leading.includes(column))]
    this.byValue = schema.types.map((type) => comparatorOf(type, { exact: false }))
    this.exact = schema.types.map((type) => comparatorOf(type))
  }

  /**
   * Indices of the rows of a batch within the bounds, in order; at most `limit`, for which not all of them are sorted.
   * @throws MillraceError BAD_ROW, UNKNOWN_COLUMN for bounds that are none
   */
  select(batch: Batch, bounds: RangeBounds, dictionary: Dictionary, limit = Number.POSITIVE_INFINITY): number[] {
    const prefix = this.bound(bounds.prefix, dictionary)
    const from = this.bound(bounds.from, dictionary)
    const to = this.bound(bounds.to, dictionary)
    const rows: number[] = []
    for (let i = 0; i < batch.n; i++) {
      if (prefix !== null && this.compareBound(batch, i, prefix, dictionary) !== 0) continue
      if (from !== null && this.compareBound(batch, i, from, dictionary) < 0) continue
      if (to !== null && this.compareBound(batch, i, to, dictionary) >= 0) continue
      rows.push(i)
    }
    return firstInOrder(rows, limit, (a, b) => this.compare(batch, a, b, dictionary))
  }

  private compare(batch: Batch, a: number, b: number, dictionary: Dictionary): number {
    for (const comparators of [this.byValue, this.exact]) {
      for (const column of this.order) {
        const words = batch.columns[column]
        const order = comparators[column](words, a, words, b, dictionary)
        if (order !== 0) return order
      }
    }
    return 0
  }

  private compareBound(batch: Batch, row: number, bound: Bound, dictionary: Dictionary): number {
    for (let k = 0; k < bound.length; k++) {
      const column = this.order[k]
      const order = this.byValue[column](batch.columns[column], row, bound.columns[k], 0, dictionary)
      if (order !== 0) return order
    }
    return 0
  }

  private bound(values: Row | undefined, dictionary: Dictionary): Bound | null {
    if (values === undefined) return null
    const given = Object.keys(values)
    const names = this.order.slice(0, Math.min(this.leading, given.length)).map((column) => this.schema.names[column])
    if (given.length === 0) return null
    const missing = names.find((name) => !given.includes(name))
    if (missing !== undefined || given.length > this.leading) {
      const key = this.order.slice(0, this.leading).map((column) => this.schema.names[column])
      throw new MillraceError(
        'NOT_KEYED',
        `a range over (${given.join(', ')}) is not over the first of the key columns (${key.join(', ')})`,
        'Give the first key column, or the first few.',
      )
    }
    const columns = names.map((name) => new Int32Array(this.schema.widths[this.schema.indexOf(name)]))
    this.codec.writeKey(values, names, columns, 0, dictionary)
    return { columns, length: names.length }
  }
}
