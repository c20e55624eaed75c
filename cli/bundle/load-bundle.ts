/** Runs a bundle in this process, to see that it gives a job, and what its configuration says. */
import { dirname, join } from 'node:path'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import { Job, type OutputDefinitions } from '../../operators/job.ts'
import { BundleError } from '../../runtime/env/modules.ts'
import { NodeModules } from '../../runtime/env/node-modules.ts'
import { MillraceError } from '../../runtime/error.ts'
import { publicModules } from '../public-modules.ts'
import { shownPath } from '../shown-path.ts'
import type { Bundle } from './bundle.ts'
import { JOB_FOLDER_VARIABLE } from './module-place.ts'

export interface LoadedBundle {
  readonly job: Job<InputDefinitions, OutputDefinitions>
  /** As the file has it, not validated; undefined without one. */
  readonly config: unknown
}

/** Stack frames shown of a job that throws. */
const SHOWN_FRAMES = 4

/** @throws MillraceError JOB if it throws, or its default export is no job */
export function loadBundle(bundle: Bundle): LoadedBundle {
  const exported = evaluated(bundle) as { readonly job?: unknown; readonly config?: unknown }
  if (!(exported.job instanceof Job))
    throw new MillraceError(
      'JOB',
      `The default export of ${shownPath(bundle.jobFile)} is ${inWords(exported.job)}, not a job.`,
      "Write: export default job('name', { ... }, ...)",
    )
  return { job: exported.job, config: exported.config }
}

function evaluated({ jobFile, code }: Bundle): unknown {
  const folder = dirname(jobFile)
  const modules = new NodeModules(folder)
  const pretended = process.env[JOB_FOLDER_VARIABLE]
  process.env[JOB_FOLDER_VARIABLE] = pretended ?? folder
  try {
    return modules.evaluate(code, join(folder, 'job.cjs'), (name) => publicModules.get(name) ?? modules.require(name))
  } catch (error) {
    throw new MillraceError('JOB', `${shownPath(jobFile)} throws when it is loaded:\n${told(error, folder)}`, undefined, { cause: error })
  } finally {
    if (pretended === undefined) delete process.env[JOB_FOLDER_VARIABLE]
  }
}

/** A mistake that Millrace found says where it is; for all others, the frames of the user's own files. */
function told(error: unknown, folder: string): string {
  const cause = error instanceof BundleError ? error.cause : error
  if (cause instanceof MillraceError && cause.code !== 'INVARIANT') return cause.message
  if (!(cause instanceof Error)) return String(cause)
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const outside = frames.findIndex((line) => /node:internal|node:vm|node-modules\.[jt]s/.test(line))
  const own = frames.slice(0, Math.min(SHOWN_FRAMES, outside < 0 ? SHOWN_FRAMES : outside))
  return [`${cause.name}: ${cause.message}`, ...own.map((line) => inPlace(line, folder))].join('\n')
}

/** Frames name files as the source map does: relative to the job. */
function inPlace(frame: string, folder: string): string {
  return frame.replace(/([^\s()]+)(:\d+:\d+\)?)$/, (_, file: string, place: string) => `${shownPath(join(folder, file))}${place}`)
}

function inWords(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'function') return 'a function'
  if (value instanceof Promise) return 'a promise'
  if (typeof value !== 'object') return `${typeof value} ${JSON.stringify(value)}`
  const { name } = (value.constructor ?? {}) as { name?: string }
  if (name === Job.name) return 'a job of another copy of Millrace'
  return name === undefined || name === 'Object' ? 'an object' : `a ${name}`
}
