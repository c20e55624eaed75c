/**
 * The key encoding: which values are one key. It is coarser than identity: -0 and 0 are one key, '1.0' and '1.00'
 * are, and the sides of a join may differ in nullability or in int32 against int64. Key columns in a common layout
 * have equal words exactly if they are one key. Null is a key like any other; whoever wants SQL's null that equals
 * nothing filters first.
 */
import { MillraceError } from '../error.ts'
import { powerOfTwo } from './batch.ts'
import { array, type ColumnType, int32, int64, nullable } from './column-type.ts'
import type { Dictionary } from './dictionary.ts'
import { typeName } from './schema.ts'
import { decode, encode } from './value-encoding.ts'

/** The type in which keys of both types compare, the same either way round; null where the user must convert one. */
export function commonKeyType(a: ColumnType, b: ColumnType): ColumnType | null {
  const kind = commonKind(a, b)
  if (kind === null) return null
  return a.nullable || b.nullable ? nullable(kind) : kind
}

/** The common type but for null. */
function commonKind(a: ColumnType, b: ColumnType): ColumnType | null {
  if (a.kind === 'int32' && b.kind === 'int32') return int32
  if (isWhole(a) && isWhole(b)) return int64
  if (a.kind !== b.kind) return null
  if (a.kind !== 'array') return { kind: a.kind, nullable: false, width: a.width }
  const left = a.element as ColumnType
  const right = b.element as ColumnType
  // Elements lie inside one interned string: only a nullability that does not change the string may differ.
  if (left.kind !== right.kind || (left.kind === 'json' && left.nullable !== right.nullable)) return null
  const element = commonKeyType(left, right)
  return element === null ? null : array(element)
}

function isWhole(type: ColumnType): boolean {
  return type.kind === 'int32' || type.kind === 'int64'
}

type Convert = (column: Int32Array, n: number, dictionary: Dictionary) => Int32Array

/** Key columns of batches to columns in the common layout. One encoder serves one reader: it owns the scratch. */
export class KeyEncoder {
  /** int32 words of each key column. */
  readonly widths: readonly number[]
  private readonly converts: readonly (Convert | null)[]
  private readonly encoded: Int32Array[]

  /**
   * @param types of the batches' key columns
   * @param keyTypes the common types, from `commonKeyType`
   */
  constructor(types: readonly ColumnType[], keyTypes: readonly ColumnType[]) {
    this.widths = keyTypes.map((type) => type.width)
    this.converts = keyTypes.map((keyType, k) => convertOf(types[k] as ColumnType, keyType))
    this.encoded = keyTypes.map(() => new Int32Array(0))
  }

  /**
   * The first n rows in the key layout: a column itself where nothing has to change, else scratch that the next call
   * reuses. The array of columns is reused, too.
   */
  encode(columns: readonly Int32Array[], n: number, dictionary: Dictionary): Int32Array[] {
    const { converts, encoded } = this
    for (let k = 0; k < converts.length; k++) {
      const convert = converts[k] as Convert | null
      const column = columns[k] as Int32Array
      encoded[k] = convert === null ? column : convert(column, n, dictionary)
    }
    return encoded
  }
}

/** How a column of `type` becomes one of `keyType`; null if it is one already. */
function convertOf(type: ColumnType, keyType: ColumnType): Convert | null {
  const common = commonKeyType(type, keyType)
  if (common === null || typeName(common) !== typeName(keyType)) {
    throw new MillraceError('INVARIANT', `invariant broken: ${typeName(type)} has no key of type ${typeName(keyType)}`)
  }
  switch (keyType.kind) {
    case 'int32':
    case 'int64':
      return type.kind === keyType.kind && type.nullable === keyType.nullable ? null : widened(type, keyType)
    case 'float64':
      return withoutMinusZero()
    default: {
      const keyText = keyTextOf(keyType)
      return keyText === null ? null : withKeyText(keyText)
    }
  }
}

/** From the string of an interned value to the string of its key; null where they are the same for all values. */
export function keyTextOf(type: ColumnType): ((s: string) => string) | null {
  if (type.kind === 'decimal') return decimalKey
  return type.kind === 'array' && coarse(type) ? (s) => arrayKey(type, s) : null
}

/** Whether two strings of the type may be one key. */
function coarse(type: ColumnType): boolean {
  return type.kind === 'float64' || type.kind === 'decimal' || (type.kind === 'array' && coarse(type.element as ColumnType))
}

/** Whole numbers into more words: high word by sign, null flag. */
function widened(type: ColumnType, keyType: ColumnType): Convert {
  const from = type.width
  const to = keyType.width
  const sourceHigh = type.kind === 'int64' ? 1 : 0
  const sourceNull = type.nullable ? from - 1 : -1
  const targetHigh = keyType.kind === 'int64' ? 1 : 0
  const targetNull = keyType.nullable ? to - 1 : -1
  let scratch = new Int32Array(0)
  return (column, n) => {
    if (scratch.length < n * to) scratch = new Int32Array(powerOfTwo(n) * to)
    const out = scratch
    for (let i = 0, p = 0, q = 0; i < n; i++, p += from, q += to) {
      const low = column[p] as number
      out[q] = low
      if (targetHigh === 1) out[q + 1] = sourceHigh === 1 ? (column[p + 1] as number) : low >> 31
      if (targetNull >= 0) out[q + targetNull] = sourceNull >= 0 ? (column[p + sourceNull] as number) : 0
    }
    return out
  }
}

function withoutMinusZero(): Convert {
  let scratch = new Int32Array(0)
  return (column, n) => {
    const words = 2 * n
    let p = 0
    while (p < words && !(column[p + 1] === -0x80000000 && column[p] === 0)) p += 2
    if (p >= words) return column
    if (scratch.length < words) scratch = new Int32Array(2 * powerOfTwo(n))
    const out = scratch
    for (let q = 0; q < words; q += 2) {
      const low = column[q] as number
      const high = column[q + 1] as number
      out[q] = low
      out[q + 1] = low === 0 && high === -0x80000000 ? 0 : high
    }
    return out
  }
}

/** Interned values whose key is another string. The ids of key strings live as long as key tables mark them. */
function withKeyText(keyOf: (s: string) => string): Convert {
  let scratch = new Int32Array(0)
  return (column, n, dictionary) => {
    if (scratch.length < n) scratch = new Int32Array(powerOfTwo(n))
    const out = scratch
    for (let i = 0; i < n; i++) {
      const id = column[i] as number
      if (id <= 0) out[i] = id
      else {
        const s = dictionary.get(id)
        const key = keyOf(s)
        out[i] = key === s ? id : dictionary.intern(key)
      }
    }
    return out
  }
}

const ZERO = 48

/** The canonical decimal without zeros at the end of its fraction. */
function decimalKey(s: string): string {
  if (s.charCodeAt(s.length - 1) !== ZERO || !s.includes('.')) return s
  let end = s.length - 1
  while (s.charCodeAt(end - 1) === ZERO) end--
  return s.slice(0, s[end - 1] === '.' ? end - 1 : end)
}

function arrayKey(type: ColumnType, s: string): string {
  return encode(type, keyValue(type, decode(type, s)))
}

/** A value with every part replaced by the one that stands for its key. */
function keyValue(type: ColumnType, value: unknown): unknown {
  if (value === null) return null
  switch (type.kind) {
    case 'float64':
      return (value as number) + 0
    case 'decimal':
      return decimalKey(value as string)
    case 'array': {
      const element = type.element as ColumnType
      return (value as unknown[]).map((part) => keyValue(element, part))
    }
    default:
      return value
  }
}
