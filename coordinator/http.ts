/** The coordinator's HTTP API: what the command line, scripts and probes talk to. JSON both ways, errors as {code, message, hint}. */

import { z } from 'zod'
import { MillraceError } from '../runtime/error.ts'
import { inSpan } from '../runtime/log/spans.ts'
import { asksLocalhost, isFromForeignPage, showsToken } from '../runtime/protocol/request-guard.ts'
import { isCode } from './error-code.ts'
import type { Leader } from './leader.ts'
import { clusterStatus, jobStatus, jobStatuses } from './status-builder.ts'

/** A bundle as JSON text may be twice as long as it is, and some more. */
const BODY_FACTOR = 2
const BODY_EXTRA_BYTES = 64 << 10

export interface ApiState {
  readonly token: string | null
  /** Whether only this host reaches it. */
  readonly isLoopback: boolean
  /** Null while this coordinator does not lead. */
  readonly leader: { readonly current: Leader; readonly since: number } | null
  /** Where the leader is, if it is another one and known. */
  readonly leaderUrl: string | null
  readonly maximumBundleBytes: number
}

interface ApiError {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/** Thrown to answer at once. */
class Answer extends Error {
  readonly response: Response

  constructor(response: Response) {
    super('an answer')
    this.response = response
  }
}

const deployment = z.object({ name: z.string(), group: z.string().default('default'), code: z.string(), digest: z.string() })

export async function answerRequest(request: Request, state: ApiState): Promise<Response> {
  const path = new URL(request.url).pathname
  if (path === '/livez') return json(200, { status: 'ok' })
  if (path === '/readyz') {
    if (state.leader !== null) return json(200, { status: 'leader' })
    return json(503, { status: 'standby', leader: state.leaderUrl })
  }
  try {
    checkSender(request, state)
    return await answerApi(request, path, state)
  } catch (error) {
    if (error instanceof Answer) return error.response
    if (isCode(error, 'FENCED')) return notLeader(state.leaderUrl).response
    if (!(error instanceof MillraceError)) throw error
    const status = error.code === 'UNKNOWN_NAME' ? 404 : error.code === 'STORE' ? 503 : 400
    return failure({ status, code: error.code, message: firstLine(error), ...(error.hint === undefined ? {} : { hint: error.hint }) })
  }
}

/** A job is code that runs on all workers: nobody may deploy one by leading a browser to a page. */
function checkSender(request: Request, { token, isLoopback }: ApiState): void {
  if (isFromForeignPage(request))
    throw refuse({ status: 403, code: 'REFUSED', message: 'pages of other sites get no answer', hint: 'Use the command line.' })
  if (token === null) {
    if (!isLoopback || asksLocalhost(request)) return
    throw refuse({
      status: 403,
      code: 'REFUSED',
      message: `this coordinator has no token and answers as localhost only, not as ${new URL(request.url).hostname}`,
      hint: 'Ask for it as localhost, or start it with a token.',
    })
  }
  if (!showsToken(request, token))
    throw refuse({
      status: 401,
      code: 'REFUSED',
      message: 'the token is missing or wrong',
      hint: 'Send it as "authorization: Bearer TOKEN".',
    })
}

async function answerApi(request: Request, path: string, state: ApiState): Promise<Response> {
  const parts = path.split('/').slice(1).map(decode)
  const [version, kind, name, action] = parts
  const at =
    version !== 'v1'
      ? ''
      : [kind, name === undefined ? null : ':name', action].filter((part) => part !== null && part !== undefined).join('/')
  const methods: Record<string, (leader: Leader, since: number) => Promise<Response> | Response> | undefined = routes(
    at,
    name,
    request,
    state,
  )
  if (methods === undefined)
    throw refuse({
      status: 404,
      code: 'UNKNOWN_NAME',
      message: `there is nothing at ${path}`,
      hint: 'There are /v1/status, /v1/jobs, /v1/jobs/NAME and /v1/processes/NAME/drain.',
    })
  const handler = methods[request.method]
  if (handler === undefined) {
    const allowed = Object.keys(methods).join(', ')
    throw refuse({ status: 405, code: 'REFUSED', message: `${path} takes ${allowed}, not ${request.method}` }, { allow: allowed })
  }
  if (state.leader === null) throw notLeader(state.leaderUrl)
  return handler(state.leader.current, state.leader.since)
}

function routes(
  at: string,
  name: string | undefined,
  request: Request,
  state: ApiState,
): Record<string, (leader: Leader, since: number) => Promise<Response> | Response> | undefined {
  switch (at) {
    case 'status':
      return { GET: (leader, since) => json(200, clusterStatus(leader, since)) }
    case 'jobs':
      return {
        GET: (leader) => json(200, { jobs: jobStatuses(leader) }),
        POST: (leader) => deploy(leader, request, state.maximumBundleBytes),
      }
    case 'jobs/:name':
      return { GET: (leader) => oneJob(leader, name ?? ''), DELETE: (leader) => drop(leader, name ?? '') }
    case 'processes/:name/drain':
      return {
        POST: (leader) => {
          leader.drain(name ?? '')
          return json(202, { process: name, state: 'leaving' })
        },
      }
    default:
      return undefined
  }
}

async function deploy(leader: Leader, request: Request, maximumBundleBytes: number): Promise<Response> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\b/i.test(type))
    throw refuse({
      status: 415,
      code: 'REFUSED',
      message: `a deployment is application/json, not ${type === '' ? 'without a type' : type}`,
    })
  const text = await boundedText(request, BODY_FACTOR * maximumBundleBytes + BODY_EXTRA_BYTES)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    throw refuse({ status: 400, code: 'CONFIG', message: `the body is no JSON: ${error instanceof Error ? error.message : ''}` })
  }
  const parsed = deployment.safeParse(body)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]
    throw refuse({
      status: 400,
      code: 'CONFIG',
      message: `the body is no deployment: ${path.join('.')}: ${message}`,
      hint: 'Send {name, group, code, digest}.',
    })
  }
  const attributes = { 'millrace.job': parsed.data.name, 'millrace.group': parsed.data.group }
  const outcome = await inSpan('millrace.deploy', attributes, () => leader.deploy(parsed.data))
  const job = leader.catalog.job(parsed.data.name)
  return json(outcome === 'deployed' ? 201 : 200, { outcome, job: job === null ? null : jobStatus(leader, job.fact, job.dataflow) })
}

