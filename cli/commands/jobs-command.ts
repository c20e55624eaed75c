/** `millrace jobs`, `drop` and `drain`. */
import { Command } from 'commander'
import type { ClusterStatus, JobStatus } from '../../coordinator/status.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Context } from '../context.ts'
import { wholeNumber } from '../options.ts'
import { sleep } from '../sleep.ts'
import { jobLines } from '../view/status-view.ts'
import { type ClientCommandOptions, clientCommand, openClient, segment } from './client-command.ts'

const DEFAULT_DRAIN_WAIT_SECONDS = 60
const POLL_MILLISECONDS = 200

export function jobsCommand(context: Context): Command {
  return clientCommand(new Command('jobs').description('list the jobs of a cluster'))
    .addHelpText('after', '\nExample:\n  millrace jobs --to http://10.0.0.1:7400')
    .action(async (options: ClientCommandOptions) => {
      const { jobs } = (await openClient(options, context).get('/v1/jobs')) as { jobs: readonly JobStatus[] }
      if (options.json === true) context.out.write(`${JSON.stringify({ jobs })}\n`)
      else if (jobs.length === 0) context.out.write('No job is deployed: millrace deploy JOB\n')
      else context.out.write(`${jobLines(jobs, context.environment.clock.now()).join('\n')}\n`)
    })
}

export function dropCommand(context: Context): Command {
  return clientCommand(new Command('drop').description('stop a job and forget it').argument('<name>', 'as `millrace jobs` lists it'))
    .addHelpText('after', '\nExample:\n  millrace drop feature-store')
    .action(async (name: string, options: ClientCommandOptions) => {
      const answer = await openClient(options, context).delete(`/v1/jobs/${segment(name)}`)
      context.out.write(options.json === true ? `${JSON.stringify(answer)}\n` : `${name} is dropped\n`)
    })
}

interface DrainOptions extends ClientCommandOptions {
  readonly wait: boolean
  readonly waitSeconds: number
}

export function drainCommand(context: Context): Command {
  const command = new Command('drain')
    .description('let a worker process go: the others take its shards over, and it ends')
    .argument('<process>', 'its name, as `millrace status` lists it')
    .option('--no-wait', 'do not wait until it is gone')
    .option('--wait-seconds <s>', 'how long to wait until it is gone', wholeNumber(1, 3600), DEFAULT_DRAIN_WAIT_SECONDS)
  return clientCommand(command)
    .addHelpText('after', '\nExample:\n  millrace drain worker-2')
    .action((name: string, options: DrainOptions) => drain(name, options, context))
}

async function drain(name: string, options: DrainOptions, context: Context): Promise<void> {
  const client = openClient(options, context)
  const { clock, timers } = context.environment
  await client.post(`/v1/processes/${segment(name)}/drain`, {})
  const deadline = clock.monotonic() + options.waitSeconds * 1_000_000
  while (options.wait) {
    const { groups } = (await client.get('/v1/status')) as ClusterStatus
    const process = groups.flatMap((group) => group.processes).find((one) => one.name === name)
    if (process === undefined || process.state === 'released') break
    if (clock.monotonic() >= deadline)
      throw new MillraceError('REFUSED', `${name} is ${process.state} after ${options.waitSeconds} s.`, 'millrace status tells more.')
    await sleep(timers, POLL_MILLISECONDS)
  }
  const state = options.wait ? 'gone' : 'leaving'
  context.out.write(options.json === true ? `${JSON.stringify({ process: name, state })}\n` : `${name} is ${state}\n`)
}
