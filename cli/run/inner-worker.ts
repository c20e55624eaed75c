/** The one worker process of `run`, within this process. */
import type { MillraceError } from '../../runtime/error.ts'
import { JOB_FOLDER_VARIABLE } from '../bundle/module-place.ts'
import type { Context } from '../context.ts'
import { openLog } from '../open-log.ts'
import { startWorkerHost, type WorkerHost } from '../processes/worker-host.ts'
import type { Workers, WorkersOptions } from './workers.ts'

export class InnerWorker implements Workers {
  readonly failed: Promise<never>
  private readonly options: WorkersOptions
  private readonly context: Context
  private host: WorkerHost | null = null
  private fail: (error: MillraceError) => void = () => undefined

  constructor(options: WorkersOptions, context: Context) {
    this.options = options
    this.context = context
    this.failed = new Promise((_, reject) => {
      this.fail = reject
    })
    this.failed.catch(() => undefined)
  }

  async start(coordinator: string): Promise<void> {
    const { options, context } = this
    context.variables[JOB_FOLDER_VARIABLE] ??= options.jobFolder
    const host = await startWorkerHost(
      {
        cluster: options.cluster,
        coordinators: [coordinator],
        group: options.group,
        name: 'worker-1',
        threads: options.threads,
        listen: options.http,
        advertise: null,
        anyPort: options.anyHttpPort,
        admin: options.admin,
        token: options.security.token,
        tls: options.security.tls ?? null,
        log: openLog(options.log, options.security, context, 'error'),
        jobFolder: options.jobFolder,
      },
      context,
    )
    this.host = host
    void host.ended.then((error) => {
      if (error !== null) this.fail(error)
    })
    options.view.listening('worker-1', host.url, host.admin)
  }

  async stop(): Promise<void> {
    await this.host?.stop()
  }

  /** It ends with this process. */
  kill(): void {}
}
