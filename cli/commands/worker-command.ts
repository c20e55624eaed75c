/** `millrace worker`: a worker process of a cluster. */
import { hostname } from 'node:os'
import { Command, Option } from 'commander'
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import { MillraceError } from '../../runtime/error.ts'
import { JOB_FOLDER_VARIABLE } from '../bundle/module-place.ts'
import { parseAddress } from '../configuration/address.ts'
import type { Context } from '../context.ts'
import { drainOnSignal } from '../drain.ts'
import type { LogOptions } from '../open-log.ts'
import {
  address,
  clusterOption,
  DEFAULT_CLUSTER,
  DEFAULT_COORDINATOR,
  DEFAULT_DRAIN_SECONDS,
  DEFAULT_GROUP,
  drainOption,
  groupOption,
  logOptions,
  name,
  oneUrl,
  securityOptions,
  urls,
  wholeNumber,
  withOptions,
  workersOption,
} from '../options.ts'
import { connectParent, type ParentLink } from '../processes/parent-link.ts'
import { readSecurity, requireTokenUnlessLoopback, type SecurityOptions } from '../security.ts'

/** Beyond any that there will be. */
const MAXIMUM_PROTOCOL = 1000

interface Options extends SecurityOptions, LogOptions {
  readonly join: readonly string[]
  readonly workers?: number
  readonly group?: string
  readonly name?: string
  readonly listen: string
  readonly advertise?: string
  readonly admin?: string
  readonly cluster?: string
  readonly drainSeconds?: number
  readonly supervised?: boolean
  readonly protocol?: number
}

export function workerCommand(context: Context): Command {
  const command = new Command('worker')
    .description('run a worker process, which joins a cluster and does what the coordinator tells it')
    .addOption(
      new Option('--join <url>', 'the coordinator; several with commas, if there are standbys')
        .env('MILLRACE_COORDINATOR')
        .argParser(urls)
        .default([DEFAULT_COORDINATOR], DEFAULT_COORDINATOR),
    )
    .addOption(workersOption())
    .addOption(groupOption())
    .addOption(
      new Option('--name <name>', 'unique in the cluster; default: made of the host name and the process id')
        .env('MILLRACE_NAME')
        .argParser(name),
    )
    .addOption(
      new Option('--listen <address>', 'host:port for the other processes, and for reading outputs')
        .env('MILLRACE_LISTEN')
        .argParser(address)
        .default('127.0.0.1:0', '127.0.0.1, any free port'),
    )
    .addOption(
      new Option('--advertise <url>', 'what others connect to, if it is not where this process listens')
        .env('MILLRACE_ADVERTISE')
        .argParser(oneUrl),
    )
    .addOption(new Option('--admin <address>', 'host:port for /livez, /readyz and /metrics').env('MILLRACE_ADMIN').argParser(address))
    .addOption(clusterOption())
    .addOption(drainOption())
    .addOption(new Option('--supervised').hideHelp())
    // To try out what an older or a newer release would do.
    .addOption(new Option('--protocol <version>').env('MILLRACE_PROTOCOL').argParser(wholeNumber(1, MAXIMUM_PROTOCOL)).hideHelp())
  return withOptions(command, securityOptions(), logOptions())
    .addHelpText(
      'after',
      '\nExample:\n  millrace worker --join http://10.0.0.1:7400 --workers 4 --listen 10.0.0.2:7401 --token-file token.txt',
    )
    .action((options: Options) => run(options, context))
}

async function run(options: Options, context: Context): Promise<void> {
  const parent = options.supervised === true ? await connectParent() : null
  const security = parent === null ? readSecurity(options, context) : secrets(parent)
  const { drainSeconds = DEFAULT_DRAIN_SECONDS, advertise } = options
  const listen = parseAddress(options.listen)
  requireTokenUnlessLoopback(listen, security, 'This worker process')
  const admin = options.admin === undefined ? null : parseAddress(options.admin)
  if (admin !== null) requireTokenUnlessLoopback(admin, security, 'The admin port')
  const { openLog } = await import('../open-log.ts')
  const { startWorkerHost } = await import('../processes/worker-host.ts')
  const log = openLog(options, security, context)
  const host = await startWorkerHost(
    {
      cluster: options.cluster ?? DEFAULT_CLUSTER,
      coordinators: options.join,
      group: options.group ?? DEFAULT_GROUP,
      name: options.name ?? ownName(),
      threads: options.workers ?? 1,
      listen,
      advertise: advertise ?? null,
      anyPort: parent?.message.anyPort === true,
      admin,
      token: security.token,
      tls: security.tls ?? null,
      log,
      jobFolder: context.variables[JOB_FOLDER_VARIABLE] ?? process.cwd(),
      protocol: options.protocol,
    },
    context,
  )
  log.info('a worker process listens', { url: host.url, admin: host.admin, coordinators: options.join.join(',') })
  const gone = parent === null ? new Promise<never>(() => undefined) : parentGone(parent)
  parent?.tell({ url: host.url, admin: host.admin })
  const draining = drainOnSignal(context, {
    seconds: drainSeconds,
    say: (text) => log.info(text),
    drain: () => host.stop(),
    // Ctrl-C in a terminal reaches all its processes; here the one that started this one decides.
    ...(parent === null ? {} : { only: 'SIGTERM' }),
  })
  try {
    const end = await Promise.race([host.ended, draining.done, gone])
    if (end === 'gone') throw new MillraceError('CLOSED', 'The process that started this one is gone.')
    if (end === false) throw new MillraceError('CLOSED', `The coordinator did not take over within ${drainSeconds} s.`)
    if (end instanceof MillraceError) throw end
  } finally {
    draining.stop()
  }
}

function secrets({ message }: ParentLink): { readonly token: string | null; readonly tls: TlsIdentity | undefined } {
  return { token: message.token, tls: message.tls ?? undefined }
}

function parentGone(parent: ParentLink): Promise<'gone'> {
  return new Promise((resolve) => {
    parent.onGone = () => resolve('gone')
  })
}

/** Another one each time: a process that starts again is another one. */
function ownName(): string {
  const host = hostname()
    .split('.')[0]
    .replace(/[^A-Za-z0-9-]/g, '-')
    .replace(/^-+/, '')
    .slice(0, 40)
  return `${host === '' ? 'worker' : host}-${process.pid}`
}
