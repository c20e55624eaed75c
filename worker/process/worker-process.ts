/**
 * A worker process, its main thread: keeps the connection to the coordinator and those to the other processes, reads sources,
 * and hands to its dataflow threads what comes. It holds no state of dataflows and decides nothing that the coordinator decides.
 */
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import type { Environment, Timer } from '../../runtime/env/environment.ts'
import type { HttpServer } from '../../runtime/env/network.ts'
import { type ErrorCode, MillraceError } from '../../runtime/error.ts'
import { type Log, silentLog } from '../../runtime/log/log.ts'
import {
  type FromCoordinator,
  type HeartbeatAnswer,
  type Hello,
  PEER_PATH,
  type Prepare,
  type ProcessId,
  type ProcessStats,
  type Refused,
  type ThreadStats,
  type Welcome,
} from '../../runtime/protocol/control.ts'
import type { ThreadEvent, ThreadPort, ThreadStarter } from '../../runtime/protocol/thread.ts'
import { PROTOCOL_LEAST, PROTOCOL_MOST, type ProtocolRange } from '../../runtime/protocol/version.ts'
import { Bundles } from './bundles.ts'
import { CoordinatorLink } from './coordinator-link.ts'
import { Generation } from './generation.ts'
import type { JobSourcesLoader } from './job-sources.ts'
import { PeerLinks } from './peer-links.ts'
import type { ProcessFace, ProcessView, SourceView } from './process-view.ts'
import { ReadingTurns } from './reading-turns.ts'

export interface WorkerProcessOptions {
  readonly cluster: string
  /** http(s) URLs of coordinators: of the one that leads and of its standbys, in any order. */
  readonly coordinators: readonly string[]
  readonly group: string
  /** Unique among living processes. */
  readonly name: string
  readonly threads: number
  readonly listen: {
    readonly host?: string
    readonly port: number
    /** What other processes connect to, if it is not what this one listens on: an http(s) URL. */
    readonly advertise?: string
  }
  /** Of the admin port, for people; null if there is none. */
  readonly admin?: string | null
  /** What processes of the cluster show each other; null lets everybody in. */
  readonly token: string | null
  readonly tls?: TlsIdentity | null
  /** Of the release. */
  readonly version: string
  /** Default: what this release speaks. */
  readonly protocol?: ProtocolRange
  readonly log?: Log
  /** Of the whole process. Default: the heaps of its threads. */
  readonly memoryBytes?: () => number
}

/** `stop` waits for the coordinator's word for so long. */
export const RELEASE_MILLISECONDS = 15_000
const NO_STATS: ProcessStats = { memoryBytes: 0, threads: [] }
const UNSPECIFIED_HOSTS = ['0.0.0.0', '::']

type ControlMessage = Exclude<FromCoordinator, Welcome | Refused | HeartbeatAnswer>

export class WorkerProcess implements ProcessView {
  readonly environment: Environment
  readonly process: ProcessId
  readonly name: string
  readonly group: string
  readonly cluster: string
  /** Called once: with what ended it, null if it was told to. */
  onEnd: ((error: MillraceError | null) => void) | null = null
  private readonly options: WorkerProcessOptions
  private readonly starter: ThreadStarter
  private readonly loader: JobSourcesLoader
  private readonly log: Log
  private readonly link: CoordinatorLink
  private readonly peers: PeerLinks
  private readonly bundles: Bundles
  private readonly turns: ReadingTurns
  private readonly ports: ThreadPort[] = []
  private server: HttpServer | null = null
  private face: ProcessFace | null = null
  private current: Generation | null = null
  private readonly threadStats: (ThreadStats | null)[]
  private lastStats = NO_STATS
  private requests = 0
  private leaving = false
  private releaseTimer: Timer | null = null
  private ended: Promise<void> | null = null
  private readonly whenEnded: Promise<void>
  private resolveEnded: () => void = () => undefined

