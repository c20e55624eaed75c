/** Rows of an output as JSON. */
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import type { ReadResult } from './gateway-read.ts'
import { MAXIMUM_READ_ROWS } from './gateway-read.ts'
import type { GatewayShape } from './gateway-shape.ts'
import { QueryError } from './query-answer.ts'
import { jsonEncoder } from './query-value.ts'

export type RowEncoder = (row: Readonly<Record<string, unknown>>) => Record<string, unknown>

const encoders = new WeakMap<GatewayShape, RowEncoder>()

export function rowEncoder(shape: GatewayShape): RowEncoder {
  let encoder = encoders.get(shape)
  if (encoder === undefined) {
    const columns = shape.columns.map((name, i) => [name, jsonEncoder(shape.types[i])] as const)
    encoder = (row) => {
      const encoded: Record<string, unknown> = {}
      for (const [name, encode] of columns) encoded[name] = encode(row[name])
      return encoded
    }
    encoders.set(shape, encoder)
  }
  return encoder
}

/** The rows of a page, each as often as it is there, and where the next page begins. */
export function pageOf(result: ReadResult, multiset: boolean): { readonly rows: object[]; readonly next: CountedRow | null } {
  const { shape } = result
  const { rows, next } = wholeKeys(result)
  const encode = rowEncoder(shape)
  if (multiset) return { rows: rows.map(({ row, diff }) => ({ row: encode(row), diff })), next }
  const copies: object[] = []
  for (const { row, diff } of rows) {
    if (diff < 0)
      throw new QueryError(500, {
        code: 'BAD_ROW',
        message: `${shape.name} has the row ${JSON.stringify(encode(row))} ${diff} times: more was removed than inserted`,
        hint: 'Ask with multiset=true to see such rows.',
      })
    if (copies.length + diff > MAXIMUM_READ_ROWS)
      throw new QueryError(400, {
        code: 'OVERFLOW',
        message: `with all copies there are more than ${MAXIMUM_READ_ROWS} rows`,
        hint: 'Ask with multiset=true, or with a lower limit.',
      })
    const encoded = encode(row)
    for (let i = 0; i < diff; i++) copies.push(encoded)
  }
  return { rows: copies, next }
}

/** A page begins with a key, so it ends before one, unless that key alone is longer than a page. */
function wholeKeys({ rows, next, shape }: ReadResult): { readonly rows: readonly CountedRow[]; readonly next: CountedRow | null } {
  if (next === null || shape.key === null) return { rows, next }
  let end = rows.length
  while (end > 0 && shape.isSameKey(rows[end - 1].row, next.row)) end--
  return end === 0 ? { rows, next: null } : { rows: rows.slice(0, end), next }
}
