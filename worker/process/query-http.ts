/**
 * The HTTP API of a worker process: jobs of its group, rows of their outputs, changes as they come. The same answers at every
 * process of the group. Values are as `query-value.ts` says, errors are {error: {code, message, hint}}.
 */

import { typeName } from '../../runtime/data/schema.ts'
import { didYouMean } from '../../runtime/data/suggest.ts'
import type { Timers } from '../../runtime/env/environment.ts'
import type { HttpHandler } from '../../runtime/env/network.ts'
import { type Log, silentLog } from '../../runtime/log/log.ts'
import type { Gateway, JobStatus } from './gateway.ts'
import type { GatewayShape } from './gateway-shape.ts'
import { errorsShape } from './gateway-shape.ts'
import { answer, failureOf, QueryError } from './query-answer.ts'
import { eventStream } from './query-events.ts'
import { checkParameters, flagOf, limitOf, queryParameters, timeOf, wholeNumber } from './query-parameters.ts'
import { pageOf, rowEncoder } from './query-rows.ts'
import { authorise } from './query-token.ts'
import { isoMicroseconds } from './query-value.ts'

export interface QueryOptions {
  readonly gateway: Gateway
  readonly timers: Timers
  /** Required of whoever asks; null, for a server on loopback, lets everybody on this host ask. */
  readonly token: string | null
  readonly log?: Log
  /** For metrics: a route of the list below, and the status. */
  readonly onAnswer?: (route: QueryRoute, status: number) => void
}

export type QueryRoute = 'help' | 'jobs' | 'job' | 'rows' | 'changes' | 'errors' | 'none'

const HELP = `A worker process of Millrace.

GET /v1/jobs                                    jobs and their outputs
GET /v1/jobs/JOB                                one of them
GET /v1/jobs/JOB/outputs/OUTPUT                 its rows in order: ?KEYCOLUMN=..., or ?from=...&limit=100; ?atLeast=TIME, ?asOf=TIME
GET /v1/jobs/JOB/outputs/OUTPUT/changes         server-sent events: ?snapshot=true, ?after=TIME or Last-Event-ID
GET /v1/jobs/JOB/outputs/OUTPUT/errors          what could not be computed: ?limit=100

A time is microseconds since 1970.
`

export function queryHandler(options: QueryOptions): HttpHandler {
  const log = options.log ?? silentLog
  return async (request) => {
    const url = new URL(request.url)
    const { route, names } = routeOf(url.pathname)
    let response: Response
    try {
      authorise(request, options.token)
      response = await answerRoute(options, request, url, route, names)
    } catch (error) {
      const failure = failureOf(error)
      if (failure !== null) response = answer(failure.status, { error: failure.body }, failure.headers)
      else {
        log.error('a request failed', { path: url.pathname, error })
        response = answer(500, { error: { code: 'INVARIANT', message: 'internal error', hint: 'The log of the process says more.' } })
      }
    }
    options.onAnswer?.(route, response.status)
    return response
  }
}

interface Names {
  readonly job: string
  readonly output: string
}

