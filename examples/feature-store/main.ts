/**
 * The fraud feature store, live: follows two change logs, shows the accounts with the most frauds, and answers over HTTP.
 *
 * npm start -- --help
 */
import { type FileFeed, followFiles } from '../../files.ts'
import { embed, MillraceError } from '../../millrace.ts'
import type { HttpServer } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { ChangeFeed } from './change-feed.ts'
import { GeneratorProcess } from './generator-process.ts'
import { featureStore } from './job.ts'
import { HELP, type Logs, type Options, parseOptions, UsageError } from './options.ts'
import { ProgressMeter } from './progress.ts'
import { Reporter } from './reporter.ts'
import { type FeatureStoreApp, featureStoreHandler } from './server.ts'
import { tableLines } from './table.ts'

const DEFAULT_PORT = 8080
/** Rows that --once prints. */
const PRINTED_ROWS = 20
/** What clients of the changes get to take their last event, milliseconds. */
const FAREWELL = 50

type Feed = FileFeed<(typeof featureStore)['inputs']>

async function once(logs: Logs, at: number | null): Promise<void> {
  using app = embed(featureStore, { checkRemovals: true, ...(at === null ? {} : { clock: () => at }) })
  await using feed = followFiles(featureStore, app, logs, { onEvent: ({ message }) => process.stderr.write(`${message}\n`) })
  await feed.drain()
  const progress = await new ProgressMeter(app, feed).measure()
  process.stdout.write(`${tableLines(app.outputs.worst.rows(), PRINTED_ROWS, 80).join('\n')}\n`)
  process.stdout.write(`${progress.rows} rows, ${progress.rejected} bad lines\n`)
  for (const { source, position, message } of app.outputs.accountFrauds.errors.rows().slice(0, PRINTED_ROWS)) {
    process.stderr.write(`${source} ${position}: ${message}\n`)
  }
}

async function live(options: Options, stop: Stop): Promise<void> {
  const changes = new ChangeFeed()
  await using app = embed(featureStore, { checkRemovals: true })
  app.outputs.accountFrauds.subscribe((told) => changes.publish(told))
  const reporter = new Reporter(options.quiet)
  let generator: GeneratorProcess | null = null
  let server: HttpServer | null = null
  let feed: Feed | null = null
  try {
    // The port first: a server that cannot listen starts nothing.
    const parts = { app, feed: changes, health: () => health(app, feed, changes) }
    server = await listen(options, featureStoreHandler(parts), reporter)
    if (options.logs === null) {
      generator = new GeneratorProcess(options.generator, (message) => reporter.event(`${message}; answers go on from what it wrote`))
      stop.atExit = generator
      await Promise.race([generator.ready(), stop.asked])
    }
    const logs = options.logs ?? (generator as GeneratorProcess).logs
    feed = followFiles(featureStore, app, logs, { onEvent: ({ message }) => reporter.event(message) })
    reporter.start({ app, meter: new ProgressMeter(app, feed), url: server.url, logs })
    await Promise.race([feed.run(), stop.asked])
  } finally {
    await feed?.close()
    if (changes.close() > 0) await new Promise((resolve) => setTimeout(resolve, FAREWELL))
    await Promise.all([server?.close(), generator?.stop()])
    await reporter.close()
  }
}

async function listen(options: Options, handler: ReturnType<typeof featureStoreHandler>, reporter: Reporter): Promise<HttpServer> {
  const { network } = nodeEnvironment()
  const { host, port } = options
  const onError = (error: unknown, request: Request): void => {
    reporter.event(`${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (port !== null) return await network.serve({ host, port, onError }, handler)
  try {
    return await network.serve({ host, port: DEFAULT_PORT, onError }, handler)
  } catch {
    return await network.serve({ host, port: 0, onError }, handler)
  }
}

async function health(app: FeatureStoreApp, feed: Feed | null, changes: ChangeFeed) {
  if (feed === null) return { ok: false, message: 'starting' }
  const { rows, rejected, unread, time, lag } = await new ProgressMeter(app, feed).measure()
  return {
    ok: true,
    time,
    lagMilliseconds: Math.round(lag),
    rows,
    badLines: rejected,
    unreadBytes: unread,
    clients: changes.clientCount,
    droppedClients: changes.droppedCount,
  }
}

/** When to stop: a signal, the end of the run, or nobody left to write to. */
class Stop {
  readonly asked: Promise<void>
  /** Killed if the process goes without waiting. */
  atExit: { kill(): void } | null = null

  constructor(seconds: number) {
    process.once('exit', () => this.atExit?.kill())
    this.asked = new Promise((resolve) => {
      let signals = 0
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(signal, () => {
          // Who asks twice does not want to wait.
          if (++signals > 1) process.exit(130)
          resolve()
        })
      }
      process.stdout.on('error', () => resolve())
      if (Number.isFinite(seconds)) setTimeout(resolve, seconds * 1000)
    })
  }
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (options === null) process.stdout.write(HELP)
    else if (options.once) await once(options.logs as Logs, options.at)
    else await live(options, new Stop(options.duration))
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\nRun with --help to see all options.\n`)
      return 2
    }
    process.stderr.write(`${error instanceof MillraceError ? error.message : error instanceof Error ? error.stack : String(error)}\n`)
    return 1
  }
}

// Nothing is left to do but what a signal handler or a timer of ours would keep alive.
main().then((code) => process.exit(code))
