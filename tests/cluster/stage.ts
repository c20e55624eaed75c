/** A cluster of real processes for one test: coordinators and workers from the command line, and what one asks of them. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { ClusterStatus, GroupStatus, JobStatus } from '../../coordinator/status.ts'
import { type Workspace, workspace } from '../cli/workspace.ts'
import { Follower, type FollowerOptions } from './follower.ts'
import type { Load } from './load.ts'
import { Processes, type RunningProcess, type StartOptions, until } from './processes.ts'
import { Reader } from './reader.ts'

export interface CoordinatorOptions extends StartOptions {
  /** Its directory of facts, by name. Default `facts`. */
  readonly store?: string
  /** Default: loopback. */
  readonly host?: string
  /** Default: any free port. */
  readonly port?: number
  readonly parameters?: readonly string[]
}

export interface WorkerOptions extends StartOptions {
  /** Dataflow threads. Default 1. */
  readonly threads?: number
  readonly listen?: string
  readonly join?: string
  readonly parameters?: readonly string[]
}

export interface StartedProcess {
  readonly process: RunningProcess
  readonly url: string
}

export interface StartedWorker extends StartedProcess {
  readonly name: string
}

export class Stage {
  readonly processes = new Processes()
  readonly files: Workspace
  /** Of the coordinator that was started last. */
  url = ''
  /** Of the cluster; everything here has it. */
  readonly token: string | undefined
  private readonly program: string
  private readonly watchers: { stop(): Promise<void> }[] = []

  /** @param program the file of the command line, built */
  constructor(program: string, token?: string) {
    this.program = program
    this.token = token
    this.files = workspace()
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await Promise.all([this.processes.close(), ...this.watchers.map((one) => one.stop())])
    this.files[Symbol.dispose]()
  }

  /** Any command. */
  run(parameters: readonly string[], options: StartOptions = {}): RunningProcess {
    const env = { ...(this.token === undefined ? {} : { MILLRACE_TOKEN: this.token }), ...options.env }
    return this.processes.start(this.program, parameters, { cwd: this.files.folder, ...options, env })
  }

  /** A command that ends by itself, with its exit code. */
  async ended(parameters: readonly string[], options: StartOptions = {}): Promise<{ code: number | string; out: string; err: string }> {
    const running = this.run(parameters, options)
    const code = await running.ended
    return { code, out: running.out, err: running.err }
  }

  async coordinator(options: CoordinatorOptions = {}): Promise<StartedProcess> {
    const { store = 'facts', host = '127.0.0.1', port = 0, parameters = [] } = options
    const process = this.run(
      ['coordinator', '--listen', `${host}:${port}`, '--store', `local:${this.files.path(store)}`, ...parameters],
      options,
    )
    this.url = (await process.logs('the coordinator listens'))['url'] as string
    return { process, url: this.url }
  }

  async worker(name: string, options: WorkerOptions = {}): Promise<StartedWorker> {
    const { threads = 1, listen = '127.0.0.1:0', join = this.url, parameters = [] } = options
    const process = this.run(
      ['worker', '--join', join, '--name', name, '--workers', String(threads), '--listen', listen, ...parameters],
      options,
    )
    const logged = (await process.logs('a worker process listens'))['url'] as string
    // What it logs is what it advertises.
    return { process, url: listen.endsWith(':0') ? logged : `http://${listen}`, name }
  }

  workers(names: readonly string[], options: WorkerOptions = {}): Promise<StartedWorker[]> {
    return Promise.all(names.map((name) => this.worker(name, options)))
  }

  async deploy(load: Load, parameters: readonly string[] = []): Promise<void> {
    const folder = `${load.job}-files`
    this.files.write(Object.fromEntries(Object.entries(load.files).map(([name, text]) => [`${folder}/${name}`, text])))
    const { code, out, err } = await this.ended(['deploy', this.files.path(`${folder}/job.ts`), '--to', this.url, ...parameters])
    if (code !== 0) throw new Error(`deploy ended with ${code}: ${out}${err}`)
  }

  async status(url = this.url): Promise<ClusterStatus> {
    const headers: Record<string, string> = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }
    const response = await fetch(`${url}/v1/status`, { headers })
    const body = (await response.json()) as ClusterStatus
    if (!response.ok) throw new Error(JSON.stringify(body))
    return body
  }

  /** `millrace status`, as people see it. */
  async told(): Promise<string> {
    return (await this.ended(['status', '--to', this.url, '--events', '200'])).out
  }

  /** Asks for the status until it is as wanted. */
  async becomes<T>(wanted: (status: ClusterStatus) => T | undefined, what: string, patience?: number): Promise<T> {
    let last = ''
    return until(
      async () => {
        const status = await this.status().catch(() => null)
        if (status === null) return undefined
        last = JSON.stringify({ groups: status.groups, jobs: status.jobs, events: status.events.slice(-30) })
        return wanted(status)
      },
      () => `${what}: ${last}`,
      patience,
    )
  }

  /** Its group runs with exactly these members, and so does its job. Returns the group. */
  runsWith(names: readonly string[], load: Load, patience?: number): Promise<GroupStatus> {
    return this.becomes(
      ({ groups, jobs }) => {
        const job = jobs.find(({ name }) => name === load.job)
        const group = groups.find(({ name }) => name === job?.group)
        const members = group?.processes.filter(({ state }) => state === 'member').map(({ name }) => name)
        const isSo = group?.state === 'running' && job?.state === 'running' && members?.sort().join() === [...names].sort().join()
        return isSo ? group : undefined
      },
      `${names.join(', ')} run ${load.job}`,
      patience,
    )
  }

  async jobStatus(load: Load): Promise<JobStatus> {
    const found = (await this.status()).jobs.find(({ name }) => name === load.job)
    if (found === undefined) throw new Error(`there is no job ${load.job}`)
    return found
  }

  follow(load: Load, urls: readonly string[], options: FollowerOptions = {}): Follower {
    const follower = new Follower(load, urls, { ...options, token: this.token })
    this.watchers.push(follower)
    return follower
  }

  read(load: Load, url: string, milliseconds?: number): Reader {
    const reader = new Reader(load, url, { milliseconds, token: this.token })
    this.watchers.push(reader)
    return reader
  }
}

/** A port that was free a moment ago, for what must be known before it listens. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** When the first event came that a pattern finds, milliseconds since 1970; undefined if none did. */
export function eventAt({ events }: ClusterStatus, pattern: RegExp, after = 0): number | undefined {
  const found = events.find(({ at, text }) => Date.parse(at) >= after && pattern.test(text))
  return found === undefined ? undefined : Date.parse(found.at)
}

/** The follower is told a time that was minted after a moment, in milliseconds since 1970. Returns when it was, by `performance.now()`. */
export function toldAfter(follower: Follower, moment: number, patience?: number): Promise<number> {
  let from = 0
  return until(
    () => {
      for (; from < follower.told.length; from++) if (follower.told[from].time > moment * 1000) return follower.told[from].at
      return undefined
    },
    () => `a time after ${moment * 1000}; the last was ${follower.last?.time} of ${follower.told.length}, ends: ${follower.ends.join()}`,
    patience,
  )
}
