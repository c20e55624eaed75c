/**
 * What probes and monitoring ask of a process, on a port of its own: /livez (it runs), /readyz (users may be sent to it) and /metrics.
 * Probes need no token; metrics need one if there is one.
 */
import type { HttpHandler } from '../env/network.ts'

export interface AdminParts {
  /** Missing things in words; none: ready. */
  readonly missing: () => readonly string[]
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
  /** Whether a request may see the metrics. */
  readonly isAllowed: (request: Request) => boolean
}

const HELP = `/livez    200 while the process runs
/readyz   200 when users may be sent here, else 503 and what is missing
/metrics  for Prometheus
`

export function adminHandler({ missing, metrics, isAllowed }: AdminParts): HttpHandler {
  return async (request) => {
    const { pathname } = new URL(request.url)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return text(405, `there is no ${request.method} here\n`, { allow: 'GET, HEAD' })
    switch (pathname) {
      case '/':
        return text(200, HELP)
      case '/livez':
        return json(200, { status: 'ok' })
      case '/readyz': {
        const found = missing()
        return found.length === 0
          ? json(200, { status: 'ready' })
          : json(503, { status: 'not ready', missing: found }, { 'retry-after': '1' })
      }
      case '/metrics':
        if (!isAllowed(request)) return text(401, 'the token is missing or wrong\n', { 'www-authenticate': 'Bearer' })
        return text(200, await metrics.text(), { 'content-type': metrics.contentType })
      default:
        return text(404, `there is nothing at ${pathname}\n${HELP}`)
    }
  }
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers } })
}

function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return text(status, `${JSON.stringify(body)}\n`, { 'content-type': 'application/json', ...headers })
}
