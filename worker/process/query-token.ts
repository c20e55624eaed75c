/** Who may ask. */
import { asksLocalhost, showsToken } from '../../runtime/protocol/request-guard.ts'
import { QueryError } from './query-answer.ts'

/**
 * With a token, whoever shows it. Without one (which a server does on loopback only) whoever is on this host, but for pages that a
 * browser was led to under a foreign name that means this host (DNS rebinding).
 * @throws QueryError 401, 403
 */
export function authorise(request: Request, token: string | null): void {
  if (token === null) {
    if (asksLocalhost(request)) return
    const { hostname } = new URL(request.url)
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
