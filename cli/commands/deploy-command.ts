/** `millrace deploy JOB`: bundles a job, uploads it, and sees it start. */
import { Command, Option } from 'commander'
import type { JobStatus } from '../../coordinator/status.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { CoordinatorClient } from '../client.ts'
import type { Context } from '../context.ts'
import { bundleOptions, DEFAULT_GROUP, groupOption, isGiven, name, setting, wholeNumber, withOptions } from '../options.ts'
import { sleep } from '../sleep.ts'
import { type ClientCommandOptions, clientCommand, openClient, segment } from './client-command.ts'

interface Options extends ClientCommandOptions {
  readonly config?: string
  readonly external?: readonly string[]
  readonly name?: string
  readonly group?: string
  readonly wait: boolean
  readonly waitSeconds: number
}

interface Deployed {
  readonly outcome: 'deployed' | 'replaced' | 'unchanged'
  readonly job: JobStatus | null
}

const OUTCOMES: Readonly<Record<string, string>> = { deployed: 'is deployed', replaced: 'is replaced', unchanged: 'is deployed already' }
const DEFAULT_WAIT_SECONDS = 60
const POLL_MILLISECONDS = 200
/** Characters of a digest that people compare. */
const SHOWN_DIGEST = 12

export function deployCommand(context: Context): Command {
  const command = new Command('deploy')
    .description('bundle a job and run it on a group of worker processes, in place of the job of that name')
    .argument('<job>', 'the job file: its default export is a job')
    .addOption(new Option('--name <name>', 'what the job is called in the cluster').env('MILLRACE_JOB_NAME').argParser(name))
    .addOption(groupOption())
    .option('--no-wait', 'do not wait until it runs')
    .addOption(
      new Option('--wait-seconds <s>', 'how long to wait until it runs').argParser(wholeNumber(1, 3600)).default(DEFAULT_WAIT_SECONDS),
    )
  withOptions(command, bundleOptions())
  return clientCommand(command)
    .addHelpText('after', '\nExample:\n  millrace deploy feature-store.ts --to http://10.0.0.1:7400 --token-file token.txt')
    .action((path: string, options: Options) => deploy(path, options, command, context))
}

async function deploy(path: string, options: Options, command: Command, context: Context): Promise<void> {
  const client = openClient(options, context)
  const given = isGiven(command, 'name') ? { name: options.name as string } : {}
  const { config, external } = options
  const { prepareJob } = await import('../bundle/prepare.ts')
  const prepared = await prepareJob(
    path,
    { ...given, ...(config === undefined ? {} : { config }), ...(external === undefined ? {} : { external }) },
    context,
  )
  const group = setting(command, 'group', prepared.configuration.group, DEFAULT_GROUP)
  const { code, digest } = prepared.bundle
  const { outcome, job } = (await client.post('/v1/jobs', { name: prepared.name, group, code, digest })) as Deployed
  const say = (text: string): void => {
    if (options.json !== true) context.out.write(`${text}\n`)
  }
  say(`${prepared.name} ${OUTCOMES[outcome] ?? outcome}: group ${group}, digest ${digest.slice(0, SHOWN_DIGEST)}`)
  const last = options.wait ? await waitUntilRunning(client, prepared.name, digest, options.waitSeconds, context, say) : job
  if (options.json === true) context.out.write(`${JSON.stringify({ outcome, job: last })}\n`)
  if (last?.state === 'failed') throw new MillraceError('JOB', `${prepared.name} failed: ${last.message ?? 'nobody says why'}`)
}

/** The job when it runs, failed, or waits for processes that are not there. */
async function waitUntilRunning(
  client: CoordinatorClient,
  name: string,
  digest: string,
  seconds: number,
  { environment }: Context,
  say: (text: string) => void,
): Promise<JobStatus> {
  const { clock, timers } = environment
  const deadline = clock.monotonic() + seconds * 1_000_000
  let told = ''
  for (;;) {
    const { job } = (await client.get(`/v1/jobs/${segment(name)}`)) as { job: JobStatus }
    if (job.digest !== digest) throw new MillraceError('REFUSED', `${name} was deployed by somebody else meanwhile: digest ${job.digest}.`)
    const text = `  ${job.state}${job.message === null || job.state === 'failed' ? '' : `: ${job.message}`}`
    if (text !== told && job.state !== 'failed') say(text)
    told = text
    if (job.state === 'running' || job.state === 'failed') return job
    if (clock.monotonic() >= deadline) {
      say(`  not running after ${seconds} s; millrace status tells more`)
      return job
    }
    await sleep(timers, POLL_MILLISECONDS)
  }
}
