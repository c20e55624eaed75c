/** Which rows of a group are its first k, by several columns in order. */
import type { Batch } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type Comparator, comparatorOf } from '../runtime/data/order.ts'
import type { Schema } from '../runtime/data/schema.ts'
import type { GroupReader } from './group-reader.ts'
import type { GroupRule } from './group-rule.ts'

export interface TopOrder {
  readonly column: number
  readonly descending: boolean
  readonly nullsFirst: boolean
}

export class TopRule implements GroupRule {
  readonly canFail = false
  readonly skips: (reader: GroupReader, value: number, last: Batch) => boolean
  private readonly k: number
  private readonly offset: number
  private readonly ties: boolean
  private readonly orders: readonly { readonly column: number; readonly sign: number; readonly compare: Comparator }[]
  private readonly exact: readonly { readonly column: number; readonly compare: Comparator }[]
  /** Columns of the group that are shown, and their columns in the output. */
  private readonly shown: readonly number[]
  private readonly outColumns: readonly number[]
  private readonly dictionary: Dictionary
  private best = new Int32Array(16)

  /** Rows of `schema`; `shown` are the columns of a result, beside those of the key. */
  constructor(
    schema: Schema,
    keys: readonly number[],
    shown: readonly number[],
    k: number,
    orders: readonly TopOrder[],
    options: { readonly offset: number; readonly ties: boolean },
    dictionary: Dictionary,
  ) {
    this.k = k
    this.offset = options.offset
    this.ties = options.ties
    this.shown = shown
    this.dictionary = dictionary
    this.orders = orders.map(({ column, descending, nullsFirst }) => ({
      column,
      sign: descending ? -1 : 1,
      compare: comparatorOf(schema.types[column], { exact: false, nullsFirst: descending !== nullsFirst }),
    }))
    // What the order leaves equal is ordered by all columns, so that the choice never depends on the order of arrival.
    this.exact = schema.types.map((type: ColumnType, column) => ({ column, compare: comparatorOf(type) }))
    this.outColumns = schema.names.map((_, column) => (shown.includes(column) ? 1 + shown.indexOf(column) : -1))
    // A row is compared with the last one shown by the columns that both have: all but the key's, which are equal.
    const loaded = this.outColumns.every((at, column) => at >= 0 || keys.includes(column))
    this.skips = (reader, value, last) => loaded && this.isBehind(reader.load(value), last)
  }

  private isBehind(row: Batch, last: Batch): boolean {
    const { orders, exact, outColumns, dictionary } = this
    for (const { column, sign, compare } of orders) {
      if (outColumns[column] < 0) continue
      const order = sign * compare(row.columns[column], 0, last.columns[outColumns[column]], 0, dictionary)
      if (order !== 0) return order > 0
    }
    if (this.ties) return false
    for (const { column, compare } of exact) {
      if (outColumns[column] < 0) continue
      const order = compare(row.columns[column], 0, last.columns[outColumns[column]], 0, dictionary)
      if (order !== 0) return order > 0
    }
    return false
  }

  private compareOrder(group: Batch, a: number, b: number): number {
    const { columns } = group
    for (const { column, sign, compare } of this.orders) {
      const order = compare(columns[column], a, columns[column], b, this.dictionary)
      if (order !== 0) return sign * order
    }
    return 0
  }

  private compare(group: Batch, a: number, b: number): number {
    const order = this.compareOrder(group, a, b)
    if (order !== 0) return order
    const { columns } = group
    for (const { column, compare } of this.exact) {
      const exact = compare(columns[column], a, columns[column], b, this.dictionary)
      if (exact !== 0) return exact
    }
    return 0
  }

  compute(group: Batch, out: Batch): null {
    const limit = this.offset + this.k
    const n = this.first(group, limit)
    const { best } = this
    let place = 0
    let last = -1
    for (let i = 0; i < n && place < limit; i++) {
      const row = best[i]
      const count = group.differences[row]
      const taken = Math.min(place + count, limit) - Math.max(place, this.offset)
      place += count
      if (taken <= 0) continue
      last = row
      this.append(group, row, this.ties && place >= limit ? place - Math.max(place - count, this.offset) : taken, out)
    }
    if (this.ties && place >= limit && last >= 0) this.appendTies(group, last, out)
    return null
  }

  /** The rows that come first, in order, in `best`: enough for `limit` places. */
  private first(group: Batch, limit: number): number {
    let n = 0
    for (let row = 0; row < group.n; row++) {
      if (group.differences[row] <= 0) continue
      if (n >= limit && this.compare(group, row, this.best[n - 1]) > 0) continue
      let low = 0
      let high = n
      while (low < high) {
        const middle = (low + high) >> 1
        if (this.compare(group, row, this.best[middle]) < 0) high = middle
        else low = middle + 1
      }
      if (n < limit) n++
      if (this.best.length < n) {
        const wider = new Int32Array(2 * n)
        wider.set(this.best)
        this.best = wider
      }
      this.best.copyWithin(low + 1, low, n - 1)
      this.best[low] = row
    }
    return n
  }

  /** Rows that the order does not tell from the last one, and that were not appended before it. */
  private appendTies(group: Batch, last: number, out: Batch): void {
    const from = this.best.indexOf(last) + 1
    const shown = new Uint8Array(group.n)
    for (let i = 0; i < from; i++) shown[this.best[i]] = 1
    for (let row = 0; row < group.n; row++) {
      if (shown[row] === 1 || group.differences[row] <= 0 || this.compareOrder(group, row, last) !== 0) continue
      this.append(group, row, group.differences[row], out)
    }
  }

  private append(group: Batch, row: number, count: number, out: Batch): void {
    out.reserve(out.n + 1)
    const n = out.n++
    for (let c = 0; c < this.shown.length; c++) {
      const width = out.widths[c + 1]
      const from = group.columns[this.shown[c]]
      for (let j = 0; j < width; j++) out.columns[c + 1][n * width + j] = from[row * width + j]
    }
    out.differences[n] = count
  }

  isFull(out: Batch, from: number): boolean {
    let places = 0
    for (let i = from; i < out.n; i++) places += out.differences[i]
    return places >= this.k
  }
}
