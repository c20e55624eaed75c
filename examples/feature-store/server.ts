/** What the feature store answers over HTTP, all JSON but for the events and the help. */
import { type App, MillraceError } from '../../millrace.ts'
import type { HttpHandler } from '../../runtime/env/network.ts'
import { type AccountRow, type ChangeFeed, MOST_CLIENTS } from './change-feed.ts'
import type { featureStore } from './job.ts'

export type FeatureStoreApp = App<(typeof featureStore)['inputs'], (typeof featureStore)['outputs']>

const HELP = `The fraud feature store: per account, the confirmed frauds against its owner in the last 30 days.

GET /accounts/17           {"accountId":17,"ownerId":4,"frauds":2,"time":...}; ?atLeast=TIME waits for a time
GET /accounts?from=1       accounts by id, from an id on; ?limit=100
GET /changes               server-sent events: the accounts that each commit changed
GET /errors                lines that could not be read, with file and line; ?limit=100
GET /health                rows, bad lines, time, lag

A time is microseconds since 1970.
`

const MOST_ROWS = 10_000
const DEFAULT_ROWS = 100
/** How long a read waits for the time that it asks for, and how far ahead that may be, milliseconds. */
const LONGEST_WAIT = 5000
const WAIT_STEP = 20

/** Leaves a handler with this answer. */
class HttpError extends Error {
  readonly status: number
  readonly headers: Record<string, string>

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export interface ServerParts {
  readonly app: FeatureStoreApp
  readonly feed: ChangeFeed
  /** The state of things for /health; `ok` decides the status. */
  readonly health: () => Promise<{ readonly ok: boolean }>
}

export function featureStoreHandler(parts: ServerParts): HttpHandler {
  return async (request) => {
    try {
      return await route(parts, request)
    } catch (error) {
      if (error instanceof HttpError) return json({ error: error.message }, error.status, error.headers)
      if (error instanceof MillraceError && error.code === 'CLOSED') return json({ error: 'the feature store stops' }, 503)
      throw error
    }
  }
}

function route(parts: ServerParts, request: Request): Response | Promise<Response> {
  const url = new URL(request.url)
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw new HttpError(405, `there is no ${request.method} here, only GET`, { allow: 'GET, HEAD' })
  const [, first, second, ...rest] = url.pathname.split('/')
  const path = rest.length > 0 ? '' : second === undefined ? first : `${first}/`
  if (path === '' && first === '' && second === undefined)
    return new Response(HELP, { headers: { 'content-type': 'text/plain; charset=utf-8' } })
  if (path === 'accounts/' && second !== '') return account(parts.app, url, second, request.signal)
  if (path === 'accounts') return accounts(parts.app, url)
  if (path === 'changes') return changes(parts, request)
  if (path === 'errors') return errors(parts.app, url)
  if (path === 'health') return parts.health().then((health) => json(health, health.ok ? 200 : 503))
  throw new HttpError(404, `there is nothing at ${url.pathname}; GET / says what there is`)
}

async function account(app: FeatureStoreApp, url: URL, given: string, signal: AbortSignal): Promise<Response> {
  const accountId = wholeNumber(given, 'an account id', -0x80000000, 0x7fffffff)
  const atLeast = url.searchParams.get('atLeast')
  if (atLeast !== null) await reach(app, wholeNumber(atLeast, 'atLeast', 0, Number.MAX_SAFE_INTEGER), signal)
  const row = app.outputs.accountFrauds.get({ accountId })
  if (row === undefined) throw new HttpError(404, `there is no account ${accountId} at time ${app.time}`)
  return json({ ...shown(row), time: app.time })
}

/** Waits until a time is complete. */
async function reach(app: FeatureStoreApp, time: number, signal: AbortSignal): Promise<void> {
  const ahead = time - Date.now() * 1000
  if (ahead > LONGEST_WAIT * 1000) throw new HttpError(400, `atLeast=${time} is ${Math.round(ahead / 1_000_000)} s in the future`)
  for (let waited = 0; app.time < time; waited += WAIT_STEP) {
    if (signal.aborted || waited >= LONGEST_WAIT) throw new HttpError(503, `time ${time} is not complete yet; the last one is ${app.time}`)
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP))
  }
}

function accounts(app: FeatureStoreApp, url: URL): Response {
  const from = url.searchParams.get('from')
  const limit = rowLimit(url)
  const start = from === null ? {} : { from: { accountId: wholeNumber(from, 'from', -0x80000000, 0x7fffffff) } }
  return json({ time: app.time, accounts: app.outputs.accountFrauds.scan({ ...start, limit }).map(shown) })
}

function changes({ app, feed }: ServerParts, request: Request): Response {
  if (feed.clientCount >= MOST_CLIENTS) throw new HttpError(503, `${MOST_CLIENTS} clients follow the changes already`)
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }
  if (request.method === 'HEAD') return new Response(null, { headers })
  return new Response(feed.open(app.time, request.headers.get('last-event-id')), { headers })
}

/** The last bad lines of each file. */
function errors(app: FeatureStoreApp, url: URL): Response {
  const limit = rowLimit(url)
  const all = app.outputs.accountFrauds.errors.rows().map((row) => ({
    file: row.source,
    line: lineOf(row.position),
    position: row.position,
    input: row.origin,
    message: row.message,
    excerpt: row.row,
  }))
  all.sort((a, b) => compare(a.file ?? '', b.file ?? '') || contentOf(a.position) - contentOf(b.position) || (a.line ?? 0) - (b.line ?? 0))
  return json({ time: app.time, total: all.length, errors: all.slice(-limit) })
}

function lineOf(position: string | null): number | null {
  const match = /^line (\d+)/.exec(position ?? '')
  return match === null ? null : Number(match[1])
}

/** Of a file that was rotated or truncated: which of its contents. */
function contentOf(position: string | null): number {
  return Number(/of content (\d+)$/.exec(position ?? '')?.[1] ?? 1)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function shown(row: AccountRow): { accountId: number; ownerId: number; frauds: number } {
  return { accountId: row.accountId, ownerId: row.ownerId, frauds: Number(row.frauds) }
}

function rowLimit(url: URL): number {
  const given = url.searchParams.get('limit')
  return given === null ? DEFAULT_ROWS : wholeNumber(given, 'limit', 1, MOST_ROWS)
}

function wholeNumber(given: string, what: string, least: number, most: number): number {
  const value = /^-?\d{1,16}$/.test(given) ? Number(given) : Number.NaN
  if (!(value >= least && value <= most))
    throw new HttpError(400, `${what} is a whole number from ${least} to ${most}, not ${JSON.stringify(given.slice(0, 40))}`)
  return value
}

function json(body: object, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
  })
}