  /** @throws MillraceError CONFIG */
  constructor(environment: Environment, threads: ThreadStarter, loader: JobSourcesLoader, options: WorkerProcessOptions) {
    if (!Number.isInteger(options.threads) || options.threads < 1)
      throw new MillraceError('CONFIG', `a worker process has at least one thread, not ${options.threads}`)
    this.environment = environment
    this.starter = threads
    this.loader = loader
    this.options = options
    this.name = options.name
    this.group = options.group
    this.cluster = options.cluster
    this.process = `${options.name}-${hex(environment.random.bytes(8))}`
    this.log = (options.log ?? silentLog).with({ process: options.name, group: options.group })
    this.threadStats = new Array(options.threads).fill(null)
    this.whenEnded = new Promise((resolve) => {
      this.resolveEnded = resolve
    })
    const { token } = options
    const tls = options.tls ?? null
    const { log } = this
    this.turns = new ReadingTurns(environment)
    this.bundles = new Bundles((digest) => this.link.send({ kind: 'need-bundle', digest }))
    this.peers = new PeerLinks(
      environment,
      { self: this.process, cluster: options.cluster, token, tls, log },
      {
        onLinked: (generation) => {
          if (this.current?.generation === generation) this.current.onLinked()
        },
        onUnreachable: (generation, peers, reason) => this.link.send({ kind: 'unreachable', generation, peers, reason }),
        onFrame: (from, to, bytes) => this.current?.frame(from, to, bytes),
        onRelief: () => this.current?.wakeSources(),
        isBacklogged: () => this.current?.isBacklogged === true,
      },
    )
    this.link = new CoordinatorLink(
      environment,
      { coordinators: options.coordinators, token, tls, log },
      {
        hello: () => this.hello(),
        stats: () => this.takeStats(),
        onWelcome: (welcome) => this.welcomed(welcome),
        onMessage: (message) => this.guarded(() => this.take(message)),
        onLost: () => undefined,
        onRefused: (error) => void this.end(error),
      },
    )
  }

  /** Who answers for it to the outside. Call it before `start`. */
  attach(face: ProcessFace): void {
    this.face = face
  }

  /**
   * Starts the threads, listens, and joins the cluster, however long that takes: resolves once it listens.
   * @throws MillraceError CONFIG if the address cannot be bound
   */
  async start(): Promise<void> {
    const { listen, token, tls, threads } = this.options
    if (UNSPECIFIED_HOSTS.includes(listen.host ?? '') && listen.advertise === undefined)
      throw new MillraceError('CONFIG', `other processes cannot connect to ${listen.host}`, 'Say what they connect to (advertise).')
    this.server = await this.environment.network.serve(
      {
        ...(listen.host === undefined ? {} : { host: listen.host }),
        port: listen.port,
        ...(tls === undefined || tls === null ? {} : { tls }),
        onError: (error, request) => this.log.error('a request failed', { path: new URL(request.url).pathname, error }),
        connections: {
          token,
          accept: (connection, path) => {
            if (path !== PEER_PATH) throw new MillraceError('REFUSED', `there is nothing at ${path}`)
            this.peers.accept(connection)
          },
        },
      },
      (request) => this.face?.handler(request) ?? new Response('not found\n', { status: 404 }),
    )
    if (this.ended !== null) {
      await this.server.close()
      return
    }
    for (let local = 0; local < threads; local++) {
      const port = this.starter.start(local, threads)
      port.onEvent = (event) => this.threadEvent(local, event)
      port.onDrain = () => this.drained()
      this.ports.push(port)
    }
    this.link.start()
  }

  /** Leaves the cluster, which moves on without it, and ends; after `RELEASE_MILLISECONDS` without an answer all the same. */
  stop(): Promise<void> {
    if (this.leaving) return this.whenEnded
    this.leaving = true
    // Nobody counts on a process that never joined.
    if (this.current === null && !this.link.isConnected) void this.end(null)
    else {
      this.link.send({ kind: 'leaving' })
      this.releaseTimer = this.environment.timers.setTimeout(() => {
        this.log.warn('the coordinator did not say that this process may go; it goes', { milliseconds: RELEASE_MILLISECONDS })
        void this.end(null)
      }, RELEASE_MILLISECONDS)
    }
    return this.whenEnded
  }

  // ---- what others see

  isLeased(): boolean {
    return this.link.isLeased()
  }

  get generation(): Generation | null {
    return this.current
  }

  get service(): ProcessView['service'] {
    return this.peers.service
  }

  command(worker: number, command: Parameters<ProcessView['command']>[1]): void {
    const { current } = this
    if (current !== null && worker >= current.first && worker < current.first + current.threads) current.sendTo(worker, command)
  }

  nextRequest(): number {
    return ++this.requests
  }

  get stats(): ProcessStats {
    return this.lastStats
  }

  get links(): ProcessView['links'] {
    return { coordinator: this.link.view, peers: this.peers.view }
  }

  get sources(): readonly SourceView[] {
    return this.current?.sources ?? []
  }

  /** Where other processes connect; null before it listens. */
  get address(): string | null {
    return this.server === null ? null : (this.options.listen.advertise ?? this.server.url)
  }

  // ---- what comes from the coordinator

