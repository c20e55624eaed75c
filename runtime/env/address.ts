/** What both networks ask of an address to connect to, and of a token. */
import { MillraceError } from '../error.ts'

/** @throws MillraceError CONFIG */
export function connectUrl(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : null
  if (target === null || (target.protocol !== 'http:' && target.protocol !== 'https:'))
    throw new MillraceError('CONFIG', `'${url}' is not an address to connect to`, 'Write http://host:port or https://host:port.')
  target.hash = ''
  return target
}

/** The value of the header `Authorization`. @throws MillraceError CONFIG */
export function bearer(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new MillraceError(
      'CONFIG',
      'the token is empty or has characters that cannot be sent',
      'Use letters, digits and punctuation of ASCII.',
    )
  return `Bearer ${token}`
}
