/** The coordinator's HTTP API, as commands use it. */

import type { Environment } from '../runtime/env/environment.ts'
import { reachError } from '../runtime/env/node-tls.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Security } from './security.ts'
import { withTimeout } from './with-timeout.ts'

export interface ClientOptions {
  readonly environment: Environment
  /** All coordinators of the cluster: one leads, the others say who. */
  readonly urls: readonly string[]
  readonly security: Security
  /** Of one command, all attempts together. */
  readonly timeoutSeconds: number
}

/** How often one command is sent on to the coordinator that leads. */
const MAXIMUM_REDIRECTS = 4
/** Bytes of an answer that says no, in a message. */
const SHOWN_BYTES = 300

export class CoordinatorClient {
  private readonly options: ClientOptions
  /** Which one answered last. */
  private preferred: string | null = null

  constructor(options: ClientOptions) {
    this.options = options
  }

  get(path: string): Promise<unknown> {
    return this.ask('GET', path)
  }

  post(path: string, body: object): Promise<unknown> {
    return this.ask('POST', path, body)
  }

  delete(path: string): Promise<unknown> {
    return this.ask('DELETE', path)
  }

  /**
   * Asks the coordinators in turn until one answers that leads.
   * @throws MillraceError UNREACHABLE if none answers, REFUSED if one does not let us in or does not do it
   */
  private async ask(method: string, path: string, body?: object): Promise<unknown> {
    const { urls, environment, timeoutSeconds } = this.options
    const signal = withTimeout(environment.timers, timeoutSeconds * 1000)
    try {
      const candidates = [...new Set([...(this.preferred === null ? [] : [this.preferred]), ...urls])]
      const failures: string[] = []
      let redirects = 0
      for (let i = 0; i < candidates.length; i++) {
        const url = candidates[i]
        const answer = await this.send(url, method, path, body, signal.signal)
        if (answer instanceof MillraceError) {
          failures.push(answer.message)
          continue
        }
        const { status, value } = answer
        const leader = leaderOf(value)
        if (status < 400) {
          this.preferred = url
          return value
        }
        if (leader === undefined) throw refusal(url, status, value)
        failures.push(`${url} does not lead${leader === null ? '; nobody does at the moment' : `, ${leader} does`}`)
        if (leader !== null && !candidates.includes(leader) && redirects++ < MAXIMUM_REDIRECTS) candidates.push(leader)
      }
      throw new MillraceError('UNREACHABLE', `No coordinator answers:\n${failures.map((text) => `  ${text}`).join('\n')}`, this.hint())
    } finally {
      signal.stop()
    }
  }

  private async send(
    url: string,
    method: string,
    path: string,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly value: unknown } | MillraceError> {
    const { environment, security } = this.options
    const headers = body === undefined ? { accept: 'application/json' } : { accept: 'application/json', 'content-type': 'application/json' }
    const request = new Request(`${url}${path}`, { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    try {
      const response = await environment.network.fetch(request, {
        ...(security.token === null ? {} : { token: security.token }),
        ...(security.tls === undefined ? {} : { tls: security.tls }),
      })
      return { status: response.status, value: parsed(await response.text()) }
    } catch (error) {
      if (signal.aborted) return new MillraceError('UNREACHABLE', `${url} gave no answer within ${this.options.timeoutSeconds} s`)
      const { cause } = error as Error
      const known = cause instanceof MillraceError ? cause : reachError(url, cause instanceof Error ? cause : (error as Error))
      // That one is there and says no: asking others would hide it.
      if (known.code === 'REFUSED') throw known
      return known
    }
  }

  private hint(): string {
    const { urls } = this.options
    return urls.length === 1 && urls[0] === 'http://127.0.0.1:7400'
      ? 'Start one (millrace coordinator, or millrace run JOB), or say where it is: --to URL or MILLRACE_COORDINATOR.'
      : 'Check the address (--to or MILLRACE_COORDINATOR), and that the coordinator runs.'
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

interface ErrorBody {
  readonly code?: unknown
  readonly message?: unknown
  readonly hint?: unknown
  readonly leader?: unknown
}

/** What the API says, or what the server says before anything gets there. */
function errorOf(value: unknown): ErrorBody {
  const { error, millrace } = (typeof value === 'object' && value !== null ? value : {}) as { error?: unknown; millrace?: unknown }
  const found = error ?? millrace
  return typeof found === 'object' && found !== null ? found : {}
}

/** Who leads, as one says who does not; null if it knows nobody; undefined if the answer is about something else. */
function leaderOf(value: unknown): string | null | undefined {
  const { code, leader } = errorOf(value)
  if (code !== 'NOT_LEADER') return undefined
  return typeof leader === 'string' ? leader : null
}

const TOKEN_HINT = 'Give the token of the cluster: --token-file or MILLRACE_TOKEN.'

function refusal(url: string, status: number, value: unknown): MillraceError {
  const { code, message, hint } = errorOf(value)
  const text = typeof value === 'string' && value !== '' ? value.slice(0, SHOWN_BYTES).trim() : `status ${status}`
  const said = typeof message === 'string' ? message : text
  const advice = typeof hint === 'string' ? hint : undefined
  if (status === 401) return new MillraceError('REFUSED', `${url} does not let us in: ${said}`, TOKEN_HINT)
  if (status === 403) return new MillraceError('REFUSED', `${url} does not let us in: ${said}`, advice ?? TOKEN_HINT)
  if (code === undefined && status !== 413) return new MillraceError('UNREACHABLE', `${url} is no coordinator of Millrace: ${said}`)
  if (status >= 500) return new MillraceError('UNREACHABLE', `${url} cannot do it now: ${said}`)
  return new MillraceError('REFUSED', said, advice)
}
