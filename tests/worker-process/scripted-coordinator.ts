/** A coordinator that does what the test says, and threads that do nothing: for tests of what a worker process does by itself. */
import type { Connection } from '../../runtime/env/connection.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import type { MillraceError } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import { CONTROL_PATH, type FromCoordinator, type FromProcess, type Hello, type Member } from '../../runtime/protocol/control.ts'
import type { InputShape, ReplayableSource } from '../../runtime/protocol/replayable-source.ts'
import type { ThreadCommand, ThreadEvent, ThreadPort, ThreadStarter } from '../../runtime/protocol/thread.ts'
import { WorkerProcess, type WorkerProcessOptions } from '../../worker/process/worker-process.ts'

export const SECOND = 1_000_000
export const TOKEN = 'open-sesame'

export type Told<K extends FromProcess['kind']> = Extract<FromProcess, { readonly kind: K }>
export type Commanded<K extends ThreadCommand['kind']> = Extract<ThreadCommand, { readonly kind: K }>

/** One connection of a process to the coordinator. */
export class Session {
  readonly connection: Connection
  readonly heard: FromProcess[] = []
  answersHeartbeats = true
  open = true

  constructor(connection: Connection, onHello: (session: Session, hello: Hello) => void) {
    this.connection = connection
    connection.onMessage = (bytes) => {
      const message = decodeMessage<FromProcess>(bytes)
      this.heard.push(message)
      if (message.kind === 'hello') onHello(this, message)
      if (message.kind === 'heartbeat' && this.answersHeartbeats)
        this.send({ kind: 'heartbeat-answer', sentAt: message.sentAt, leaseMilliseconds: 1500 })
    }
    connection.onClose = () => {
      this.open = false
    }
  }

  send(message: FromCoordinator): void {
    this.connection.send(encodeMessage(message))
  }

  all<K extends FromProcess['kind']>(kind: K): Told<K>[] {
    return this.heard.filter((message): message is Told<K> => message.kind === kind)
  }

  /** Whether the last message of a kind is as wanted; not if there is none. */
  lately<K extends FromProcess['kind']>(kind: K, is: (message: Told<K>) => boolean): boolean {
    const found = this.all(kind).at(-1)
    return found !== undefined && is(found)
  }

  last<K extends FromProcess['kind']>(kind: K): Told<K> {
    const found = this.all(kind).at(-1)
    if (found === undefined) throw new Error(`nobody said ${kind}: ${this.heard.map((message) => message.kind).join(', ')}`)
    return found
  }
}

export class FakePort implements ThreadPort {
  readonly commands: ThreadCommand[] = []
  waitingBytes = 0
  terminated = false
  onEvent: ((event: ThreadEvent) => void) | null = null
  onDrain: (() => void) | null = null
  /** Answers `configure`, `install` and `ask-stats` as a thread does. */
  answers = true

  send(command: ThreadCommand): void {
    this.commands.push(structuredClone(command))
    if (!this.answers) return
    if (command.kind === 'configure') this.say({ kind: 'configured', generation: command.generation })
    if (command.kind === 'install') this.say({ kind: 'installed', dataflow: command.dataflow, outputs: [], temporal: false })
  }

  /** In a later turn. */
  say(event: ThreadEvent): void {
    void Promise.resolve().then(() => this.onEvent?.(event))
  }

  async terminate(): Promise<void> {
    this.terminated = true
  }

  all<K extends ThreadCommand['kind']>(kind: K): Commanded<K>[] {
    return this.commands.filter((command): command is Commanded<K> => command.kind === kind)
  }

  /** What was fed and sealed, in order: rows of an input as their text, times as numbers. */
  get story(): (number | string)[] {
    return this.commands.flatMap((command): (number | string)[] => {
      if (command.kind === 'advance') return [command.time]
      if (command.kind !== 'feed') return []
      return command.runs.flatMap(({ rows }) => rows.map((row) => `${command.input} ${Object.values(row).join(' ')}`))
    })
  }
}

export interface Started {
  readonly process: WorkerProcess
  readonly ports: FakePort[]
  readonly ended: (MillraceError | null)[]
}

export interface FakeJob {
  readonly inputs: Readonly<Record<string, InputShape>>
  readonly sources: Readonly<Record<string, ReplayableSource>>
}

/** A world with a scripted coordinator on host `c`. */
export class Script {
  readonly world: SimulatedWorld
  readonly sessions: Session[] = []
  /** By name of the coordinator's host: what is said to `hello`. */
  readonly answers = new Map<string, (session: Session, hello: Hello) => void>()
  private generationNumber = 0
  private readonly started: Started[] = []

