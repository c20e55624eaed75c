/** Answers of the HTTP API: JSON, and errors that say what to do. */
import { MillraceError } from '../../runtime/error.ts'
import { Unavailable } from './gateway-error.ts'

export interface ApiError {
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/** Thrown to answer at once. */
export class QueryError extends Error {
  readonly status: number
  readonly body: ApiError
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: ApiError, headers: Readonly<Record<string, string>> = {}) {
    super(body.message)
    this.status = status
    this.body = body
    this.headers = headers
  }
}

export function badRequest(code: ApiError['code'], message: string, hint?: string): QueryError {
  return new QueryError(400, { code, message, ...(hint === undefined ? {} : { hint }) })
}

export function answer(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response {
  const all = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers }
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: all })
}

/** Statuses of codes; all others are ours, not the client's. */
const STATUSES: Partial<Record<MillraceError['code'], number>> = {
  UNKNOWN_NAME: 404,
  UNKNOWN_COLUMN: 400,
  COLUMN_TYPE: 400,
  BAD_ROW: 400,
  NOT_KEYED: 400,
  CONFIG: 400,
  OVERFLOW: 400,
  BAD_TIME: 410,
  JOB: 503,
  FENCED: 503,
  UNREACHABLE: 503,
  CLOSED: 503,
}

/** What an error is to the client; null for one that it can do nothing about. */
export function failureOf(error: unknown): QueryError | null {
  if (error instanceof QueryError) return error
  if (!(error instanceof MillraceError)) return null
  const status = error instanceof Unavailable ? 503 : STATUSES[error.code]
  if (status === undefined) return null
  const { code, hint } = error
  // A MillraceError's text has the hint in it, too.
  const message = hint === undefined ? error.message : error.message.slice(0, -`\n  ${hint}`.length)
  const headers: Record<string, string> = error instanceof Unavailable ? { 'retry-after': String(error.retryAfterSeconds) } : {}
  return new QueryError(status, { code, message, ...(hint === undefined ? {} : { hint }) }, headers)
}
