/** Reads the facts of a load at one process again and again: each answer must be right, and not older than the one before. */
import type { Fact, Load } from './load.ts'
import { sleep } from './processes.ts'

export interface Answer {
  readonly status: number
  /** The time that it was of; null for an error. */
  readonly time: number | null
  /** `performance.now()` when it came, and how long it took; milliseconds. */
  readonly at: number
  readonly took: number
}

export interface ReaderOptions {
  readonly token?: string | undefined
  /** Between an answer and the next question. Default 20. */
  readonly milliseconds?: number | undefined
}

export class Reader {
  readonly answers: Answer[] = []
  problem: string | null = null
  private readonly load: Load
  private readonly url: string
  private readonly options: ReaderOptions
  private readonly done: Promise<void>
  private lastTime = Number.NEGATIVE_INFINITY
  private stopped = false

  constructor(load: Load, url: string, options: ReaderOptions = {}) {
    this.load = load
    this.url = url
    this.options = options
    this.done = this.read()
  }

  get right(): readonly Answer[] {
    return this.answers.filter(({ time }) => time !== null)
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.done
  }

  private async read(): Promise<void> {
    while (!this.stopped) {
      const asked = performance.now()
      const { status, time, problem } = await readFacts(this.load, this.url, this.options.token)
      const at = performance.now()
      this.answers.push({ status, time, at, took: at - asked })
      if (problem !== null) this.problem ??= problem
      if (time !== null && time < this.lastTime) this.problem ??= `a read at ${this.url} was of ${time}, and of ${this.lastTime} before`
      this.lastTime = Math.max(this.lastTime, time ?? this.lastTime)
      await sleep(this.options.milliseconds ?? 20)
    }
  }
}

export interface FactsRead {
  /** Of HTTP; 0 if nobody answered. */
  readonly status: number
  readonly time: number | null
  readonly facts: readonly Fact[]
  readonly problem: string | null
}

/** One fact, which one worker has. What it says is not looked at, only as of when. */
export async function readFact(load: Load, url: string, { what, key }: Fact): Promise<FactsRead> {
  return { ...(await ask(load, url, `?what=${what}&key=${key}`)), problem: null }
}

/** All facts, at one process. */
export function readFacts(load: Load, url: string, token?: string): Promise<FactsRead> {
  return ask(load, url, '?limit=10000', token)
}

async function ask(load: Load, url: string, query: string, token?: string): Promise<FactsRead> {
  try {
    const response = await fetch(`${url}${load.path(query)}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })
    const body = (await response.json()) as { readonly time?: number; readonly rows?: readonly Fact[] }
    if (!response.ok || body.time === undefined || body.rows === undefined)
      return { status: response.status, time: null, facts: [], problem: null }
    const wrong = load.problem(body.rows)
    const problem = wrong === null ? null : `a read at ${url} as of ${body.time}: ${wrong}`
    return { status: response.status, time: body.time, facts: body.rows, problem }
  } catch {
    return { status: 0, time: null, facts: [], problem: null }
  }
}