  constructor(seed = 1) {
    this.world = new SimulatedWorld({ seed })
  }

  /** Listens on a host; says welcome unless told otherwise. */
  listen(host: string, answer: (session: Session, hello: Hello) => void = welcome()): void {
    this.answers.set(host, answer)
    this.world.start(host, async (environment) => {
      const options = {
        host,
        port: 7000,
        connections: {
          token: TOKEN,
          accept: (connection: Connection, path: string) => {
            if (path !== CONTROL_PATH) throw new Error(`a connection at ${path}`)
            this.sessions.push(new Session(connection, (session, hello) => this.answers.get(host)?.(session, hello)))
          },
        },
      }
      await environment.network.serve(options, () => new Response(null, { status: 404 }))
    })
  }

  get session(): Session {
    const session = this.sessions.findLast(({ open }) => open)
    if (session === undefined) throw new Error('there is no session')
    return session
  }

  /** The session of a process. */
  sessionOf(name: string): Session {
    const session = this.sessions.findLast(
      ({ open, heard }) => open && heard.some((message) => message.kind === 'hello' && message.name === name),
    )
    if (session === undefined) throw new Error(`there is no session of ${name}`)
    return session
  }

  process(name: string, job: FakeJob | null = null, options: Partial<WorkerProcessOptions> & { readonly log?: Log } = {}): Started {
    const ports: FakePort[] = []
    const starter: ThreadStarter = {
      start: () => {
        const port = new FakePort()
        ports.push(port)
        return port
      },
    }
    const environment: Environment = this.world.host(name)
    const loader = {
      load: () => {
        if (job === null) throw new Error('there is no job')
        return { job: { inputs: job.inputs }, sources: job.sources }
      },
    }
    const process = new WorkerProcess(environment, starter, loader, {
      cluster: 'test',
      coordinators: ['http://c:7000'],
      group: 'default',
      name,
      threads: 2,
      listen: { host: name, port: 7100 },
      token: TOKEN,
      version: '0.0.0',
      ...options,
    })
    const ended: (MillraceError | null)[] = []
    process.onEnd = (error) => ended.push(error)
    this.world.start(name, () => process.start())
    const started = { process, ports, ended }
    this.started.push(started)
    return started
  }

  run(milliseconds: number): Promise<void> {
    return this.world.run(milliseconds * 1000)
  }

  async until(what: string, done: () => boolean, milliseconds = 10_000): Promise<void> {
    if (!(await this.world.runUntil(done, milliseconds * 1000))) throw new Error(`not within ${milliseconds} ms: ${what}`)
  }

  /** Waits until processes have said hello, and prepares a generation of them. */
  async prepare(...processes: Started[]): Promise<number> {
    await this.until('all have joined', () => processes.every(({ process }) => process.links.coordinator.connected))
    const generation = ++this.generationNumber
    const members = membersOf(processes)
    const message = { kind: 'prepare', group: 'default', generation, members, owners: [0, 1, 2, 3], protocol: 2 } as const
    for (const { process } of processes) this.sessionOf(process.name).send(message)
    return generation
  }

  /** Prepares, installs and starts dataflow 7 on one process. */
  async running(one: Started, start: Partial<Omit<Extract<FromCoordinator, { readonly kind: 'start' }>, 'kind'>> = {}): Promise<number> {
    const generation = await this.prepare(one)
    const { session } = this
    await this.until('it is prepared', () => session.all('prepared').some((message) => message.generation === generation))
    session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: start.replay?.times[0] ?? 100 })
    await this.until('it needs the bundle or has it', () => session.all('need-bundle').length > 0 || session.all('installed').length > 0)
    session.send({ kind: 'bundle', digest: 'd1', code: 'the code' })
    await this.until('it is installed', () => session.all('installed').some((message) => message.generation === generation))
    session.send({ kind: 'start', generation, dataflow: 7, assignments: [], replay: { times: [], cuts: [] }, ...start })
    await this.until('it is started', () => one.ports.every((port) => port.all('start').length > 0))
    return generation
  }
}

export function welcome(epoch = 1, resumed = false): (session: Session) => void {
  return (session) => session.send({ kind: 'welcome', protocol: 2, epoch, heartbeatMilliseconds: 250, leaseMilliseconds: 1500, resumed })
}

export function membersOf(processes: readonly Started[]): Member[] {
  let first = 0
  return processes.map(({ process, ports }) => {
    const member = { process: process.process, name: process.name, address: process.address as string, threads: ports.length, first }
    first += ports.length
    return member
  })
}
