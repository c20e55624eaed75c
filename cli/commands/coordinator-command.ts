/** `millrace coordinator`: who decides in a cluster. */
import { Command, Option } from 'commander'
import { MillraceError } from '../../runtime/error.ts'
import { parseAddress } from '../configuration/address.ts'
import { MAXIMUM_HISTORY, MAXIMUM_PROCESSES, MAXIMUM_RESUME, MAXIMUM_TICK, MINIMUM_RESUME } from '../configuration/limits.ts'
import type { Context } from '../context.ts'
import { drainOnSignal } from '../drain.ts'
import type { LogOptions } from '../open-log.ts'
import {
  address,
  clusterOption,
  DEFAULT_CLUSTER,
  DEFAULT_COORDINATOR_PORT,
  DEFAULT_DRAIN_SECONDS,
  drainOption,
  logOptions,
  oneUrl,
  securityOptions,
  wholeNumber,
  withOptions,
} from '../options.ts'
import { readSecurity, requireTokenUnlessLoopback, type SecurityOptions } from '../security.ts'
import { DEFAULT_STORE, openStore, parseStore, storeText } from '../store.ts'

interface Options extends SecurityOptions, LogOptions {
  readonly listen: string
  readonly advertise?: string
  readonly store: string
  readonly cluster?: string
  readonly standby?: boolean
  readonly admin?: string
  readonly tick?: number
  readonly history?: number
  readonly resume?: number
  readonly minimumProcesses?: number
  readonly drainSeconds?: number
}

export function coordinatorCommand(context: Context): Command {
  const command = new Command('coordinator')
    .description('run the coordinator of a cluster, or a standby of it')
    .addOption(
      new Option('--listen <address>', 'host:port for worker processes and for the other commands')
        .env('MILLRACE_LISTEN')
        .argParser(address)
        .default(`127.0.0.1:${DEFAULT_COORDINATOR_PORT}`),
    )
    .addOption(
      new Option('--advertise <url>', 'what others connect to, if it is not where this process listens')
        .env('MILLRACE_ADVERTISE')
        .argParser(oneUrl),
    )
    .addOption(
      new Option('--store <store>', 'where its facts are: local:DIR, postgres://user@host/database, kubernetes:DIR, or memory')
        .env('MILLRACE_STORE')
        .default(DEFAULT_STORE),
    )
    .addOption(clusterOption())
    .addOption(new Option('--standby', 'wait where another one leads, and take over when it is gone'))
    .addOption(
      new Option('--tick <ms>', 'milliseconds between two times at least').env('MILLRACE_TICK').argParser(wholeNumber(1, MAXIMUM_TICK)),
    )
    .addOption(
      new Option('--history <ms>', 'milliseconds for which changes and times stay readable')
        .env('MILLRACE_HISTORY')
        .argParser(wholeNumber(0, MAXIMUM_HISTORY)),
    )
    .addOption(
      new Option('--resume <ms>', 'milliseconds that a new leader waits for all processes to come back, before it begins anew without them')
        .env('MILLRACE_RESUME')
        .argParser(wholeNumber(MINIMUM_RESUME, MAXIMUM_RESUME)),
    )
    .addOption(
      new Option('--minimum-processes <n>', 'worker processes that a group waits for before it begins')
        .env('MILLRACE_MINIMUM_PROCESSES')
        .argParser(wholeNumber(1, MAXIMUM_PROCESSES)),
    )
    .addOption(new Option('--admin <address>', 'host:port for /livez, /readyz and /metrics').env('MILLRACE_ADMIN').argParser(address))
    .addOption(drainOption())
  return withOptions(command, securityOptions(), logOptions())
    .addHelpText(
      'after',
      '\nExample:\n  millrace coordinator --listen 10.0.0.1:7400 --store local:/var/lib/millrace --token-file token.txt',
    )
    .action((options: Options) => run(options, command, context))
}

async function run(options: Options, command: Command, context: Context): Promise<void> {
  const security = readSecurity(options, context)
  const listen = parseAddress(options.listen)
  requireTokenUnlessLoopback(listen, security, 'The coordinator')
  const { cluster = DEFAULT_CLUSTER, drainSeconds = DEFAULT_DRAIN_SECONDS } = options
  const choice = parseStore(options.store, command.getOptionValueSource('store') === 'cli')
  const { openLog } = await import('../open-log.ts')
  const { startCoordinator, waitForLeadership } = await import('../coordinator-host.ts')
  const log = openLog(options, security, context)
  const admin = options.admin === undefined ? null : parseAddress(options.admin)
  if (admin !== null) requireTokenUnlessLoopback(admin, security, 'The admin port')
  const host = await startCoordinator(
    await openStore(choice, cluster, context.environment),
    {
      cluster,
      listen,
      advertise: options.advertise ?? null,
      anyPort: false,
      admin,
      security,
      minimumProcesses: options.minimumProcesses ?? 1,
      limits: { tickMilliseconds: options.tick, historyMilliseconds: options.history, resumeMilliseconds: options.resume },
      onEvent: ({ group, text }) => log.info(text, group === null ? {} : { group }),
      onError: (error) => log.error('this should not have happened', { error }),
    },
    context,
  )
  const draining = drainOnSignal(context, { seconds: drainSeconds, say: (text) => log.info(text), drain: () => host.stop() })
  try {
    log.info('the coordinator listens', { url: host.url, admin: host.admin, cluster, store: storeText(choice) })
    if (options.standby === true && !host.coordinator.leads)
      log.info('it stands by: another one leads', { leader: (await host.store.leader())?.url })
    else await Promise.race([waitForLeadership(host, context), draining.done])
    if (!(await draining.done)) throw new MillraceError('CLOSED', `The coordinator did not hand over within ${drainSeconds} s.`)
  } catch (error) {
    await host.stop()
    throw error
  } finally {
    draining.stop()
  }
}
