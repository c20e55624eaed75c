/** What expressions mean, written down once more, straight from SQL's rules, over JavaScript rows. */
import type { ExpressionNode } from '../../operators/expression/node.ts'
import type { Row } from './rows.ts'

type Value = Row[number]

export class NoResult extends Error {}

const fail = (): never => {
  throw new NoResult()
}

function inRange(value: number | bigint, kind: string): Value {
  if (kind === 'float64') return value
  if (kind === 'int32')
    return Number.isInteger(value) && Math.abs(value as number) <= 2 ** 31 && value !== 2 ** 31 ? (value as number) + 0 : fail()
  const least = kind === 'timestamp' ? -(2n ** 63n) + 1n : -(2n ** 63n)
  return value >= least && value < 2n ** 63n ? value : fail()
}

/** -1, 0 or 1. */
function order(kind: string, a: NonNullable<Value>, b: NonNullable<Value>): number {
  if (kind === 'text') {
    const x = Array.from(a as string, (c) => c.codePointAt(0) as number)
    const y = Array.from(b as string, (c) => c.codePointAt(0) as number)
    for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return Math.sign((x[i] as number) - (y[i] as number))
    return Math.sign(x.length - y.length)
  }
  if (kind === 'decimal') {
    const digits = (s: string) => s.split('.')[1]?.length ?? 0
    const scale = Math.max(digits(a as string), digits(b as string))
    const scaled = (s: string) =>
      BigInt((s.includes('.') ? s : `${s}.`).padEnd(s.length - digits(s) + scale + (s.includes('.') ? 0 : 1), '0').replace('.', ''))
    return order('int64', scaled(a as string), scaled(b as string))
  }
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a < b ? -1 : a > b ? 1 : 0
}