function routeOf(path: string): { readonly route: QueryRoute; readonly names: Names } {
  const [, version, jobs, job = '', outputs, output = '', last, ...rest] = path.split('/').map(decoded)
  const names = { job, output }
  const route = (): QueryRoute => {
    if (path === '/') return 'help'
    if (version !== 'v1' || jobs !== 'jobs' || rest.length > 0) return 'none'
    if (job === '') return outputs === undefined ? 'jobs' : 'none'
    if (outputs === undefined) return 'job'
    if (outputs !== 'outputs' || output === '') return 'none'
    if (last === undefined) return 'rows'
    return last === 'changes' || last === 'errors' ? last : 'none'
  }
  return { route: route(), names }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function answerRoute(options: QueryOptions, request: Request, url: URL, route: QueryRoute, names: Names): Promise<Response> | Response {
  if (route === 'none') throw nothingAt(url.pathname)
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw new QueryError(405, { code: 'REFUSED', message: `there is no ${request.method} here, only GET` }, { allow: 'GET, HEAD' })
  switch (route) {
    case 'help':
      return new Response(HELP, { headers: { 'content-type': 'text/plain; charset=utf-8' } })
    case 'jobs':
      checkParameters(url, [])
      return answer(200, { jobs: options.gateway.jobs.map(shownJob) })
    case 'job':
      checkParameters(url, [])
      return oneJob(options.gateway, names.job)
    case 'rows':
      return rows(options.gateway, request, url, names)
    case 'errors':
      return errors(options.gateway, request, url, names)
    case 'changes':
      return changes(options, request, url, names)
  }
}

function nothingAt(path: string): QueryError {
  const parts = ['v1', 'jobs', 'outputs', 'changes', 'errors']
  const wrong = path.split('/').find((part, i) => i > 0 && [1, 2, 4, 6].includes(i) && !parts.includes(part))
  const meant = wrong === undefined ? '' : didYouMean(wrong, parts)
  return new QueryError(404, { code: 'UNKNOWN_NAME', message: `there is nothing at ${path}.${meant}`, hint: 'GET / says what there is.' })
}

async function oneJob(gateway: Gateway, name: string): Promise<Response> {
  const found = gateway.jobs.find((job) => job.name === name)
  if (found !== undefined) return answer(200, { job: shownJob(found) })
  // Says what there is instead, or that it starts.
  await gateway.shapeSoon(name, '')
  throw nothingAt(name)
}

function shownJob({ name, digest, state, failure, time, outputs }: JobStatus): object {
  return {
    name,
    digest,
    state,
    ...(failure === null ? {} : { failure }),
    ...moment(time),
    outputs: outputs.map((one) => shownOutput(name, one)),
  }
}

function shownOutput(job: string, { name, columns, types, key, kept }: GatewayShape): object {
  const path = `/v1/jobs/${encodeURIComponent(job)}/outputs/${encodeURIComponent(name)}`
  return {
    name,
    columns: Object.fromEntries(columns.map((column, i) => [column, typeName(types[i])])),
    key,
    rows: kept ? path : null,
    changes: `${path}/changes`,
    errors: `${path}/errors`,
  }
}

function moment(time: number | null): object {
  return { time, at: time === null ? null : isoMicroseconds(BigInt(time)) }
}

async function rows(gateway: Gateway, request: Request, url: URL, { job, output }: Names): Promise<Response> {
  const { signal } = request
  const shape = await gateway.shapeSoon(job, output, signal)
  const { multiset, ...parameters } = queryParameters(url, shape)
  const result = await gateway.read({ job, output, ...parameters, signal })
  const { rows, next } = pageOf(result, multiset)
  return answer(200, {
    job,
    output,
    ...moment(result.time),
    rows,
    more: result.more,
    next: next === null ? null : nextPage(url, result.shape, next.row),
  })
}

/** The path and query of the page after this one. */
function nextPage(url: URL, shape: GatewayShape, row: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams(
    [...url.searchParams].filter(([name]) => name !== 'from' && !name.startsWith('from.') && name !== 'atLeast'),
  )
  const encoded = rowEncoder(shape)(row)
  for (const column of shape.key ?? shape.columns) {
    const value = encoded[column]
    query.set(`from.${column}`, typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value))
  }
  return `${url.pathname}?${query}`
}

async function errors(gateway: Gateway, request: Request, url: URL, { job, output }: Names): Promise<Response> {
  const { signal } = request
  await gateway.shapeSoon(job, output, signal)
  checkParameters(url, ['limit', 'atLeast', 'asOf'])
  const times = { atLeast: timeOf(url, 'atLeast'), asOf: timeOf(url, 'asOf') }
  const result = await gateway.read({ job, output, errors: true, limit: limitOf(url), ...times, signal })
  const encode = rowEncoder(errorsShape(output))
  const errors = result.rows.map(({ row, diff }) => ({ ...encode(row), count: diff }))
  return answer(200, { job, output, ...moment(result.time), errors, more: result.more })
}

async function changes({ gateway, timers }: QueryOptions, request: Request, url: URL, { job, output }: Names): Promise<Response> {
  const shape = await gateway.shapeSoon(job, output, request.signal)
  checkParameters(url, ['snapshot', 'after'])
  const seen = request.headers.get('last-event-id')
  const after = seen === null || seen === '' ? timeOf(url, 'after') : wholeNumber(seen, 'Last-Event-ID', 0, Number.MAX_SAFE_INTEGER)
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
  // Who comes back has its snapshot.
  const snapshot = flagOf(url, 'snapshot') && after === null
  if (request.method === 'HEAD') return new Response(null, { headers })
  return new Response(eventStream(gateway.follow({ job, output, snapshot, after }), shape, timers), { headers })
}
