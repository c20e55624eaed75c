/** Options that several commands have, and how their values are read. Each has an environment variable `MILLRACE_...`. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { isName, NAME_RULE } from '../coordinator/names.ts'
import { addressText, parseAddress, parseUrls } from './configuration/address.ts'
import { MAXIMUM_DRAIN_SECONDS, MAXIMUM_WORKERS } from './configuration/limits.ts'

export const DEFAULT_COORDINATOR = 'http://127.0.0.1:7400'
export const DEFAULT_COORDINATOR_PORT = 7400
export const DEFAULT_HTTP_PORT = 8080
export const DEFAULT_GROUP = 'default'
export const DEFAULT_CLUSTER = 'millrace'
export const DEFAULT_DRAIN_SECONDS = 10
/** Of one request to a coordinator. */
export const DEFAULT_TIMEOUT_SECONDS = 10

/** What a flag or its variable says, else the configuration file, else the default. */
export function setting<T>(command: Command, name: string, configured: T | undefined, otherwise: T): T {
  const source = command.getOptionValueSource(name)
  return source === 'cli' || source === 'env' ? (command.getOptionValue(name) as T) : (configured ?? otherwise)
}

/** Whether a flag or its variable says it. */
export function isGiven(command: Command, name: string): boolean {
  const source = command.getOptionValueSource(name)
  return source === 'cli' || source === 'env'
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`It takes a whole number, ${least} to ${most}.`)
    return value
  }
}

export function name(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError(`It takes ${NAME_RULE}.`)
  return text
}

export function address(text: string): string {
  return asArgument(() => addressText(parseAddress(text)))
}

export function urls(text: string): readonly string[] {
  return asArgument(() => parseUrls(text))
}

export function oneUrl(text: string): string {
  return urls(text)[0]
}

export function several(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

function asArgument<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

export const jsonOption = (): Option => new Option('--json', 'print JSON, for programs')

/** Whom to ask. */
export const toOption = (): Option =>
  new Option('--to <url>', 'the coordinator; several with commas, if there are standbys')
    .env('MILLRACE_COORDINATOR')
    .argParser(urls)
    .default([DEFAULT_COORDINATOR], DEFAULT_COORDINATOR)

export const timeoutOption = (): Option =>
  new Option('--timeout <seconds>', 'how long to wait for an answer')
    .env('MILLRACE_TIMEOUT')
    .argParser(wholeNumber(1, 600))
    .default(DEFAULT_TIMEOUT_SECONDS)

/** Secrets come from files or MILLRACE_TOKEN: what is on the command line, everybody on the machine can read. */
export const securityOptions = (): readonly Option[] => [
  new Option('--token-file <file>', 'a file with the token of the cluster; or set MILLRACE_TOKEN').env('MILLRACE_TOKEN_FILE'),
  new Option('--tls-ca <file>', 'trust certificates of this authority (PEM)').env('MILLRACE_TLS_CA'),
  new Option('--tls-cert <file>', 'our certificate (PEM); with --tls-key').env('MILLRACE_TLS_CERT'),
  new Option('--tls-key <file>', 'its private key (PEM)').env('MILLRACE_TLS_KEY'),
]

export const clusterOption = (): Option =>
  new Option('--cluster <name>', 'processes of other clusters are refused').env('MILLRACE_CLUSTER').argParser(name).default(DEFAULT_CLUSTER)

export const workersOption = (): Option =>
  new Option('--workers <n>', 'dataflow threads of each process').env('MILLRACE_WORKERS').argParser(wholeNumber(1, MAXIMUM_WORKERS))

export const groupOption = (): Option => new Option('--group <name>', 'the group of worker processes').env('MILLRACE_GROUP').argParser(name)

export const drainOption = (): Option =>
  new Option('--drain-seconds <s>', 'how long to wait, when stopped, until others have taken over')
    .env('MILLRACE_DRAIN_SECONDS')
    .argParser(wholeNumber(0, MAXIMUM_DRAIN_SECONDS))

export const logOptions = (): readonly Option[] => [
  new Option('--log-level <level>', 'the least level that is logged').env('MILLRACE_LOG_LEVEL').choices(['debug', 'info', 'warn', 'error']),
  new Option('--log-format <format>', 'default: text on a terminal, else json').env('MILLRACE_LOG_FORMAT').choices(['json', 'text']),
]

export const bundleOptions = (): readonly Option[] => [
  new Option('--config <file>', 'the configuration file; default: millrace.config.ts (.js) beside the job').env('MILLRACE_CONFIG'),
  new Option('--external <package>', 'a package that stays out of the bundle, since the workers have it; may be repeated').argParser(
    several,
  ),
]

export function withOptions(command: Command, ...options: readonly (Option | readonly Option[])[]): Command {
  for (const option of options.flat()) command.addOption(option)
  return command
}
