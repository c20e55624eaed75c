/** The worker processes of `run`, as child processes. */
import { MillraceError } from '../../runtime/error.ts'
import { JOB_FOLDER_VARIABLE } from '../bundle/module-place.ts'
import { addressText, isLoopback, parseAddress } from '../configuration/address.ts'
import type { Context } from '../context.ts'
import { Child, type ChildEnd } from '../processes/child.ts'
import { Supervisor } from '../processes/supervisor.ts'
import type { Workers, WorkersOptions } from './workers.ts'

/** Variables that say what the parameters of each child say. */
const OPTION_VARIABLES = [
  'MILLRACE_TOKEN',
  'MILLRACE_TOKEN_FILE',
  'MILLRACE_TLS_CA',
  'MILLRACE_TLS_CERT',
  'MILLRACE_TLS_KEY',
  'MILLRACE_COORDINATOR',
  'MILLRACE_WORKERS',
  'MILLRACE_GROUP',
  'MILLRACE_NAME',
  'MILLRACE_LISTEN',
  'MILLRACE_ADVERTISE',
  'MILLRACE_ADMIN',
  'MILLRACE_CLUSTER',
  'MILLRACE_DRAIN_SECONDS',
  'MILLRACE_LOG_LEVEL',
  'MILLRACE_LOG_FORMAT',
]
const LOOPBACK = '127.0.0.1'

export class ChildWorkers implements Workers {
  readonly failed: Promise<never>
  private readonly options: WorkersOptions
  private readonly context: Context
  private readonly supervisor: Supervisor
  /** Where each listens: it gets the same address when it is started again. */
  private readonly addresses: string[]
  private readonly told = new Set<number>()
  private coordinator = ''

  constructor(options: WorkersOptions, context: Context) {
    this.options = options
    this.context = context
    const names = Array.from({ length: options.processes }, (_, i) => `worker-${i + 1}`)
    const host = isLoopback(options.http.host) ? options.http.host : LOOPBACK
    this.addresses = names.map((_, i) => addressText(i === 0 ? options.http : { host, port: 0 }))
    let fail: (error: MillraceError) => void = () => undefined
    this.failed = new Promise((_, reject) => {
      fail = reject
    })
    this.failed.catch(() => undefined)
    this.supervisor = new Supervisor({
      timers: context.environment.timers,
      names,
      start: (index, onExit) => this.launch(index, names[index], onExit),
      onEvent: (text) => options.view.say(text),
      onGivenUp: () => fail(new MillraceError('CLOSED', 'No worker process is left.', 'What they said is above.')),
    })
    // However this process ends, as long as it runs anything at all: no children stay behind. If it does not, they see their pipe end.
    process.once('exit', () => this.supervisor.kill())
  }

  async start(coordinator: string): Promise<void> {
    this.coordinator = coordinator
    this.supervisor.start()
  }

  stop(seconds: number): Promise<void> {
    return this.supervisor.stop(seconds * 1000)
  }

  kill(): void {
    this.supervisor.kill()
  }

  private launch(index: number, name: string, onExit: (end: ChildEnd) => void): Child {
    const { options, context } = this
    const { view, security } = options
    return new Child({
      parameters: [context.program, ...this.parameters(index, name)],
      variables: this.variables(),
      message: { token: security.token, tls: security.tls ?? null, anyPort: index > 0 || options.anyHttpPort },
      onListening: ({ url, admin }) => {
        if (index > 0 || options.anyHttpPort) this.addresses[index] = addressText(parseAddress(new URL(url).host))
        // Once is enough, unless it moved.
        if (!this.told.has(index)) view.listening(name, url, admin)
        this.told.add(index)
      },
      onLine: (line) => view.childLine(name, line),
      onExit,
    })
  }

  private parameters(index: number, name: string): string[] {
    const { options, coordinator, addresses } = this
    const { host, port } = parseAddress(addresses[index])
    const scheme = options.security.tls?.certificate === undefined ? 'http' : 'https'
    const isEverywhere = host === '0.0.0.0' || host === '::'
    return [
      'worker',
      '--supervised',
      ...['--join', coordinator],
      ...['--workers', String(options.threads)],
      ...['--name', name],
      ...['--group', options.group],
      ...['--cluster', options.cluster],
      ...['--listen', addresses[index]],
      ...(isEverywhere ? ['--advertise', `${scheme}://${LOOPBACK}:${port}`] : []),
      ...(index === 0 && options.admin !== null ? ['--admin', addressText(options.admin)] : []),
      ...['--drain-seconds', String(options.drainSeconds)],
      ...['--log-level', options.log.logLevel ?? 'error'],
      ...['--log-format', options.log.logFormat ?? (options.json ? 'json' : 'text')],
    ]
  }

  private variables(): Record<string, string | undefined> {
    const { variables } = this.context
    const all: Record<string, string | undefined> = {
      ...variables,
      [JOB_FOLDER_VARIABLE]: variables[JOB_FOLDER_VARIABLE] ?? this.options.jobFolder,
    }
    for (const name of OPTION_VARIABLES) delete all[name]
    return all
  }
}
