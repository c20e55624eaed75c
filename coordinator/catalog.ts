/**
 * The jobs: deployed, replaced and dropped while others run. What is in here is durable before anybody hears of it; bundles are kept
 * by their digest, as long as a job has it.
 */
import { MillraceError } from '../runtime/error.ts'
import { Dataflow } from './dataflow.ts'
import {
  BUNDLE_PREFIX,
  bundleKey,
  type GroupFact,
  JOB_PREFIX,
  type JobFact,
  jobKey,
  NEXT_DATAFLOW_KEY,
  REPLAY_PREFIX,
  readFact,
  removeFact,
  replayKey,
  SETTLED_PREFIX,
  type SettledFact,
  setFact,
  settledPrefix,
} from './facts.ts'
import type { Fact, MetadataStore } from './metadata/metadata-store.ts'
import { isName, NAME_RULE } from './names.ts'
import { sha256 } from './sha256.ts'
import type { Term } from './term.ts'

export interface Deployment {
  readonly name: string
  readonly group: string
  /** The bundle. */
  readonly code: string
  /** SHA-256 of the code's UTF-8 bytes, hex. */
  readonly digest: string
}

export interface CatalogEvents {
  readonly generationOf: (group: string) => number
  readonly deployed: (dataflow: Dataflow) => void
  readonly dropped: (dataflow: Dataflow) => void
}

interface CatalogJob {
  fact: JobFact
  readonly dataflow: Dataflow
}

const UTF8 = new TextEncoder()

export class Catalog {
  private readonly term: Term
  private readonly store: MetadataStore
  private readonly events: CatalogEvents
  private readonly jobs = new Map<string, CatalogJob>()
  /** Lately used. */
  private readonly bundles = new Map<string, string>()
  private nextDataflow: number
  /** Changes wait for each other. */
  private changes: Promise<unknown> = Promise.resolve()

  private constructor(term: Term, store: MetadataStore, events: CatalogEvents, nextDataflow: number) {
    this.term = term
    this.store = store
    this.events = events
    this.nextDataflow = nextDataflow
  }

  /** @param minted every earlier time is at or below it */
  static async load(term: Term, store: MetadataStore, minted: number, events: CatalogEvents): Promise<Catalog> {
    const next = await readFact(store, NEXT_DATAFLOW_KEY, 'next-dataflow')
    const catalog = new Catalog(term, store, events, next?.dataflow ?? 0)
    for (const key of await store.list(JOB_PREFIX)) {
      const fact = await readFact(store, key, 'job')
      const replay = fact === null ? null : await readFact(store, replayKey(fact.dataflow), 'replay')
      if (fact === null || replay === null) throw new MillraceError('STORE', `the metadata store has no whole ${key}`)
      const reference = { name: fact.name, digest: fact.digest }
      const dataflow = Dataflow.stored(replay, reference, fact.group, minted, term.limits)
      dataflow.restoreSettled(await readSettled(store, fact.dataflow))
      catalog.jobs.set(fact.name, { fact, dataflow })
    }
    await catalog.removeOrphans()
    return catalog
  }

  *all(): Generator<{ readonly fact: JobFact; readonly dataflow: Dataflow }> {
    yield* this.jobs.values()
  }

  /** Those that are to run. */
  dataflows(group: GroupFact['name']): Dataflow[] {
    return [...this.jobs.values()].filter(({ fact }) => fact.group === group && fact.failure === null).map(({ dataflow }) => dataflow)
  }

  job(name: string): { readonly fact: JobFact; readonly dataflow: Dataflow } | null {
    return this.jobs.get(name) ?? null
  }

  /**
   * Deploys a job, or replaces the one of its name. Nothing happens if just this one is there already, unless it has failed.
   * @throws MillraceError CONFIG, JOB
   */
  deploy(deployment: Deployment): Promise<'deployed' | 'replaced' | 'unchanged'> {
    this.check(deployment)
    return this.inTurn(async () => {
      const { name, group, code, digest } = deployment
      const before = this.jobs.get(name)
      if (before !== undefined && before.fact.failure === null && before.fact.digest === digest && before.fact.group === group)
        return 'unchanged'
      const bundleBytes = UTF8.encode(code).length
      this.checkRoom(deployment, bundleBytes)
      const number = this.nextDataflow++
      const now = this.term.environment.clock.now()
      // Above all times of the job that it replaces: whoever was told one of those begins anew.
      const since = Math.max(now - 1, before?.dataflow.timeline.minted ?? 0)
      const generation = this.events.generationOf(group)
      const dataflow = Dataflow.fresh(number, { name, digest }, group, generation, since, this.term.limits)
      const fact: JobFact = { kind: 'job', name, group, digest, bundleBytes, dataflow: number, deployed: now, failure: null }
      const facts: Fact[] = [
        setFact(NEXT_DATAFLOW_KEY, { kind: 'next-dataflow', dataflow: this.nextDataflow }),
        setFact(bundleKey(digest), { kind: 'bundle', code }),
        ...dataflow.facts(),
      ]
      if (before !== undefined) facts.push(...this.removal(before.fact, digest))
      facts.push(setFact(jobKey(name), fact))
      await this.term.write(facts)
      if (before !== undefined) this.forget(before)
      this.jobs.set(name, { fact, dataflow })
      this.remember(digest, code)
      this.term.history.add(group, `job ${name} ${before === undefined ? 'deployed' : 'replaced'}, bundle ${digest.slice(0, 12)}`)
      this.events.deployed(dataflow)
      return before === undefined ? 'deployed' : 'replaced'
    })
  }

