/**
 * Follows the facts of a load by server-sent events, as a client would: comes back with the last id where its connection breaks, also to
 * another process. At every time that it is told it compares all facts with the definition.
 */
import type { Fact, Load } from './load.ts'
import { sleep } from './processes.ts'

const RETRY_MILLISECONDS = 50

export interface FollowerOptions {
  readonly token?: string | undefined
  /** Called with each time, when it was told. */
  readonly onTime?: (time: number) => void
}

export interface Told {
  readonly time: number
  /** `performance.now()` when it came. */
  readonly at: number
  /** What it told, to compare followers by. */
  readonly changes: string
}

interface Counted {
  readonly row: Fact
  readonly diff: number
}

export class Follower {
  /** All times with changes. */
  readonly told: Told[] = []
  /** The first thing that was wrong. */
  problem: string | null = null
  /** How often it was told to forget everything. */
  resets = 0
  /** Connections that it had; the first one is one. */
  connections = 0
  /** Streams that said why they ended. */
  readonly ends: string[] = []
  readonly facts = new Map<string, Fact>()
  private readonly load: Load
  private readonly options: FollowerOptions
  private readonly controller = new AbortController()
  private readonly done: Promise<void>
  private urls: readonly string[]
  private lastId: string | null = null
  private lastTime = Number.NEGATIVE_INFINITY
  private inSnapshot = false

  /** @param urls of worker processes: of several the next one where one does not answer */
  constructor(load: Load, urls: readonly string[], options: FollowerOptions = {}) {
    this.load = load
    this.urls = urls
    this.options = options
    this.done = this.follow()
  }

  get last(): Told | null {
    return this.told.at(-1) ?? null
  }

  /** Where to go when the connection breaks. */
  redirect(urls: readonly string[]): void {
    this.urls = urls
  }

  async stop(): Promise<void> {
    this.controller.abort()
    await this.done
  }

  private async follow(): Promise<void> {
    const { signal } = this.controller
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.read(this.urls[attempt % this.urls.length])
      } catch (error) {
        // Whatever it is, a client tries again; what it is told then shows whether anything was lost.
        if (!(error instanceof Error)) throw error
        this.ends.push(`${error.message} ${error.cause}`)
      }
      if (!signal.aborted) await sleep(RETRY_MILLISECONDS)
    }
  }

  private async read(url: string): Promise<void> {
    const { signal } = this.controller
    const { token } = this.options
    const response = await fetch(`${url}${this.load.path('/changes')}${this.lastId === null ? '?snapshot=true' : ''}`, {
      signal,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(this.lastId === null ? {} : { 'last-event-id': this.lastId }),
      },
    })
    if (!response.ok || response.body === null) {
      await response.body?.cancel()
      return
    }
    this.connections++
    this.inSnapshot = false
    let text = ''
    const decoder = new TextDecoder()
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() as string
      for (const block of blocks) this.take(block)
    }
  }

  private take(block: string): void {
    const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
    const event = fields.get('event')
    if (event === undefined) return
    const data = fields.get('data') ?? '{}'
    const { time, rows, changes, last } = JSON.parse(data) as {
      readonly time?: number
      readonly rows?: readonly Counted[]
      readonly changes?: readonly Counted[]
      readonly last?: boolean
    }
    if (event === 'reset') {
      this.resets++
      this.facts.clear()
      this.inSnapshot = false
    } else if (event === 'snapshot') this.takeSnapshot(time as number, rows as readonly Counted[], last === true)
    else if (event === 'start') this.takeStart(time as number)
    else if (event === 'changes') this.takeChanges(time as number, changes as readonly Counted[])
    else this.ends.push(data)
    this.lastId = fields.get('id') ?? this.lastId
  }

  private takeStart(time: number): void {
    // Where it was told to go on must be where it was.
    if (this.lastId !== null && String(time) !== this.lastId) this.wrong(`it starts at ${time} after ${this.lastId}`)
    this.lastTime = Math.max(this.lastTime, time)
  }

  private takeSnapshot(time: number, rows: readonly Counted[], last: boolean): void {
    if (!this.inSnapshot) this.facts.clear()
    this.inSnapshot = !last
    if (time < this.lastTime) this.wrong(`a snapshot as of ${time}, and ${this.lastTime} was told`)
    this.apply(time, rows)
    if (!last) return
    this.lastTime = time
    this.check(time)
  }

  private takeChanges(time: number, changes: readonly Counted[]): void {
    if (time <= this.lastTime) this.wrong(`${time} was told after ${this.lastTime}`)
    if (changes.length === 0) this.wrong(`no changes at ${time}`)
    this.lastTime = time
    this.apply(time, changes)
    this.check(time)
    this.told.push({ time, at: performance.now(), changes: JSON.stringify(changes) })
    this.options.onTime?.(time)
  }

  /** Removals first: the new row of a key may come before the old one goes. */
  private apply(time: number, changes: readonly Counted[]): void {
    for (const { row, diff } of changes) {
      if (diff === 1) continue
      const name = nameOf(row)
      const known = this.facts.get(name)
      if (diff !== -1) this.wrong(`${JSON.stringify(row)} has difference ${diff} at ${time}`)
      else if (known === undefined || known.n !== row.n || known.total !== row.total)
        this.wrong(`${JSON.stringify(row)} goes at ${time}, and ${JSON.stringify(known)} is there`)
      else this.facts.delete(name)
    }
    for (const { row, diff } of changes) {
      if (diff !== 1) continue
      const name = nameOf(row)
      if (this.facts.has(name)) this.wrong(`${JSON.stringify(row)} comes at ${time}, and ${JSON.stringify(this.facts.get(name))} is there`)
      this.facts.set(name, row)
    }
  }

  private check(time: number): void {
    const problem = this.load.problem(this.facts.values())
    if (problem !== null) this.wrong(`at ${time}: ${problem}`)
  }

  private wrong(problem: string): void {
    this.problem ??= problem
  }
}

/** What is wrong between followers that were never reset: each must have been told the same at the same times, where both followed. */
export function difference(followers: readonly Follower[]): string | null {
  for (const follower of followers) if (follower.problem !== null) return follower.problem
  const [first, ...others] = followers.filter(({ told, resets }) => told.length > 0 && resets === 0)
  for (const other of others) {
    const from = Math.max(first.told[0].time, other.told[0].time)
    const to = Math.min((first.last as Told).time, (other.last as Told).time)
    const [mine, theirs] = [first, other].map(({ told }) => told.filter(({ time }) => time >= from && time <= to))
    for (let i = 0; i < Math.max(mine.length, theirs.length); i++) {
      if (mine[i]?.time !== theirs[i]?.time) return `one was told ${mine[i]?.time} where another one was told ${theirs[i]?.time}`
      if (mine[i].changes !== theirs[i].changes) return `${mine[i].time} was told in two ways: ${mine[i].changes} and ${theirs[i].changes}`
    }
  }
  return null
}

function nameOf({ what, key }: Fact): string {
  return `${what} ${key}`
}
