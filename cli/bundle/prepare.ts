/** From the files that a command names to a job that can be deployed: bundled, loaded once, its configuration checked. */

import { stop } from 'esbuild'
import { isName, NAME_RULE } from '../../coordinator/names.ts'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../../operators/job.ts'
import { MillraceError } from '../../runtime/error.ts'
import { inputsWithoutSource, type ValidConfiguration, validateConfiguration } from '../configuration/validate.ts'
import type { Context } from '../context.ts'
import { shownPath } from '../shown-path.ts'
import { type Bundle, bundleJob } from './bundle.ts'
import { loadBundle } from './load-bundle.ts'

export interface PreparedJob {
  readonly bundle: Bundle
  readonly job: Job<InputDefinitions, OutputDefinitions>
  readonly configuration: ValidConfiguration
  /** In the catalog: as the flag says, else the configuration, else the job. */
  readonly name: string
}

export interface PrepareOptions {
  readonly config?: string
  readonly external?: readonly string[]
  readonly name?: string
}

/**
 * Warnings go to standard error.
 * @throws MillraceError JOB or CONFIG
 */
export async function prepareJob(path: string, options: PrepareOptions, { err }: Context): Promise<PreparedJob> {
  const { config, external, name: given } = options
  const bundle = await bundleJob(path, { ...(config === undefined ? {} : { config }), ...(external === undefined ? {} : { external }) })
  // It has a process of its own, which would stay for as long as this one.
  await stop()
  const { job, config: exported } = loadBundle(bundle)
  const file = bundle.configFile === null ? 'the configuration' : shownPath(bundle.configFile)
  const configuration = validateConfiguration(exported, job, file)
  const empty = inputsWithoutSource(configuration, job)
  if (empty.length > 0)
    throw new MillraceError(
      'CONFIG',
      `There is no source for ${empty.join(', ')}: ${bundle.configFile === null ? `there is no millrace.config.ts beside ${shownPath(path)}` : `${file} names none`}.`,
      `Write: export default defineConfig<typeof job>({ sources: { ${empty[0]}: files({ path: '${empty[0]}.jsonl' }) } })`,
    )
  const name = given ?? configuration.name ?? job.name
  if (!isName(name))
    throw new MillraceError(
      'JOB',
      `${JSON.stringify(name)} is no name for a job in a cluster: it takes ${NAME_RULE}.`,
      'Give it one: --name NAME, or name in the configuration.',
    )
  for (const warning of bundle.warnings) err.write(`warning: ${warning}\n`)
  return { bundle, job, configuration, name }
}
