/** Who may ask. */
import { QueryError } from './query-answer.ts'

const UTF8 = new TextEncoder()

/**
 * With a token, whoever shows it. Without one (which a server does on loopback only) whoever is on this host, but for pages that a
 * browser was led to under a foreign name that means this host (DNS rebinding).
 * @throws QueryError 401, 403
 */
export function authorise(request: Request, token: string | null): void {
  if (token === null) {
    const { hostname } = new URL(request.url)
    if (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)) return
    throw new QueryError(403, {
      code: 'REFUSED',
      message: `this server has no token and answers as localhost only, not as ${hostname}`,
      hint: 'Ask for it as localhost, or start it with a token.',
    })
  }
  if (showsToken(request, token)) return
  throw new QueryError(
    401,
    { code: 'REFUSED', message: 'the token is missing or wrong', hint: 'Send it as "authorization: Bearer TOKEN".' },
    { 'www-authenticate': 'Bearer' },
  )
}

export function showsToken(request: Request, token: string): boolean {
  const given = /^Bearer (.*)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  return given !== undefined && isEqual(given.trim(), token)
}

/** Takes as long for a wrong text as for the right one, so that nobody finds it character by character. */
function isEqual(given: string, expected: string): boolean {
  const left = UTF8.encode(given)
  const right = UTF8.encode(expected)
  let difference = left.length ^ right.length
  for (let i = 0; i < left.length; i++) difference |= left[i] ^ right[i % right.length]
  return difference === 0
}
