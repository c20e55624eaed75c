/** What commands that ask a coordinator have in common. */
import type { Command } from 'commander'
import { CoordinatorClient } from '../client.ts'
import type { Context } from '../context.ts'
import { jsonOption, securityOptions, timeoutOption, toOption, withOptions } from '../options.ts'
import { readSecurity, type SecurityOptions } from '../security.ts'

export interface ClientCommandOptions extends SecurityOptions {
  readonly to: readonly string[]
  readonly timeout: number
  readonly json?: boolean
}

export function clientCommand(command: Command): Command {
  return withOptions(command, toOption(), securityOptions(), timeoutOption(), jsonOption())
}

export function openClient(options: ClientCommandOptions, context: Context): CoordinatorClient {
  return new CoordinatorClient({
    environment: context.environment,
    urls: options.to,
    security: readSecurity(options, context),
    timeoutSeconds: options.timeout,
  })
}

/** In a path. */
export function segment(name: string): string {
  return encodeURIComponent(name)
}
