/** `millrace bundle JOB`: what `deploy` would upload, as a file. */
import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { MillraceError } from '../../runtime/error.ts'
import type { PreparedJob } from '../bundle/prepare.ts'
import type { Context } from '../context.ts'
import { bundleOptions, jsonOption, withOptions } from '../options.ts'
import { shownPath } from '../shown-path.ts'

interface Options {
  readonly config?: string
  readonly external?: readonly string[]
  readonly output?: string
  readonly json?: boolean
}

export function bundleCommand(context: Context): Command {
  const command = new Command('bundle')
    .description('bundle a job file into one text, and print its digest')
    .argument('<job>', 'the job file: its default export is a job')
    .option('-o, --output <file>', 'write the bundle there; - for standard output')
  return withOptions(command, bundleOptions(), jsonOption())
    .addHelpText('after', '\nExample:\n  millrace bundle feature-store.ts --output feature-store.cjs')
    .action(async (path: string, options: Options) => {
      // Loaded when it is needed, here and in other commands: most commands only ask a question.
      const { prepareJob } = await import('../bundle/prepare.ts')
      const prepared = await prepareJob(path, options, context)
      if (options.output === '-') context.out.write(prepared.bundle.code)
      else if (options.output !== undefined) write(options.output, prepared.bundle.code)
      const report = options.output === '-' ? context.err : context.out
      report.write(options.json === true ? `${JSON.stringify(described(prepared))}\n` : textOf(prepared, options.output))
    })
}

function described({ bundle, job, name, configuration }: PreparedJob): object {
  const { digest, code, externals, warnings, configFile } = bundle
  return {
    name,
    digest,
    bytes: Buffer.byteLength(code),
    inputs: Object.keys(job.inputs),
    outputs: Object.keys(job.outputs),
    sources: Object.fromEntries(Object.entries(configuration.sources).map(([input, source]) => [input, source.kind])),
    configuration: configFile,
    externals,
    warnings,
  }
}

function textOf({ bundle, name }: PreparedJob, output: string | undefined): string {
  const lines = [`${name}  ${bundle.digest}  ${Math.ceil(Buffer.byteLength(bundle.code) / 1024)} KiB`]
  if (bundle.externals.length > 0) lines.push(`not contained, workers must have it installed: ${bundle.externals.join(', ')}`)
  if (output !== undefined && output !== '-') lines.push(`written to ${shownPath(output)}`)
  return `${lines.join('\n')}\n`
}

function write(path: string, code: string): void {
  try {
    writeFileSync(path, code)
  } catch (error) {
    throw new MillraceError('CONFIG', `--output: ${path} cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'failed'}.`)
  }
}
