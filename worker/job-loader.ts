/**
 * Bundles of jobs: what a job is on its way to the workers.
 *
 * A bundle is the text of one CommonJS module. Its `module.exports` has `job`, made by `job()`, and maybe `config`, whose `sources`
 * say by input where rows come from. `millrace` and its parts are not in the bundle but handed to it, so that a class is the same
 * one inside and outside; so are modules of the host, and native ones, which must be installed where workers run. It is run in one
 * go: nothing in it may wait.
 */
import type { InputDefinitions } from '../operators/input-definition.ts'
import { Job, type OutputDefinitions } from '../operators/job.ts'
import { didYouMean } from '../runtime/data/suggest.ts'
import { shownValue } from '../runtime/data/value-encoding.ts'
import { BundleError, type Modules } from '../runtime/env/modules.ts'
import { MillraceError } from '../runtime/error.ts'
import type { ReplayableSource } from '../runtime/protocol/replayable-source.ts'

export interface LoadedJob {
  readonly job: Job<InputDefinitions, OutputDefinitions>
  /** By input; each input has one. */
  readonly sources: Readonly<Record<string, ReplayableSource>>
  /** All that the bundle says of how the job runs; empty if it says nothing. */
  readonly config: Readonly<Record<string, unknown>>
}

export interface JobLoader {
  /**
   * What is loaded is kept by digest.
   * @throws MillraceError JOB with what is wrong with the bundle, and where
   */
  load(digest: string, code: string): LoadedJob
}

/** Jobs that are kept loaded; the one that was not asked for longest goes first. */
const KEPT_JOBS = 64
/** Characters of a digest in the names of bundles. */
const SHOWN_DIGEST = 12

export class BundleLoader implements JobLoader {
  private readonly modules: Modules
  private readonly externals: ReadonlyMap<string, unknown>
  private readonly loaded = new Map<string, LoadedJob>()

  /** @param externals the namespaces of `millrace`, `millrace/config` and so on */
  constructor(modules: Modules, externals: Readonly<Record<string, unknown>>) {
    this.modules = modules
    this.externals = new Map(Object.entries(externals))
  }

  load(digest: string, code: string): LoadedJob {
    const job = this.loaded.get(digest) ?? this.run(digest, code)
    this.loaded.delete(digest)
    this.loaded.set(digest, job)
    if (this.loaded.size > KEPT_JOBS) for (const oldest of [...this.loaded.keys()].slice(0, -KEPT_JOBS)) this.loaded.delete(oldest)
    return job
  }

  private run(digest: string, code: string): LoadedJob {
    const found = this.modules.digest(code)
    if (found !== digest)
      throw new MillraceError(
        'JOB',
        `the bundle is not the one that was asked for: its digest is ${found}, not ${digest}`,
        'Deploy it again.',
      )
    return loadedJob(this.evaluate(`job-${digest.slice(0, SHOWN_DIGEST)}.cjs`, code))
  }

  private evaluate(filename: string, code: string): unknown {
    try {
      return this.modules.evaluate(code, filename, (name) => this.require(name))
    } catch (error) {
      if (!(error instanceof BundleError)) throw error
      const { cause } = error
      // A mistake that Millrace found says where it is.
      const known = cause instanceof MillraceError && cause.code !== 'INVARIANT'
      const place = known || error.place === null ? '' : `, at ${error.place}`
      const what = cause instanceof Error && !known ? `${cause.name}: ${cause.message}` : error.message
      throw new MillraceError('JOB', `the job throws when it is loaded${place}:\n${what}`, undefined, { cause })
    }
  }

  private require(name: string): unknown {
    if (this.externals.has(name)) return this.externals.get(name)
    if (name === 'millrace' || name.startsWith('millrace/'))
      throw new MillraceError('JOB', `there is no ${name}`, `There are: ${[...this.externals.keys()].join(', ')}.`)
    try {
      return this.modules.require(name)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
      throw new MillraceError(
        'JOB',
        `the job needs the module ${name}, which cannot be loaded here: ${reason}`,
        'Install it where the workers run.',
        {
          cause,
        },
      )
    }
  }
}

/** What a bundle exports, checked. */
function loadedJob(exported: unknown): LoadedJob {
  const { job, config = {} } = (typeof exported === 'object' && exported !== null ? exported : {}) as { job?: unknown; config?: unknown }
  if (!(job instanceof Job))
    throw new MillraceError(
      'JOB',
      job === undefined ? 'the bundle exports no job' : `what the bundle exports as job is ${shownValue(job)}, and no job`,
      "Write: export default job('name', { ... }, ...)",
    )
  if (typeof config !== 'object' || config === null) throw new MillraceError('JOB', `the job's configuration is ${shownValue(config)}`)
  const imported = Object.keys(job.importNodes)
  if (imported.length > 0)
    throw new MillraceError('JOB', `${job.name} imports ${imported.join(', ')} from another job, which works embedded only`)
  const { sources = {} } = config as { sources?: unknown }
  if (typeof sources !== 'object' || sources === null) throw new MillraceError('JOB', `the job's sources are ${shownValue(sources)}`)
  checkSources(job, sources as Readonly<Record<string, unknown>>)
  return { job, sources: sources as Readonly<Record<string, ReplayableSource>>, config: config as Readonly<Record<string, unknown>> }
}

function checkSources(job: Job<InputDefinitions, OutputDefinitions>, sources: Readonly<Record<string, unknown>>): void {
  const inputs = Object.keys(job.inputNodes)
  for (const [name, source] of Object.entries(sources)) {
    if (!inputs.includes(name))
      throw new MillraceError('JOB', `there is a source for ${name}, and ${job.name} has no such input.${didYouMean(name, inputs)}`)
    const { partitions, open } = (source ?? {}) as Partial<ReplayableSource>
    if (typeof partitions !== 'function' || typeof open !== 'function')
      throw new MillraceError(
        'JOB',
        `what is given as the source of ${name} is ${shownValue(source)}`,
        "Write files({ path: '...' }), say.",
      )
  }
  const missing = inputs.filter((name) => sources[name] === undefined)
  if (missing.length > 0)
    throw new MillraceError(
      'JOB',
      `${missing.join(', ')}: ${missing.length === 1 ? 'an input of' : 'inputs of'} ${job.name} without a source`,
      `Give one in the configuration beside the job: sources: { ${missing[0]}: ... }.`,
    )
}
