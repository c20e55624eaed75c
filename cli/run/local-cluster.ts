/**
 * What `millrace run` runs: the coordinator in this process, and the worker processes of one job, in this process or as children. It
 * ends when it is asked to, when the job fails, or when no worker process is left.
 */
import type { Coordinator } from '../../coordinator/coordinator.ts'
import { MillraceError } from '../../runtime/error.ts'
import { CoordinatorClient } from '../client.ts'
import type { Context } from '../context.ts'
import { startCoordinator } from '../coordinator-host.ts'
import { drainOnSignal } from '../drain.ts'
import { DEFAULT_TIMEOUT_SECONDS } from '../options.ts'
import { openStore } from '../store.ts'
import { ChildWorkers } from './child-workers.ts'
import { InnerWorker } from './inner-worker.ts'
import type { LocalClusterOptions } from './run-options.ts'
import { RunView } from './run-view.ts'
import type { Workers, WorkersOptions } from './workers.ts'

const LOOK_MILLISECONDS = 500

export class LocalCluster {
  private readonly options: LocalClusterOptions
  private readonly context: Context
  private readonly view: RunView

  constructor(options: LocalClusterOptions, context: Context) {
    this.options = options
    this.context = context
    this.view = new RunView(options, context)
  }

  /** @throws MillraceError with what ended it, if nobody asked for that */
  async run(): Promise<void> {
    const { options, context, view } = this
    const coordinator = await startCoordinator(
      await openStore(options.store, options.cluster, context.environment),
      {
        cluster: options.cluster,
        listen: options.coordinator,
        advertise: null,
        anyPort: options.anyCoordinatorPort,
        admin: null,
        security: options.security,
        minimumProcesses: options.processes,
        limits: { tickMilliseconds: options.tick ?? undefined },
        onEvent: (event) => view.event(event),
        onError: (error) => view.problem(error),
      },
      context,
    )
    const workersOptions: WorkersOptions = { ...options, view }
    const workers: Workers = options.processes === 1 ? new InnerWorker(workersOptions, context) : new ChildWorkers(workersOptions, context)
    const drain = async (): Promise<void> => {
      await workers.stop(options.drainSeconds)
      await coordinator.stop()
    }
    const draining = drainOnSignal(context, {
      seconds: options.drainSeconds,
      say: (text) => view.say(text),
      drain,
      force: () => workers.kill(),
    })
    const watch = new Watch(coordinator.coordinator, options, context, view)
    try {
      view.coordinator(coordinator.url)
      await this.deploy(coordinator.url)
      const end = await Promise.race([Promise.all([workers.start(coordinator.url), watch.failed, workers.failed]), draining.done])
      if (end === false) throw new MillraceError('CLOSED', `Not all processes left within ${options.drainSeconds} s; they were ended.`)
    } catch (error) {
      // It is the end for all; what they would hand over nobody takes.
      workers.kill()
      await coordinator.stop()
      throw error
    } finally {
      watch.stop()
      draining.stop()
      view.close()
      workers.kill()
    }
  }

  private async deploy(url: string): Promise<void> {
    const { job, group, security } = this.options
    const { environment } = this.context
    const client = new CoordinatorClient({ environment, urls: [url], security, timeoutSeconds: DEFAULT_TIMEOUT_SECONDS })
    const { code, digest } = job.bundle
    await client.post('/v1/jobs', { name: job.name, group, code, digest })
  }
}

/** Looks at the job every so often: for the live line, and for its end. */
class Watch {
  /** Rejects when the job failed. */
  readonly failed: Promise<never>
  private readonly timer: { clear(): void }

  constructor(coordinator: Coordinator, { job, group }: LocalClusterOptions, { environment }: Context, view: RunView) {
    let fail: (error: MillraceError) => void = () => undefined
    this.failed = new Promise((_, reject) => {
      fail = reject
    })
    this.failed.catch(() => undefined)
    this.timer = environment.timers.setInterval(() => {
      const status = coordinator.status()
      const found = status?.jobs.find(({ name }) => name === job.name)
      if (status === null || found === undefined) return
      if (found.state === 'failed') fail(new MillraceError('JOB', `${job.name} failed: ${found.message ?? 'nobody says why'}`))
      view.look(
        found,
        status.groups.find(({ name }) => name === group),
        environment.clock.now(),
      )
    }, LOOK_MILLISECONDS)
  }

  stop(): void {
    this.timer.clear()
  }
}
