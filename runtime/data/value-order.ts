/** The order of values that live as strings: text, decimal, bytes, json, arrays. */
import type { ColumnType } from './column-type.ts'
import { decode } from './value-encoding.ts'

const FIRST_SURROGATE = 0xd800

/** By Unicode code points, as the bytes of UTF-8 sort: UTF-16 units alone would put U+1F600 before U+FB00. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // At the first difference surrogates stand for code points above all units.
    if (x >= FIRST_SURROGATE && y >= FIRST_SURROGATE) return unitRank(x) - unitRank(y)
    return x - y
  }
  return a.length - b.length
}

function unitRank(unit: number): number {
  return unit < 0xe000 ? unit + 0x10000 : unit
}

/** By bytes, as numbers from 0 to 255. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

const MINUS = 45

/** By number; with `exact`, of equal numbers the one with fewer digits after the point first. */
export function compareDecimals(a: string, b: string, exact: boolean): number {
  if (a === b) return 0
  const negativeA = a.charCodeAt(0) === MINUS
  const negativeB = b.charCodeAt(0) === MINUS
  if (negativeA !== negativeB) return negativeA ? -1 : 1
  const byNumber = negativeA ? compareMagnitudes(b, a, 1) : compareMagnitudes(a, b, 0)
  return byNumber !== 0 || !exact ? byNumber : a.length - b.length
}

/** Canonical decimals without sign, from a character on: whole digits without leading zeros, a point, more digits. */
function compareMagnitudes(a: string, b: string, from: number): number {
  const pointA = a.indexOf('.')
  const pointB = b.indexOf('.')
  const wholeA = pointA < 0 ? a.length : pointA
  const wholeB = pointB < 0 ? b.length : pointB
  if (wholeA !== wholeB) return wholeA - wholeB
  const longer = Math.max(a.length, b.length)
  for (let i = from; i < longer; i++) {
    if (i === wholeA) continue
    const x = i < a.length ? a.charCodeAt(i) : 48
    const y = i < b.length ? b.charCodeAt(i) : 48
    if (x !== y) return x - y
  }
  return 0
}

function compareNumbers(a: number, b: number, exact: boolean): number {
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return exact && a === 0 ? Number(Object.is(b, -0)) - Number(Object.is(a, -0)) : 0
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

/** Postgres jsonb's order of kinds: null, string, number, boolean, array, object. */
function jsonRank(value: unknown): number {
  if (value === null) return 0
  switch (typeof value) {
    case 'string':
      return 1
    case 'number':
      return 2
    case 'boolean':
      return 3
    default:
      return Array.isArray(value) ? 4 : 5
  }
}

/** A total order as of Postgres jsonb: kinds first, then for arrays and objects the size, then the contents in order. */
export function compareJson(a: unknown, b: unknown): number {
  const rank = jsonRank(a)
  const byRank = rank - jsonRank(b)
  if (byRank !== 0) return byRank
  switch (rank) {
    case 0:
      return 0
    case 1:
      return compareText(a as string, b as string)
    case 2:
    case 3:
      return Number(a) - Number(b)
    case 4:
      return compareJsonArrays(a as unknown[], b as unknown[])
    default:
      return compareJsonObjects(a as Record<string, unknown>, b as Record<string, unknown>)
  }
}

function compareJsonArrays(a: unknown[], b: unknown[]): number {
  let result = a.length - b.length
  for (let i = 0; result === 0 && i < a.length; i++) result = compareJson(a[i], b[i])
  return result
}

function compareJsonObjects(a: Record<string, unknown>, b: Record<string, unknown>): number {
  // Sorted here, because JavaScript moves keys such as "1" to the front of an object.
  const keysA = Object.keys(a).sort(compareText)
  const keysB = Object.keys(b).sort(compareText)
  let result = keysA.length - keysB.length
  for (let i = 0; result === 0 && i < keysA.length; i++) {
    const key = keysA[i] as string
    result = compareText(key, keysB[i] as string)
    if (result === 0) result = compareJson(a[key], b[key])
  }
  return result
}

/** Values of a type as JavaScript has them; null last. */
export function compareDecoded(type: ColumnType, a: unknown, b: unknown, exact: boolean): number {
  if (type.nullable && (a === null || b === null)) return Number(a === null) - Number(b === null)
  switch (type.kind) {
    case 'int32':
    case 'bool':
      return Number(a) - Number(b)
    case 'int64':
    case 'timestamp':
      return (a as bigint) < (b as bigint) ? -1 : a === b ? 0 : 1
    case 'float64':
      return compareNumbers(a as number, b as number, exact)
    case 'text':
      return compareText(a as string, b as string)
    case 'decimal':
      return compareDecimals(a as string, b as string, exact)
    case 'bytes': {
      const x = a as Uint8Array
      const y = b as Uint8Array
      for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return (x[i] as number) - (y[i] as number)
      return x.length - y.length
    }
    case 'json':
      return compareJson(a, b)
    case 'array':
      return compareArrays(type, a as unknown[], b as unknown[], exact)
  }
}

/** Element by element, then the shorter first. */
function compareArrays(type: ColumnType, a: unknown[], b: unknown[], exact: boolean): number {
  const element = type.element as ColumnType
  for (let i = 0; i < a.length && i < b.length; i++) {
    const result = compareDecoded(element, a[i], b[i], false)
    if (result !== 0) return result
  }
  if (a.length !== b.length || !exact) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    const result = compareDecoded(element, a[i], b[i], true)
    if (result !== 0) return result
  }
  return 0
}

/** How two strings of an interned type compare. */
export function stringOrder(type: ColumnType, exact: boolean): (a: string, b: string) => number {
  switch (type.kind) {
    case 'text':
      return compareText
    case 'decimal':
      return (a, b) => compareDecimals(a, b, exact)
    case 'bytes':
      return compareBytes
    default:
      return decodedOrder({ ...type, nullable: false }, exact)
  }
}

function decodedOrder(type: ColumnType, exact: boolean): (a: string, b: string) => number {
  return (a, b) => {
    if (a === b) return 0
    const result = compareDecoded(type, decode(type, a), decode(type, b), exact)
    return result !== 0 || !exact ? result : compareText(a, b)
  }
}