function oneJob(leader: Leader, name: string): Response {
  const job = leader.catalog.job(name)
  if (job === null) throw refuse({ status: 404, code: 'UNKNOWN_NAME', message: `there is no job "${name}"` })
  return json(200, { job: jobStatus(leader, job.fact, job.dataflow) })
}

async function drop(leader: Leader, name: string): Promise<Response> {
  const before = leader.catalog.job(name)
  const status = before === null ? null : jobStatus(leader, before.fact, before.dataflow)
  await leader.catalog.drop(name)
  return json(200, { job: { ...status, state: 'dropped' } })
}

/** The body's text; it is not read further than the bound. */
async function boundedText(request: Request, maximumBytes: number): Promise<string> {
  const tooLong = (): Answer =>
    refuse({ status: 413, code: 'JOB', message: `the body has more than ${maximumBytes} bytes`, hint: 'Leave data out of the bundle.' })
  if (Number(request.headers.get('content-length') ?? 0) > maximumBytes) throw tooLong()
  if (request.body === null) return ''
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
  const decoder = new TextDecoder()
  let length = 0
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    length += value.length
    if (length > maximumBytes) {
      await reader.cancel().catch(() => undefined)
      throw tooLong()
    }
    text += decoder.decode(value, { stream: true })
  }
}

function notLeader(url: string | null): Answer {
  const error = {
    code: 'NOT_LEADER',
    message: 'this coordinator is not the leader',
    hint: url === null ? 'No leader is known now: try again soon.' : `The leader is ${url}.`,
    leader: url,
  }
  return new Answer(json(503, { error }))
}

function refuse(error: ApiError, headers: Record<string, string> = {}): Answer {
  return new Answer(failure(error, headers))
}

function failure({ status, ...error }: ApiError, headers: Record<string, string> = {}): Response {
  return json(status, { error }, headers)
}

function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  const all = { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: all })
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function firstLine(error: MillraceError): string {
  return error.hint === undefined ? error.message : error.message.slice(0, -`\n  ${error.hint}`.length)
}
