/**
 * A job under a steady load whose answer at any time can be computed: every output row goes into one output, which thus says at each time how
 * much of each partition was read by then, and what comes of exactly that much.
 *
 * Events of several partitions, of accounts that other partitions put from one region into another, joined and summed up. Names are texts, so
 * that dictionaries travel as well.
 */

/** How many regions there are. */
const REGIONS = 5
/** Coprime to the number of accounts, so that each partition has events of all. */
const STRIDE = 7
const OFFSET = 11
/** Partitions that say where accounts are. */
const PLACES = 2
/** Of all changes, those that move an account. */
const MOVING_SHARE = 0.02

export interface LoadOptions {
  /** Changes a second in all. */
  readonly rate: number
  /** Of events. Default 6. */
  readonly partitions?: number
  /** An even number that 7 does not divide. Default 24. */
  readonly accounts?: number
  /** Events of each partition. Default: without end. */
  readonly total?: number
  readonly name?: string
  /** Code of the job file, before the job. */
  readonly code?: string
  /** What is done to events before anything else: a method call, `.map(...)`. */
  readonly events?: string
}

export interface Fact {
  readonly what: 'events' | 'places' | 'account' | 'region'
  readonly key: string
  readonly n: number
  readonly total: number
}

export class Load {
  readonly job: string
  readonly partitions: number
  readonly accounts: number
  private readonly options: LoadOptions
  /** Of one place partition. */
  private readonly slots: number
  /** The number whose product with the stride is 1, modulo the number of accounts. */
  private readonly inverse: number

  constructor(options: LoadOptions) {
    this.options = options
    this.job = options.name ?? 'load'
    this.partitions = options.partitions ?? 6
    this.accounts = options.accounts ?? 24
    this.slots = this.accounts / PLACES
    this.inverse = Array.from({ length: this.accounts }, (_, i) => i).find((i) => (i * STRIDE) % this.accounts === 1) as number
  }

  /** The files of the job, by name. */
  get files(): Readonly<Record<string, string>> {
    return { 'job.ts': this.jobFile(), 'millrace.config.ts': this.configurationFile() }
  }

  /** Where its rows are read, at a worker process. */
  path(rest = ''): string {
    return `/v1/jobs/${this.job}/outputs/facts${rest}`
  }

  /** Changes that the facts say were read. */
  changes(facts: Iterable<Fact>): number {
    let changes = 0
    for (const { what, n, total } of facts) {
      if (what === 'events') changes += n
      else if (what === 'places') changes += this.moves(n, total)
    }
    return changes
  }

  /** Whether all that will ever come was read. */
  isAll(facts: Iterable<Fact>): boolean {
    const sources = [...facts].filter(({ what }) => what === 'events' || what === 'places')
    const read = sources.map(({ what, n, total }) => (what === 'events' ? n : this.moves(n, total)))
    return read.length === this.partitions + PLACES && read.every((n) => n === this.options.total)
  }

  /** What is wrong with the facts of one time; null if they are exactly what they must be. */
  problem(facts: Iterable<Fact>): string | null {
    const found = new Map<string, string>()
    const read = new Array<number>(this.partitions).fill(0)
    const moves = new Array<number>(PLACES).fill(0)
    for (const { what, key, n, total } of facts) {
      const name = `${what} ${key}`
      if (found.has(name)) return `${name} is there twice`
      found.set(name, `${n} ${total}`)
      if (what === 'events') read[Number(key)] = n
      else if (what === 'places') moves[Number(key)] = this.moves(n, total)
    }
    if (![...read, ...moves].every(Number.isInteger)) return `no number of rows gives this (read: ${read}, moves: ${moves})`
    for (const { what, key, n, total } of this.expected(read, moves)) {
      const name = `${what} ${key}`
      const value = found.get(name)
      if (value !== `${n} ${total}`) return `${name} is ${value ?? 'missing'}, not ${n} ${total} (read: ${read}, moves: ${moves})`
      found.delete(name)
    }
    return found.size === 0 ? null : `${[...found.keys()].join(', ')} should not be there (read: ${read}, moves: ${moves})`
  }

