/** Definitions of grouping and aggregates, over multiplicities of any sign. */
import { add, type Multiset, type Row, textOf } from './multiset.ts'

export interface Group {
  readonly key: Row
  readonly rows: { readonly row: Row; readonly count: number }[]
}

/** -0 and 0 are one key; so are decimals of one value. */
function keyValue(value: unknown): unknown {
  return value === 0 ? 0 : value
}

export function groupsOf(input: Multiset, keys: readonly string[]): Group[] {
  const groups = new Map<string, Group>()
  for (const { row, count } of input.values()) {
    const key = Object.fromEntries(keys.map((name) => [name, keyValue(row[name])]))
    const text = textOf(key)
    if (!groups.has(text)) groups.set(text, { key, rows: [] })
    groups.get(text)?.rows.push({ row, count })
  }
  return [...groups.values()]
}

/** What a group shows for an aggregate; a thrown error is the group's. */
export type Shown = (rows: Group['rows']) => unknown

/** One row for each group whose multiplicities do not add up to 0; and the errors of those without a result. */
export function aggregated(
  input: Multiset,
  keys: readonly string[],
  aggregates: Record<string, Shown>,
): { rows: Multiset; errors: Multiset } {
  const rows: Multiset = new Map()
  const errors: Multiset = new Map()
  for (const group of groupsOf(input, keys)) {
    if (group.rows.reduce((sum, { count }) => sum + count, 0) === 0) continue
    try {
      add(rows, { ...group.key, ...Object.fromEntries(Object.entries(aggregates).map(([name, show]) => [name, show(group.rows)])) }, 1)
    } catch (error) {
      const parts = Object.entries(group.key).map(
        ([name, value]) => `${name}: ${typeof value === 'string' ? JSON.stringify(value) : value}`,
      )
      add(errors, { row: parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`, message: (error as Error).message }, 1)
    }
  }
  return { rows, errors }
}

const present = (rows: Group['rows'], column: string) => rows.filter(({ row }) => row[column] !== null)

export const count: Shown = (rows) => BigInt(rows.reduce((sum, { count }) => sum + count, 0))

export function countOf(column: string): Shown {
  return (rows) => BigInt(present(rows, column).reduce((sum, { count }) => sum + count, 0))
}

/** Null if no value is left; `nullable` says whether values can be null at all. */
export function integerSum(column: string, name: string, nullable: boolean): Shown {
  return (rows) => {
    if (nullable && countOf(column)(rows) === 0n) return null
    const sum = present(rows, column).reduce((sum, { row, count }) => sum + BigInt(row[column] as number | bigint) * BigInt(count), 0n)
    if (sum !== BigInt.asIntN(64, sum)) throw new Error(`the sum ${JSON.stringify(name)} leaves the range of int64`)
    return sum
  }
}

/** The double as a whole number of units of 2^-1074. */
function units(x: number): bigint {
  const words = new BigUint64Array(new Float64Array([x]).buffer)[0] as bigint
  const exponent = (words >> 52n) & 0x7ffn
  const fraction = words & 0xfffffffffffffn
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n)
  return words >> 63n === 1n ? -magnitude : magnitude
}

/** Units of 2^-1074 to the nearest double, half to even. */
function fromUnits(sum: bigint): number {
  const negative = sum < 0n
  const magnitude = negative ? -sum : sum
  const bits = magnitude.toString(2).length
  const shift = BigInt(Math.max(0, bits - 53))
  let mantissa = magnitude >> shift
  const rest = magnitude - (mantissa << shift)
  const half = shift === 0n ? 0n : 1n << (shift - 1n)
  if (shift > 0n && (rest > half || (rest === half && (mantissa & 1n) === 1n))) mantissa++
  let value = Number(mantissa)
  // In steps, since 2^-1074 times a large power of two is not always a double on the way.
  let exponent = Number(shift) - 1074
  for (; exponent > 900; exponent -= 900) value *= 2 ** 900
  for (; exponent < -900; exponent += 900) value *= 2 ** -900
  value *= 2 ** exponent
  return negative ? -value : value
}

function exactFloatSum(rows: Group['rows'], column: string): number {
  let sum = 0n
  const special = { nan: 0, plus: 0, minus: 0 }
  for (const { row, count } of present(rows, column)) {
    const x = row[column] as number
    if (Number.isNaN(x)) special.nan += count
    else if (x === Number.POSITIVE_INFINITY) special.plus += count
    else if (x === Number.NEGATIVE_INFINITY) special.minus += count
    else sum += units(x) * BigInt(count)
  }
  if (special.nan !== 0 || (special.plus !== 0 && special.minus !== 0)) return Number.NaN
  if (special.plus !== 0) return Number.POSITIVE_INFINITY
  return special.minus !== 0 ? Number.NEGATIVE_INFINITY : fromUnits(sum)
}

export function floatSum(column: string, nullable: boolean): Shown {
  return (rows) => (nullable && countOf(column)(rows) === 0n ? null : exactFloatSum(rows, column))
}

export function average(column: string, float: boolean): Shown {
  return (rows) => {
    const n = Number(countOf(column)(rows))
    if (n === 0) return null
    if (float) return exactFloatSum(rows, column) / n
    const sum = present(rows, column).reduce((sum, { row, count }) => sum + BigInt(row[column] as number | bigint) * BigInt(count), 0n)
    return Number(sum) / n
  }
}

/** Values with a positive multiplicity. */
export function valuesOf(rows: Group['rows'], column: string): unknown[] {
  const counts: Multiset = new Map()
  for (const { row, count } of present(rows, column)) add(counts, { value: row[column] }, count)
  return [...counts.values()].filter(({ count }) => count > 0).map(({ row }) => row['value'])
}

/** `compare` is a total order of values. */
export function extreme(column: string, sign: 1 | -1, nullable: boolean, compare: (a: unknown, b: unknown) => number): Shown {
  return (rows) => {
    const values = valuesOf(rows, column).sort((a, b) => sign * compare(b, a))
    if (values.length > 0) return values[0]
    if (nullable) return null
    throw new Error('no row of the group has a positive multiplicity')
  }
}

export function countDistinct(column: string): Shown {
  return (rows) => {
    const counts: Multiset = new Map()
    for (const { row, count } of present(rows, column)) add(counts, { value: keyValue(row[column]) }, count)
    return BigInt([...counts.values()].filter(({ count }) => count > 0).length)
  }
}
