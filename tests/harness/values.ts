/** The types and values of random programs: few, so that equal ones meet, with the edges among them. */
import { bool, type ColumnType, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import type { Row } from '../oracle/multiset.ts'

interface Palette {
  readonly type: ColumnType
  readonly values: readonly unknown[]
}

const integers = [0, 1, 2, 3, 4, 1, 2, -1, 5, 0x7fffffff, -0x80000000, 1 << 21]
const longs = integers.map(BigInt).concat(2n ** 33n, 2n ** 63n - 1n)
const texts = ['a', 'b', '', 'Rimini', 'a', 'b', 'a string of more than twelve', '\ufb00', '\u{1f600}', 'B']
const floats = [0, 1, 2, 0.5, -0, 0.1, 0.2, 1e300, -1e300, Number.NaN, Number.POSITIVE_INFINITY, 1, 2]

export const palettes: readonly Palette[] = [
  { type: int32, values: integers },
  { type: text, values: texts },
  { type: int32, values: [0, 1, 2, 3] },
  { type: nullable(int32), values: [null, ...integers] },
  { type: nullable(text), values: [null, ...texts] },
  { type: int64, values: longs },
  { type: float64, values: floats },
  { type: bool, values: [true, false] },
  { type: nullable(float64), values: [null, ...floats] },
  { type: timestamp, values: [0n, 1n, 2n, 3n, 4n, 10n ** 15n] },
  { type: nullable(bool), values: [null, true, false] },
  { type: decimal, values: ['0', '1.0', '1.00', '-3.25', '10'] },
]

export function paletteOf(position: number): Palette {
  return palettes[position % palettes.length]
}

export function rowOf(types: readonly number[], values: readonly number[]): Row {
  return Object.fromEntries(
    types.map((type, column) => {
      const palette = paletteOf(type)
      return [`c${column}`, palette.values[(values[column] ?? 0) % palette.values.length]]
    }),
  )
}

/** A whole number from the content of a row, for made-up functions. */
export function mixed(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return (h ^ (h >>> 15)) >>> 0
}
