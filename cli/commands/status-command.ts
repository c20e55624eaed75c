/** `millrace status`, and `top`, which is the status again and again. */
import { Command, Option } from 'commander'
import type { ClusterStatus } from '../../coordinator/status.ts'
import type { CoordinatorClient } from '../client.ts'
import type { Context } from '../context.ts'
import { wholeNumber } from '../options.ts'
import { sleep } from '../sleep.ts'
import { Screen } from '../view/screen.ts'
import { statusLines } from '../view/status-view.ts'
import { type ClientCommandOptions, clientCommand, openClient } from './client-command.ts'

interface Options extends ClientCommandOptions {
  readonly events: number
  readonly threads?: boolean
  readonly shards?: boolean
  readonly interval: number
}

const DEFAULT_EVENTS = 12
const DEFAULT_INTERVAL_SECONDS = 1

const eventsOption = (): Option =>
  new Option('--events <n>', 'the last so many events').argParser(wholeNumber(0, 1000)).default(DEFAULT_EVENTS)
const threadsOption = (): Option => new Option('--threads', 'a line for each dataflow thread')
const shardsOption = (): Option => new Option('--shards', 'the busiest virtual shards of each job')

export function statusCommand(context: Context): Command {
  return clientCommand(
    new Command('status')
      .description('who is in a cluster, which jobs run, who holds them back, and what happened')
      .addOption(eventsOption())
      .addOption(threadsOption())
      .addOption(shardsOption()),
  )
    .addHelpText('after', '\nExample:\n  millrace status --threads\n  millrace status --json | jq .jobs')
    .action(async (options: Options) => {
      const status = await read(openClient(options, context))
      context.out.write(options.json === true ? `${JSON.stringify(status)}\n` : `${linesOf(status, options).join('\n')}\n`)
    })
}

export function topCommand(context: Context): Command {
  return clientCommand(
    new Command('top')
      .description('the status, live; with --json one object a line')
      .addOption(eventsOption())
      .addOption(threadsOption())
      .addOption(shardsOption())
      .addOption(
        new Option('--interval <s>', 'seconds between two looks').argParser(wholeNumber(1, 3600)).default(DEFAULT_INTERVAL_SECONDS),
      ),
  )
    .addHelpText('after', '\nExample:\n  millrace top --threads')
    .action((options: Options) => top(options, context))
}

async function top(options: Options, context: Context): Promise<void> {
  const client = openClient(options, context)
  const { timers } = context.environment
  const screen = new Screen(context.out)
  const isScreen = context.out.isTTY && options.json !== true
  const draw = (lines: readonly string[]): void => (isScreen ? screen.draw(lines) : context.out.write(`${lines.join('\n')}\n`))
  let stopped = false
  let stop: () => void = () => undefined
  const asked = new Promise<void>((resolve) => {
    stop = resolve
  })
  const listener = context.signals.listen(() => {
    stopped = true
    stop()
  })
  // A coordinator that cannot be reached at first is an error; one that goes later is shown to be gone.
  let last: readonly string[] | null = null
  try {
    while (!stopped) {
      try {
        const status = await read(client)
        last = options.json === true ? [JSON.stringify(status)] : linesOf(status, options)
        if (!stopped) draw(last)
      } catch (error) {
        if (last === null) throw error
        if (isScreen) draw([(error as Error).message.split('\n').slice(0, 2).join(' '), '', ...last])
      }
      await Promise.race([sleep(timers, options.interval * 1000), asked])
    }
  } finally {
    screen.close()
    listener.ignore()
  }
}

async function read(client: CoordinatorClient): Promise<ClusterStatus> {
  return (await client.get('/v1/status')) as ClusterStatus
}

function linesOf(status: ClusterStatus, { events, threads, shards }: Options): string[] {
  return statusLines(status, { events, threads: threads === true, shards: shards === true })
}