  private hello(): Hello {
    const { cluster, threads, version, admin = null, protocol = { least: PROTOCOL_LEAST, most: PROTOCOL_MOST } } = this.options
    const { process, name, group } = this
    const address = this.address as string
    const held = this.current?.held() ?? null
    return { kind: 'hello', protocol, cluster, process, name, group, threads, address, admin, version, held }
  }

  private welcomed(welcome: Welcome): void {
    if (!welcome.resumed) this.endGeneration('the coordinator goes on without it')
    if (this.leaving) this.link.send({ kind: 'leaving' })
    this.bundles.askAgain()
    this.current?.repeat()
  }

  private take(message: ControlMessage): void {
    switch (message.kind) {
      case 'prepare':
        this.prepare(message)
        break
      case 'bundle':
        this.bundles.add(message.digest, message.code)
        break
      case 'released':
        void this.end(null)
        break
      case 'install':
        if (this.isCurrent(message)) this.current?.install(message)
        break
      case 'start':
        if (this.isCurrent(message)) this.current?.start(message)
        break
      case 'drop':
        if (this.isCurrent(message)) this.current?.drop(message)
        break
      case 'advance':
        if (this.isCurrent(message)) this.current?.advance(message)
        break
      // Other kinds come from a later version: nothing here depends on them.
    }
  }

  private isCurrent(message: { readonly generation: number }): boolean {
    return this.current?.generation === message.generation
  }

  private prepare(prepare: Prepare): void {
    const { current } = this
    if (current !== null && prepare.generation < current.generation) return
    if (current !== null && prepare.generation === current.generation) {
      current.repeat()
      return
    }
    const isMember = prepare.members.some(({ process }) => process === this.process)
    this.endGeneration(`generation ${prepare.generation} begins`, isMember)
    if (!isMember) return
    const { environment, log, process, ports, peers, bundles, loader, turns } = this
    this.current = new Generation(
      {
        environment,
        log,
        self: process,
        turns,
        ports,
        links: peers,
        bundles,
        loader,
        face: this.face?.events ?? null,
        send: (message) => this.link.send(message),
        onFatal: (error) => this.fatal(error),
      },
      prepare,
    )
    this.face?.events.onGeneration()
  }

  /** @param isFollowed by another one, for which the threads are told to forget everything */
  private endGeneration(reason: string, isFollowed = false): void {
    const { current } = this
    if (current === null) return
    this.current = null
    current.end(reason)
    if (isFollowed) return
    for (const port of this.ports) for (const dataflow of current.dataflows.keys()) port.send({ kind: 'drop', dataflow })
    this.face?.events.onGeneration()
  }

  // ---- what comes from the threads

  private threadEvent(local: number, event: ThreadEvent): void {
    if (this.ended !== null) return
    this.guarded(() => this.takeEvent(local, event))
  }

  private takeEvent(local: number, event: ThreadEvent): void {
    if (event.kind === 'broken') this.fatal(new MillraceError('INVARIANT', `dataflow thread ${local} broke: ${event.message}`))
    else if (event.kind === 'stats') this.threadStats[local] = event.stats
    else this.current?.threadEvent(local, event)
  }

  private drained(): void {
    this.peers.relieve()
    this.current?.wakeSources()
  }

  /** The last that threads told; asks them anew. */
  private takeStats(): ProcessStats {
    for (const port of this.ports) port.send({ kind: 'ask-stats' })
    // A thread that was never configured is no worker yet.
    const threads = this.threadStats.filter((stats) => stats !== null && stats.worker >= 0) as ThreadStats[]
    const memoryBytes = this.options.memoryBytes?.() ?? threads.reduce((sum, { heapBytes }) => sum + heapBytes, 0)
    this.lastStats = { memoryBytes, threads }
    return this.lastStats
  }

  // ---- the end

  /** What is thrown where nobody catches it ends the process in order, and is told. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fatal(error)
    }
  }

  private fatal(error: unknown): void {
    const known =
      error instanceof MillraceError
        ? error
        : new MillraceError('INVARIANT' satisfies ErrorCode, textOf(error), undefined, { cause: error })
    void this.end(known)
  }

  private end(error: MillraceError | null): Promise<void> {
    this.ended ??= this.finish(error)
    return this.ended
  }

  private async finish(error: MillraceError | null): Promise<void> {
    if (error === null) this.log.info('this process ends')
    else this.log.error('this process ends', { error: `${error.code}: ${error.message}` })
    this.releaseTimer?.clear()
    this.link.stop('the process ends')
    this.endGeneration('the process ends')
    this.peers.end('the process ends')
    await Promise.all(this.ports.map((port) => port.terminate()))
    await this.server?.close()
    this.resolveEnded()
    this.onEnd?.(error)
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
