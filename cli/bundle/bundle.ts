/**
 * A job file, and the configuration beside it, as one text: what the coordinator keeps, and every worker runs. The same
 * sources give the same text, and so the same digest, on every machine and in every folder.
 */
import { createHash } from 'node:crypto'
import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'
import { type BuildFailure, build } from 'esbuild'
import { MillraceError } from '../../runtime/error.ts'
import { explainFailure, messageLines } from './build-messages.ts'
import { externals } from './externals.ts'
import { modulePlace, modulePlaceDefinitions } from './module-place.ts'

export interface Bundle {
  /** CommonJS with an inline source map: `module.exports` has `job`, and `config`, which is undefined without a configuration. */
  readonly code: string
  /** SHA-256 of `code`, hex. */
  readonly digest: string
  /** The job file, absolute. */
  readonly jobFile: string
  /** The configuration file, absolute; null if there is none. */
  readonly configFile: string | null
  /** Packages that the bundle does not contain: every worker process needs them installed. */
  readonly externals: readonly string[]
  readonly warnings: readonly string[]
}

export interface BundleOptions {
  /** A configuration file; null for none. Default: `millrace.config.ts` (or .mts, .js, .mjs, .cjs) beside the job file, if there is one. */
  readonly config?: string | null
  /** Packages to leave out, besides those that esbuild cannot contain. */
  readonly external?: readonly string[]
}

const ENDINGS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.tsx', '.jsx']
const CONFIG_NAMES = ['.ts', '.mts', '.js', '.mjs', '.cjs'].map((ending) => `millrace.config${ending}`)
/** What workers run on. */
const TARGET = 'node20.19'

/** @throws MillraceError JOB with what is wrong, where, and what to do */
export async function bundleJob(path: string, options: BundleOptions = {}): Promise<Bundle> {
  const jobFile = sourceFile(path, 'job')
  const folder = dirname(jobFile)
  const configFile = configurationFile(folder, options.config)
  const outside = externals(folder, options.external ?? [])
  const entry = [
    exportOf('job', folder, jobFile),
    configFile === null ? 'export const config = undefined' : exportOf('config', folder, configFile),
  ]
  try {
    const result = await build({
      stdin: { contents: entry.join('\n'), resolveDir: folder, sourcefile: 'millrace-job', loader: 'js' },
      // All paths in the output are relative to this; a symbolic link on the way to it would show in them.
      absWorkingDir: folder,
      outfile: join(folder, 'job.cjs'),
      write: false,
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: TARGET,
      sourcemap: 'inline',
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
      define: modulePlaceDefinitions,
      // What runs the bundle may know no import(): require() it is, which Node lets load ES modules, too.
      supported: { 'dynamic-import': false },
      plugins: [outside.plugin, modulePlace(folder)],
    })
    const code = result.outputFiles[0].text
    return {
      code,
      digest: createHash('sha256').update(code).digest('hex'),
      jobFile,
      configFile,
      externals: outside.found(),
      warnings: result.warnings.map((warning) => messageLines(warning, folder)),
    }
  } catch (error) {
    if (!Array.isArray((error as BuildFailure).errors)) throw error
    throw explainFailure(error as BuildFailure, folder, jobFile, configFile)
  }
}

function exportOf(name: string, folder: string, file: string): string {
  const path = relative(folder, file).split(sep).join('/')
  return `export { default as ${name} } from ${JSON.stringify(path.startsWith('.') ? path : `./${path}`)}`
}

function configurationFile(folder: string, given: string | null | undefined): string | null {
  if (given === null) return null
  if (given !== undefined) return sourceFile(given, 'configuration')
  const found = CONFIG_NAMES.map((name) => join(folder, name)).find((one) => existsSync(one))
  return found === undefined ? null : realpathSync(found)
}

/** The absolute path, without symbolic links, of a file of code that is there. */
function sourceFile(path: string, what: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new MillraceError('JOB', `There is no ${what} file ${path}.`, `Paths are relative to ${resolve('.')}.`)
  if (stat.isDirectory())
    throw new MillraceError('JOB', `${path} is a folder, not a ${what} file.`, `Name the file: ${join(path, 'job.ts')}.`)
  if (!ENDINGS.includes(extname(path)))
    throw new MillraceError('JOB', `${basename(path)} is no ${what} file.`, `Its name ends with one of ${ENDINGS.join(', ')}.`)
  return realpathSync(path)
}
