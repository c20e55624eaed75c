/** A worker process in this process of the operating system: real threads, sockets, and the way to the outside. */
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import type { HttpServer } from '../../runtime/env/network.ts'
import { NodeModules } from '../../runtime/env/node-modules.ts'
import { NodeThreads } from '../../runtime/env/node-threads.ts'
import type { MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import { BundleLoader } from '../../worker/job-loader.ts'
import { LocalThreads } from '../../worker/local-threads.ts'
import { GatewayFace } from '../../worker/process/gateway-face.ts'
import { WorkerProcess } from '../../worker/process/worker-process.ts'
import { serveAdmin } from '../admin.ts'
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
  /** The only version that it speaks; undefined: all that this release does. */
  readonly protocol?: number | undefined
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

interface Parts {
  readonly worker: WorkerProcess
  readonly face: GatewayFace
}

/** @throws MillraceError CONFIG if an address cannot be bound */
export async function startWorkerHost(options: WorkerHostOptions, context: Context): Promise<WorkerHost> {
  const { listen, anyPort, admin, tls } = options
  let parts: Parts | null = null
  const starting = (): Response => new Response('it starts\n', { status: 503 })
  const adminServer =
    admin === null ? null : await serveAdmin(context.environment, admin, tls, (request) => parts?.face.admin(request) ?? starting())
  try {
    parts = create(options, listen.port, adminServer, context)
    try {
      await parts.worker.start()
    } catch (error) {
      if (!anyPort || listen.port === 0) throw error
      parts.face.close()
      parts = create(options, 0, adminServer, context)
      await parts.worker.start()
    }
  } catch (error) {
    parts?.face.close()
    await adminServer?.close()
    throw error
  }
  const { worker, face } = parts
  const ended = new Promise<MillraceError | null>((resolve) => {
    worker.onEnd = (error) => {
      face.close()
      void adminServer?.close()
      resolve(error)
    }
  })
  return {
    url: worker.address as string,
    admin: adminServer?.url ?? null,
    ended,
    stop: () => {
      face.close('this process stops')
      return worker.stop()
    },
  }
}

function create(options: WorkerHostOptions, port: number, adminServer: HttpServer | null, context: Context): Parts {
  const { environment, version, threadEntry } = context
  const { cluster, coordinators, group, name, threads, listen, advertise, token, tls, log, jobFolder, protocol } = options
  const loader = new BundleLoader(new NodeModules(jobFolder), Object.fromEntries(publicModules))
  const starter = new LocalThreads({ threads: new NodeThreads(), entry: threadEntry, settings: { jobFolder } })
  const worker = new WorkerProcess(environment, starter, loader, {
    cluster,
    coordinators,
    group,
    name,
    threads,
    listen: { host: listen.host, port, ...(advertise === null ? {} : { advertise }) },
    admin: adminServer?.url ?? null,
    token,
    ...(tls === null ? {} : { tls }),
    version,
    ...(protocol === undefined ? {} : { protocol: { least: protocol, most: protocol } }),
    log,
    memoryBytes: () => process.memoryUsage.rss(),
  })
  const face = new GatewayFace(worker, { token, version, log, nodeMetrics: adminServer !== null })
  worker.attach(face)
  return { worker, face }
}
