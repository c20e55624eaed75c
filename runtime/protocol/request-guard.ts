/** Who a request is from, as far as an HTTP server can tell: the same rules for all servers of a cluster. */

const UTF8 = new TextEncoder()

export function showsToken(request: Request, token: string): boolean {
  const given = /^Bearer (.*)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  return given !== undefined && isEqual(given.trim(), token)
}

/**
 * Whether it was sent to this host under a name of its own. Under a foreign name that means this host, it is from a page that a
 * browser was led to (DNS rebinding).
 */
export function asksLocalhost(request: Request): boolean {
  const { hostname } = new URL(request.url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** Whether a browser sent it for a page of another site: it may have been told to, without the user's knowledge. */
export function isFromForeignPage(request: Request): boolean {
  const origin = request.headers.get('origin')
  if (origin !== null) return origin !== new URL(request.url).origin
  return request.headers.get('sec-fetch-site') === 'cross-site'
}

/** Takes as long for a wrong text as for the right one, so that nobody finds it character by character. */
function isEqual(given: string, expected: string): boolean {
  const left = UTF8.encode(given)
  const right = UTF8.encode(expected)
  let difference = left.length ^ right.length
  for (let i = 0; i < left.length; i++) difference |= left[i] ^ right[i % right.length]
  return difference === 0
}
