/** Runs a bundle in this process, to see that it gives a job, and what its configuration says. */
import Module from 'node:module'
import { dirname, join } from 'node:path'
import * as config from '../../config.ts'
import * as files from '../../files.ts'
import * as millrace from '../../millrace.ts'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import { Job, type OutputDefinitions } from '../../operators/job.ts'
import { MillraceError } from '../../runtime/error.ts'
import * as testing from '../../testing.ts'
import { shownPath } from '../shown-path.ts'
import type { Bundle } from './bundle.ts'
import { JOB_FOLDER_VARIABLE } from './module-place.ts'

export interface LoadedBundle {
  readonly job: Job<InputDefinitions, OutputDefinitions>
  /** As the file has it, not validated; undefined without one. */
  readonly config: unknown
}

const PUBLIC: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['millrace', millrace],
  ['millrace/config', config],
  ['millrace/files', files],
  ['millrace/testing', testing],
])

/** Stack frames shown of a job that throws. */
const SHOWN_FRAMES = 4

interface CommonModule {
  exports: unknown
  filename: string
  paths: string[]
  require(name: string): unknown
  /** What Node itself calls for a file of CommonJS: with it, and not with `vm`, source maps are heeded. */
  _compile(code: string, filename: string): void
}
const CommonModule = Module as unknown as (new (id: string) => CommonModule) & { _nodeModulePaths(folder: string): string[] }

/** @throws MillraceError JOB if it throws, or its default export is no job */
export function loadBundle(bundle: Bundle): LoadedBundle {
  const folder = dirname(bundle.jobFile)
  const pretended = process.env[JOB_FOLDER_VARIABLE]
  process.env[JOB_FOLDER_VARIABLE] = pretended ?? folder
  process.setSourceMapsEnabled(true)
  const module = new CommonModule(bundle.jobFile)
  module.filename = join(folder, 'job.cjs')
  module.paths = CommonModule._nodeModulePaths(folder)
  const require = (name: string): unknown => PUBLIC.get(name) ?? module.require(name)
  const exported: { exports: { job?: unknown; config?: unknown } } = { exports: {} }
  try {
    // In one line with the code, so that lines are where the source map has them.
    module._compile(`module.exports = function (require, module, exports) {${bundle.code}\n}`, module.filename)
    ;(module.exports as (...parameters: unknown[]) => void)(require, exported, exported.exports)
  } catch (error) {
    throw new MillraceError('JOB', `${shownPath(bundle.jobFile)} throws when it is loaded:\n${told(error)}`, undefined, { cause: error })
  } finally {
    if (pretended === undefined) delete process.env[JOB_FOLDER_VARIABLE]
  }
  const { job } = exported.exports
  if (!(job instanceof Job))
    throw new MillraceError(
      'JOB',
      `The default export of ${shownPath(bundle.jobFile)} is ${inWords(job)}, not a job.`,
      "Write: export default job('name', { ... }, ...)",
    )
  return { job, config: exported.exports.config }
}

/** A mistake that Millrace found says what it is; for all others, where it was thrown. */
function told(error: unknown): string {
  if (error instanceof MillraceError && error.code !== 'INVARIANT') return error.message
  if (!(error instanceof Error)) return String(error)
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const ours = frames.findIndex((line) => line.includes(loadBundle.name))
  return [`${error.name}: ${error.message}`, ...frames.slice(0, Math.min(SHOWN_FRAMES, ours < 0 ? SHOWN_FRAMES : ours))].join('\n')
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
