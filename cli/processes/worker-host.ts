/** A worker process in this process of the operating system: real threads, sockets, and the way to the outside. */
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import { NodeModules } from '../../runtime/env/node-modules.ts'
import { NodeThreads } from '../../runtime/env/node-threads.ts'
import type { MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import { BundleLoader } from '../../worker/job-loader.ts'
import { LocalThreads } from '../../worker/local-threads.ts'
import { Gateway } from '../../worker/process/gateway.ts'
import { queryHandler } from '../../worker/process/query-http.ts'
import { WorkerProcess } from '../../worker/process/worker-process.ts'
import type { Address } from '../configuration/address.ts'
import type { Context } from '../context.ts'
import { publicModules } from '../public-modules.ts'

export interface WorkerHostOptions {
  readonly cluster: string
  readonly coordinators: readonly string[]
  readonly group: string
  readonly name: string
  readonly threads: number
  readonly listen: Address
  /** What others connect to, if it is not where it listens. */
  readonly advertise: string | null
  /** Takes another port if the wanted one is taken. */
  readonly anyPort: boolean
  readonly admin: Address | null
  readonly token: string | null
  readonly tls: TlsIdentity | null
  readonly log: Log
  /** Of the job's file, for modules that bundles leave out. */
  readonly jobFolder: string
}

export interface WorkerHost {
  /** Where outputs are read. */
  readonly url: string
  readonly admin: string | null
  /** Resolves when it has ended: with why, or null if it was told to. */
  readonly ended: Promise<MillraceError | null>
  /** Leaves the cluster and ends. */
  stop(): Promise<void>
}

/** @throws MillraceError CONFIG if an address cannot be bound */
export async function startWorkerHost(options: WorkerHostOptions, context: Context): Promise<WorkerHost> {
  const { environment, version, threadEntry } = context
  const { cluster, coordinators, group, name, threads, listen, advertise, anyPort, token, tls, log, jobFolder } = options
  const loader = new BundleLoader(new NodeModules(jobFolder), Object.fromEntries(publicModules))
  const create = (port: number): WorkerProcess => {
    const worker = new WorkerProcess(
      environment,
      new LocalThreads({ threads: new NodeThreads(), entry: threadEntry, settings: { jobFolder } }),
      loader,
      {
        cluster,
        coordinators,
        group,
        name,
        threads,
        listen: { host: listen.host, port, ...(advertise === null ? {} : { advertise }) },
        token,
        ...(tls === null ? {} : { tls }),
        version,
        log,
        memoryBytes: () => process.memoryUsage.rss(),
      },
    )
    const gateway = new Gateway(worker)
    worker.attach({ events: gateway.events, handler: queryHandler({ gateway, timers: environment.timers, token, log }) })
    return worker
  }
  let worker = create(listen.port)
  try {
    await worker.start()
  } catch (error) {
    if (!anyPort || listen.port === 0) throw error
    worker = create(0)
    await worker.start()
  }
  const ended = new Promise<MillraceError | null>((resolve) => {
    worker.onEnd = resolve
  })
  return { url: worker.address as string, admin: null, ended, stop: () => worker.stop() }
}
