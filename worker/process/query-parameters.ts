/** What the URL of a read asks for. */
import { didYouMean } from '../../runtime/data/suggest.ts'
import { MillraceError } from '../../runtime/error.ts'
import { MAXIMUM_READ_ROWS } from './gateway-read.ts'
import type { GatewayShape } from './gateway-shape.ts'
import { badRequest } from './query-answer.ts'
import { parseText } from './query-value.ts'

type Row = Readonly<Record<string, unknown>>

const DEFAULT_ROWS = 100
/** Not taken for key columns unless written `key.limit`. */
const RESERVED = ['from', 'limit', 'atLeast', 'asOf', 'multiset', 'null']
const KEY = 'key.'
const FROM = 'from.'

export interface QueryParameters {
  readonly key: Row | null
  readonly from: Row | null
  readonly limit: number
  readonly atLeast: number | null
  readonly asOf: number | null
  /** Each row once, with its multiplicity. */
  readonly multiset: boolean
}

/** @throws QueryError with status 400 */
export function queryParameters(url: URL, shape: GatewayShape): QueryParameters {
  const key = new Map<string, unknown>()
  const from = new Map<string, unknown>()
  const order = shape.key ?? shape.columns
  for (const [name, given] of url.searchParams) {
    if (name === 'from') from.set(order[0], parameterValue(shape, order[0], given, name))
    else if (name === 'null') key.set(keyColumn(shape, given), null)
    else if (RESERVED.includes(name)) continue
    else if (name.startsWith(FROM)) from.set(name.slice(FROM.length), parameterValue(shape, name.slice(FROM.length), given, name))
    else {
      const column = keyColumn(shape, name.startsWith(KEY) ? name.slice(KEY.length) : name)
      key.set(column, parameterValue(shape, column, given, name))
    }
  }
  const known = order.slice(0, from.size)
  if (!known.every((column) => from.has(column)))
    throw badRequest(
      'NOT_KEYED',
      `from.${[...from.keys()].join(', from.')} are not the first of ${order.join(', ')}`,
      'Give the first few.',
    )
  const missing = key.size === 0 ? undefined : (shape.key ?? []).find((column) => !key.has(column))
  if (missing !== undefined)
    throw badRequest('NOT_KEYED', `the key column ${missing} is missing`, `Give all of ${order.join(', ')}, or from.${order[0]}=...`)
  if (key.size > 0 && from.size > 0) throw badRequest('CONFIG', 'a key and from exclude each other', 'Leave one of them out.')
  const atLeast = timeOf(url, 'atLeast')
  const asOf = timeOf(url, 'asOf')
  if (atLeast !== null && asOf !== null) throw badRequest('CONFIG', 'atLeast and asOf exclude each other', 'Leave one of them out.')
  return {
    key: key.size === 0 ? null : Object.fromEntries(key),
    from: from.size === 0 ? null : Object.fromEntries(from),
    limit: limitOf(url),
    atLeast,
    asOf,
    multiset: flagOf(url, 'multiset'),
  }
}

/** @throws QueryError if there are parameters that nothing here takes */
export function checkParameters(url: URL, known: readonly string[]): void {
  for (const name of url.searchParams.keys())
    if (!known.includes(name)) {
      const message = `there is no parameter ${JSON.stringify(name)}.${didYouMean(name, known)}`
      throw badRequest('UNKNOWN_NAME', message, known.length === 0 ? 'None is taken here.' : `There are ${known.join(', ')}.`)
    }
}

export function limitOf(url: URL): number {
  const given = url.searchParams.get('limit')
  return given === null ? DEFAULT_ROWS : wholeNumber(given, 'limit', 1, MAXIMUM_READ_ROWS)
}

/** Microseconds since 1970. */
export function timeOf(url: URL, name: string): number | null {
  const given = url.searchParams.get(name)
  return given === null ? null : wholeNumber(given, name, 0, Number.MAX_SAFE_INTEGER)
}

export function wholeNumber(given: string, what: string, least: number, most: number): number {
  const value = /^-?\d{1,16}$/.test(given) ? Number(given) : Number.NaN
  if (!(value >= least && value <= most))
    throw badRequest('CONFIG', `${what} is a whole number from ${least} to ${most}, not ${JSON.stringify(given.slice(0, 40))}`)
  return value
}

export function flagOf(url: URL, name: string): boolean {
  const given = url.searchParams.get(name)
  if (given === null || given === 'false') return false
  if (given === 'true' || given === '') return true
  throw badRequest('CONFIG', `${name} is true or false, not ${JSON.stringify(given.slice(0, 40))}`)
}

function keyColumn(shape: GatewayShape, column: string): string {
  const { key } = shape
  if (key?.includes(column) === true) return column
  const parameters = [...(key ?? []), ...RESERVED]
  const message = `there is no parameter ${JSON.stringify(column)}.${didYouMean(column, parameters)}`
  if (key === null)
    throw badRequest('NOT_KEYED', message, `${shape.name} has no key: keyBy() in the job gives it one. There are ${RESERVED.join(', ')}.`)
  throw badRequest('UNKNOWN_NAME', message, `The key of ${shape.name} is ${key.join(', ')}; else there are ${RESERVED.join(', ')}.`)
}

function parameterValue(shape: GatewayShape, column: string, given: string, parameter: string): unknown {
  try {
    return parseText(shape.typeOf(column), given)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const [message, ...hint] = error.message.split('\n  ')
    throw badRequest(error.code, `${parameter}: ${message}`, hint.length === 0 ? undefined : hint.join(' '))
  }
}
