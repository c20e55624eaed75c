/** `millrace run JOB`: a whole cluster on this machine, for one job. */
import { dirname } from 'node:path'
import { Command, Option } from 'commander'
import { parseAddress } from '../configuration/address.ts'
import { MAXIMUM_PROCESSES, MAXIMUM_TICK } from '../configuration/limits.ts'
import type { Context } from '../context.ts'
import type { LogOptions } from '../open-log.ts'
import {
  address,
  bundleOptions,
  clusterOption,
  DEFAULT_CLUSTER,
  DEFAULT_COORDINATOR_PORT,
  DEFAULT_DRAIN_SECONDS,
  DEFAULT_GROUP,
  DEFAULT_HTTP_PORT,
  drainOption,
  groupOption,
  jsonOption,
  logOptions,
  name,
  securityOptions,
  setting,
  wholeNumber,
  withOptions,
  workersOption,
} from '../options.ts'
import { readSecurity, requireTokenUnlessLoopback, type SecurityOptions } from '../security.ts'
import { parseStore } from '../store.ts'

interface Options extends SecurityOptions, LogOptions {
  readonly config?: string
  readonly external?: readonly string[]
  readonly name?: string
  readonly cluster?: string
  readonly store: string
  readonly json?: boolean
}

/** As an option or in the configuration; undefined: not said. */
type Text = string | undefined

export function runCommand(context: Context): Command {
  const command = new Command('run')
    .description('run a job on this machine: in this process, or in several worker processes')
    .argument('<job>', 'the job file: its default export is a job')
    .addOption(workersOption())
    .addOption(
      new Option('--processes <n>', 'worker processes; with 1 everything is in this process')
        .env('MILLRACE_PROCESSES')
        .argParser(wholeNumber(1, MAXIMUM_PROCESSES)),
    )
    .addOption(
      new Option('--listen <address>', `where the coordinator listens (default: 127.0.0.1:${DEFAULT_COORDINATOR_PORT}, or any free port)`)
        .env('MILLRACE_LISTEN')
        .argParser(address),
    )
    .addOption(
      new Option('--http <address>', `where to read the outputs (default: 127.0.0.1:${DEFAULT_HTTP_PORT}, or any free port)`)
        .env('MILLRACE_HTTP')
        .argParser(address),
    )
    .addOption(
      new Option('--admin <address>', 'host:port for /livez, /readyz and /metrics, of the first worker process')
        .env('MILLRACE_ADMIN')
        .argParser(address),
    )
    .addOption(new Option('--name <name>', 'what the job is called').env('MILLRACE_JOB_NAME').argParser(name))
    .addOption(groupOption())
    .addOption(clusterOption())
    .addOption(
      new Option('--tick <ms>', 'milliseconds between two times at least').env('MILLRACE_TICK').argParser(wholeNumber(1, MAXIMUM_TICK)),
    )
    .addOption(new Option('--store <store>', 'where the coordinator keeps its facts').env('MILLRACE_STORE').default('memory'))
    .addOption(drainOption())
  return withOptions(command, bundleOptions(), securityOptions(), logOptions(), jsonOption())
    .addHelpText('after', '\nExample:\n  millrace run feature-store.ts --workers 2 --processes 3')
    .action((path: string, options: Options) => run(path, options, command, context))
}

async function run(path: string, options: Options, command: Command, context: Context): Promise<void> {
  const security = readSecurity(options, context)
  const { config, external, name } = options
  const { prepareJob } = await import('../bundle/prepare.ts')
  const job = await prepareJob(
    path,
    {
      ...(name === undefined ? {} : { name }),
      ...(config === undefined ? {} : { config }),
      ...(external === undefined ? {} : { external }),
    },
    context,
  )
  const { configuration } = job
  const listen = setting<Text>(command, 'listen', configuration.listen, undefined)
  const http = setting<Text>(command, 'http', configuration.http, undefined)
  const admin = setting<Text>(command, 'admin', configuration.admin, undefined)
  const coordinator = parseAddress(listen ?? DEFAULT_COORDINATOR_PORT)
  const reading = parseAddress(http ?? DEFAULT_HTTP_PORT)
  requireTokenUnlessLoopback(coordinator, security, 'The coordinator')
  requireTokenUnlessLoopback(reading, security, 'The first worker process')
  const { LocalCluster } = await import('../run/local-cluster.ts')
  const cluster = new LocalCluster(
    {
      job,
      jobFolder: dirname(job.bundle.jobFile),
      cluster: options.cluster ?? DEFAULT_CLUSTER,
      group: setting(command, 'group', configuration.group, DEFAULT_GROUP),
      processes: setting(command, 'processes', configuration.processes, 1),
      threads: setting(command, 'workers', configuration.workers, 1),
      coordinator,
      anyCoordinatorPort: listen === undefined,
      http: reading,
      anyHttpPort: http === undefined,
      admin: admin === undefined ? null : parseAddress(admin),
      tick: setting<number | null>(command, 'tick', configuration.tick, null),
      drainSeconds: setting(command, 'drainSeconds', configuration.drainSeconds, DEFAULT_DRAIN_SECONDS),
      store: parseStore(options.store, command.getOptionValueSource('store') === 'cli'),
      security,
      log: options,
      json: options.json === true,
    },
    context,
  )
  await cluster.run()
}