  /** The definition: the facts after so many rows of each partition. */
  *expected(read: readonly number[], moves: readonly number[]): Generator<Fact> {
    for (let p = 0; p < this.partitions; p++)
      if (read[p] > 0) yield { what: 'events', key: String(p), n: read[p], total: (read[p] * (read[p] - 1)) / 2 }
    for (let q = 0; q < PLACES; q++) {
      const n = Math.min(moves[q], this.slots)
      // The last so many indices.
      if (n > 0) yield { what: 'places', key: String(q), n, total: n * moves[q] - (n * (n + 1)) / 2 }
    }
    const regions = new Map<number, { n: number; total: number }>()
    for (let a = 0; a < this.accounts; a++) {
      const sum = this.ofAccount(a, read)
      if (sum.n === 0) continue
      yield { what: 'account', key: accountName(a), ...sum }
      const region = this.regionOf(a, moves[a % PLACES])
      if (region === null) continue
      const before = regions.get(region) ?? { n: 0, total: 0 }
      regions.set(region, { n: before.n + sum.n, total: before.total + sum.total })
    }
    for (const [region, sum] of regions) yield { what: 'region', key: regionName(region), ...sum }
  }

  private ofAccount(account: number, read: readonly number[]): { readonly n: number; readonly total: number } {
    let n = 0
    let total = 0
    for (let p = 0; p < this.partitions; p++) {
      const residue = (account - p * OFFSET) % this.accounts
      const first = (this.inverse * (residue + this.accounts)) % this.accounts
      const count = read[p] > first ? Math.floor((read[p] - 1 - first) / this.accounts) + 1 : 0
      n += count
      total += count * first + (this.accounts * count * (count - 1)) / 2
    }
    return { n, total }
  }

  /** Null before its first move. */
  private regionOf(account: number, moves: number): number | null {
    const slot = Math.floor(account / PLACES)
    if (moves <= slot) return null
    const last = slot + this.slots * Math.floor((moves - 1 - slot) / this.slots)
    return (last + (account % PLACES)) % REGIONS
  }

  /** How many moves were read, from the number and the sum of the last one of each account; a fraction if there is no such number. */
  private moves(n: number, total: number): number {
    return n < this.slots ? n : (total + (n * (n + 1)) / 2) / n
  }

  private jobFile(): string {
    const { code = '', events = '' } = this.options
    return `import { count, int32, job, literal, stream, sum, table, text } from 'millrace'
${code}
export default job(
  '${this.job}',
  {
    events: stream({ partition: int32, index: int32, account: text }),
    places: table({ account: text, partition: int32, region: text, index: int32 }, { key: 'account' }),
  },
  ({ events: given, places }) => {
    const events = given${events}
    const read = events.groupBy('partition').aggregate((e) => ({ n: count(), total: sum(e.index) }))
    const moved = places.groupBy('partition').aggregate((p) => ({ n: count(), total: sum(p.index) }))
    const accounts = events.groupBy('account').aggregate((e) => ({ n: count(), total: sum(e.index) }))
    const regions = accounts.join(places, 'account').groupBy('region').aggregate((r) => ({ n: sum(r.n), total: sum(r.total) }))
    const facts = read
      .select((r) => ({ what: literal('events'), key: r.partition.toText(), n: r.n, total: r.total }))
      .concat(moved.select((r) => ({ what: literal('places'), key: r.partition.toText(), n: r.n, total: r.total })))
      .concat(accounts.select((r) => ({ what: literal('account'), key: r.account, n: r.n, total: r.total })))
      .concat(regions.select((r) => ({ what: literal('region'), key: r.region, n: r.n, total: r.total })))
    return { facts: facts.keyBy('what', 'key') }
  },
)
`
  }

  private configurationFile(): string {
    const { partitions, accounts } = this
    const { rate, total } = this.options
    const moving = rate * MOVING_SHARE
    const end = total === undefined ? '' : `, total: ${total}`
    return `import { defineConfig, generated } from 'millrace/config'

export default defineConfig({
  sources: {
    events: generated({
      partitions: ${partitions},
      rate: ${(rate - moving) / partitions}${end},
      rows: (p, i) => ({ partition: p, index: i, account: 'account-' + ((i * ${STRIDE} + p * ${OFFSET}) % ${accounts}) }),
    }),
    places: generated({
      partitions: ${PLACES},
      rate: ${moving / PLACES}${end},
      rows: (p, i) => ({
        account: 'account-' + (${PLACES} * (i % ${this.slots}) + p),
        partition: p,
        region: 'region-' + ((i + p) % ${REGIONS}),
        index: i,
      }),
    }),
  },
})
`
  }
}

export function accountName(account: number): string {
  return `account-${account}`
}

function regionName(region: number): string {
  return `region-${region}`
}