export function model(node: ExpressionNode, row: Record<string, Value>): Value {
  const { op, args, type } = node
  const at = (i: number): Value => model(args[i] as ExpressionNode, row)
  const kind0 = args[0]?.type.kind ?? ''
  switch (op) {
    case 'column':
      return row[node.name as string] as Value
    case 'literal':
      if (node.value === null) return null
      if (type.kind === 'int64' || type.kind === 'timestamp') return BigInt(node.value as string)
      return type.kind === 'float64' ? Number(node.value) : (node.value as Value)
    case 'isNull':
      return at(0) === null
    case 'isNotNull':
      return at(0) !== null
    case 'orElse': {
      const a = at(0)
      return a === null ? at(1) : a
    }
    case 'when':
      return at(0) === true ? at(1) : at(2)
    case 'and': {
      const a = at(0)
      if (a === false) return false
      const b = at(1)
      return b === false ? false : a === null || b === null ? null : true
    }
    case 'or': {
      const a = at(0)
      if (a === true) return true
      const b = at(1)
      return b === true ? true : a === null || b === null ? null : false
    }
    case 'least':
    case 'greatest': {
      const [a, b] = [at(0), at(1)]
      if (a === null) return b
      if (b === null) return a
      const sign = order(type.kind, a, b)
      return op === 'least' ? (sign <= 0 ? a : b) : sign >= 0 ? a : b
    }
  }
  const values = args.map((_, i) => at(i))
  if (values.includes(null)) return null
  const [a, b, c] = values as [never, never, never]
  switch (op) {
    case 'not':
      return !a
    case 'eq':
      return order(kind0, a, b) === 0
    case 'ne':
      return order(kind0, a, b) !== 0
    case 'lt':
      return order(kind0, a, b) < 0
    case 'le':
      return order(kind0, a, b) <= 0
    case 'gt':
      return order(kind0, a, b) > 0
    case 'ge':
      return order(kind0, a, b) >= 0
    case 'plus':
      return inRange((a as number) + (b as number), type.kind)
    case 'minus':
      return inRange((a as number) - (b as number), type.kind)
    case 'times':
      return inRange(((a as number) * (b as number)) as number, type.kind)
    case 'divide':
      // biome-ignore lint/suspicious/noDoubleEquals: 0 or 0n
      if (b == 0) return fail()
      return inRange(type.kind === 'int32' ? Math.trunc((a as number) / (b as number)) : (a as number) / (b as number), type.kind)
    case 'modulo':
      // biome-ignore lint/suspicious/noDoubleEquals: 0 or 0n
      if (b == 0) return fail()
      return inRange((a as number) % (b as number), type.kind)
    case 'negate':
      return inRange(-(a as number), type.kind)
    case 'abs':
      return inRange((a as number) < 0 || Object.is(a, -0) ? -(a as number) : a, type.kind)
    case 'floor':
      return Math.floor(a)
    case 'ceil':
      return Math.ceil(a)
    case 'round': {
      const x = a as number
      if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x
      const [low, high] = [Math.floor(x), Math.ceil(x)]
      if (x - low === high - x) return low % 2 === 0 ? low : high
      return x - low < high - x ? low : high
    }
    case 'length':
      return Array.from(a as string).length
    case 'lower':
      return (a as string).toLowerCase()
    case 'upper':
      return (a as string).toUpperCase()
    case 'concat':
      return `${a}${b}`
    case 'startsWith':
      return (a as string).startsWith(b)
    case 'endsWith':
      return (a as string).endsWith(b)
    case 'contains':
      return (a as string).includes(b)
    case 'slice':
      return Array.from(a as string)
        .slice(b, c)
        .join('')
    case 'truncate': {
      const [value, unit] = [a as bigint, b as bigint]
      let down = (value / unit) * unit
      if (down > value) down -= unit
      return inRange(down, 'timestamp')
    }
    case 'toInt32':
      if (kind0 === 'text') return /^\s*[+-]?\d{1,30}\s*$/.test(a) ? inRange(Number(a), 'int32') : fail()
      return inRange(Math.trunc(Number(a)), 'int32')
    case 'toInt64':
      if (kind0 === 'text')
        return /^\s*[+-]?\d{1,30}\s*$/.test(a) ? inRange(BigInt((a as string).trim().replace('+', '')), 'int64') : fail()
      if (kind0 === 'float64') return Number.isFinite(a) ? inRange(BigInt(Math.trunc(a)), 'int64') : fail()
      return BigInt(a)
    case 'toFloat64':
      if (kind0 !== 'text') return Number(a)
      if (/^\s*([+-]?Infinity|NaN)\s*$/.test(a)) return Number(a)
      return /^[\s\d.eE+-]+$/.test(a) && (a as string).trim() !== '' && Number.isFinite(Number(a)) ? Number(a) : fail()
    case 'toText':
      if (kind0 !== 'timestamp') return Object.is(a, -0) ? '0' : String(a)
      return timestampText(a)
    case 'toTimestamp':
      if (kind0 === 'int64') return inRange(a as bigint, 'timestamp')
      return parseTimestamp(a)
    case 'toDecimal': {
      const match = /^\s*([+-]?)0*(\d*)(\.\d*)?\s*$/.exec(String(a))
      if (match === null || !/\d/.test(String(a))) return fail()
      const digits = `${match[2] || '0'}${(match[3] ?? '').length > 1 ? match[3] : ''}`
      return match[1] === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits
    }
    default:
      throw new Error(`the model has no ${op}`)
  }
}

function timestampText(a: bigint): string {
  const micros = ((a % 1000n) + 1000n) % 1000n
  const date = new Date(Number((a - micros) / 1000n))
  if (Number.isNaN(date.getTime())) return fail()
  return micros === 0n ? date.toISOString() : date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`)
}

function parseTimestamp(s: string): bigint {
  const match = /^(\d{4}-\d\d-\d\d|[+-]\d{6}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d(?:\.(\d{1,6}))?)?)?Z?$/.exec(s.trim())
  if (match === null) return fail()
  const date = new Date(`${match[1]}T${match[2] ?? '00:00'}${(match[3] ?? ':00').slice(0, 3)}Z`)
  if (Number.isNaN(date.getTime()) || date.toISOString().split('T')[0] !== match[1]) return fail()
  return BigInt(date.getTime()) * 1000n + BigInt((match[4] ?? '').padEnd(6, '0'))
}
