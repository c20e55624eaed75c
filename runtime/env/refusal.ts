/** How a server tells whoever connects why it is not let in: the body of an HTTP response other than 101. */
import { MillraceError } from '../error.ts'

export interface Refusal {
  /** HTTP status. */
  readonly status: number
  readonly message: string
  readonly hint?: string | undefined
}

export const WRONG_TOKEN: Refusal = {
  status: 401,
  message: 'the token is missing or not the one of this cluster',
  hint: 'Give every process the token that the coordinator was started with.',
}

export const WRONG_CERTIFICATE: Refusal = {
  status: 403,
  message: 'it wants a certificate of its own authority from us',
  hint: 'Give a certificate and its key that were issued by the authority which the other side trusts.',
}

export const FOREIGN_PAGE: Refusal = { status: 403, message: 'a web page of another site may not connect here' }

export function tooMany(maximum: number): Refusal {
  return { status: 503, message: `there are ${maximum} connections already, which is the maximum`, hint: 'Try again later.' }
}

/** What `accept` threw, if it is meant for whoever connects. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof MillraceError) || error.code === 'INVARIANT') return { status: 500, message: 'an internal error' }
  const { hint } = error
  return { status: 403, message: hint === undefined ? error.message : error.message.slice(0, error.message.lastIndexOf('\n  ')), hint }
}

export function refusalBody({ message, hint }: Refusal): string {
  return JSON.stringify({ millrace: { message, hint } })
}

/** The error for a response; a body that is not of a server of ours is left alone. */
export function refusalError(url: string, status: number, body: string): MillraceError {
  const refusal = parse(body)
  if (refusal !== null) return new MillraceError('REFUSED', `${url} refuses the connection: ${refusal.message}`, refusal.hint)
  if (status >= 502 && status <= 504) return new MillraceError('UNREACHABLE', `${url} is not reachable: status ${status} on the way`)
  return new MillraceError(
    'REFUSED',
    `${url} does not take connections: status ${status}`,
    'Check the address: something answers there, but not as a Millrace process does.',
  )
}

function parse(body: string): { readonly message: string; readonly hint: string | undefined } | null {
  try {
    const { message, hint } = (JSON.parse(body) as { millrace: { message?: unknown; hint?: unknown } }).millrace
    return typeof message === 'string' ? { message, hint: typeof hint === 'string' ? hint : undefined } : null
  } catch {
    return null
  }
}