  /** @throws MillraceError UNKNOWN_NAME */
  drop(name: string): Promise<JobFact> {
    return this.inTurn(async () => {
      const job = this.jobs.get(name)
      if (job === undefined) throw new MillraceError('UNKNOWN_NAME', `there is no job "${name}"`, this.hint())
      await this.term.write([removeFact(jobKey(name)), ...this.removal(job.fact, null)])
      this.forget(job)
      this.term.history.add(job.fact.group, `job ${name} dropped`)
      return job.fact
    })
  }

  /** The job runs no more until it is deployed again. */
  failed(dataflow: Dataflow, code: string, message: string): void {
    this.term.guard(() =>
      this.inTurn(async () => {
        const job = this.jobs.get(dataflow.job.name)
        if (job === undefined || job.dataflow !== dataflow) return
        const fact: JobFact = { ...job.fact, failure: { code, message } }
        // People see it at once; that it is durable only keeps a restarted coordinator from trying again.
        job.fact = fact
        await this.term.write([setFact(jobKey(fact.name), fact)])
      }),
    )
  }

  async bundle(digest: string): Promise<string | null> {
    const known = this.bundles.get(digest)
    if (known !== undefined) return known
    if (![...this.jobs.values()].some(({ fact }) => fact.digest === digest)) return null
    const fact = await readFact(this.store, bundleKey(digest), 'bundle')
    if (fact !== null) this.remember(digest, fact.code)
    return fact?.code ?? null
  }

  /** What was written of a job at the moment in which it was dropped. */
  private async removeOrphans(): Promise<void> {
    const needed = new Set([...this.jobs.values()].flatMap(({ fact }) => [replayKey(fact.dataflow), bundleKey(fact.digest)]))
    const keys = [...(await this.store.list(REPLAY_PREFIX)), ...(await this.store.list(BUNDLE_PREFIX))]
    const prefixes = [...this.jobs.values()].map(({ fact }) => settledPrefix(fact.dataflow))
    const settled = (await this.store.list(SETTLED_PREFIX)).filter((key) => !prefixes.some((prefix) => key.startsWith(prefix)))
    const orphans = [...keys.filter((key) => !needed.has(key)), ...settled].map(removeFact)
    if (orphans.length > 0) await this.term.write(orphans)
  }

  private check({ name, group, code, digest }: Deployment): void {
    const { maximumBundleBytes } = this.term.limits
    if (!isName(name)) throw new MillraceError('CONFIG', `"${name}" cannot be the name of a job`, `Use ${NAME_RULE}.`)
    if (!isName(group)) throw new MillraceError('CONFIG', `"${group}" cannot be the name of a worker group`, `Use ${NAME_RULE}.`)
    const bytes = UTF8.encode(code).length
    if (bytes > maximumBundleBytes)
      throw new MillraceError(
        'JOB',
        `the bundle of ${name} has ${bytes} bytes, at most ${maximumBundleBytes} are taken`,
        'Leave data out of it.',
      )
    const actual = sha256(code)
    if (digest !== actual)
      throw new MillraceError(
        'JOB',
        `the bundle of ${name} has the digest ${actual}, not ${digest}`,
        'It was changed on its way: deploy it again.',
      )
  }

  private checkRoom({ name, digest }: Deployment, bytes: number): void {
    const { maximumJobs, maximumBundlesBytes } = this.term.limits
    const others = [...this.jobs.values()].map(({ fact }) => fact).filter((fact) => fact.name !== name)
    if (others.length >= maximumJobs)
      throw new MillraceError('JOB', `there are ${others.length} jobs, and no more are taken`, 'Drop one that is not needed.')
    const kept = new Map(others.map((fact) => [fact.digest, fact.bundleBytes]))
    kept.set(digest, bytes)
    const total = [...kept.values()].reduce((sum, size) => sum + size, 0)
    if (total > maximumBundlesBytes)
      throw new MillraceError(
        'JOB',
        `the bundles of all jobs would have ${total} bytes, at most ${maximumBundlesBytes} are kept`,
        'Drop a job that is not needed.',
      )
  }

  /** What goes with a job. @param replacement the digest that the job has from now on */
  private removal(fact: JobFact, replacement: string | null): Fact[] {
    const settled = this.jobs.get(fact.name)?.dataflow.settledKeys ?? []
    const facts = [replayKey(fact.dataflow), ...settled].map(removeFact)
    const needed = [...this.jobs.values()].some((job) => job.fact.name !== fact.name && job.fact.digest === fact.digest)
    if (!needed && fact.digest !== replacement) facts.push(removeFact(bundleKey(fact.digest)))
    return facts
  }

  private forget(job: CatalogJob): void {
    this.jobs.delete(job.fact.name)
    this.events.dropped(job.dataflow)
  }

  private remember(digest: string, code: string): void {
    this.bundles.set(digest, code)
    for (const kept of this.bundles.keys())
      if (![...this.jobs.values()].some(({ fact }) => fact.digest === kept) && kept !== digest) this.bundles.delete(kept)
  }

  private hint(): string {
    return this.jobs.size === 0 ? 'No job is deployed.' : `Deployed are: ${[...this.jobs.keys()].join(', ')}.`
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.changes.then(work)
    this.changes = done.catch(() => undefined)
    return done
  }
}

async function readSettled(store: MetadataStore, dataflow: number): Promise<SettledFact[]> {
  const facts: SettledFact[] = []
  for (const key of await store.list(settledPrefix(dataflow))) {
    const fact = await readFact(store, key, 'settled')
    if (fact !== null) facts.push(fact)
  }
  return facts
}
