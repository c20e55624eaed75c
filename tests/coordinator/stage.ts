/** A simulated cluster of real coordinators and scripted processes. */
import { Coordinator } from '../../coordinator/coordinator.ts'
import type { CoordinatorLimits } from '../../coordinator/options.ts'
import { sha256 } from '../../coordinator/sha256.ts'
import type { ClusterStatus, GroupStatus, JobStatus } from '../../coordinator/status.ts'
import type { SimulatedHost } from '../../runtime/env/simulated-host.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'
import { Ledger } from './ledger.ts'
import { type ScriptedOptions, ScriptedProcess } from './scripted-process.ts'
import type { ScriptedJob } from './scripted-run.ts'
import { SharedStore } from './shared-store.ts'

export const PORT = 7070
export const TOKEN = 'open-sesame'
export const SECOND = 1_000_000

export interface StageOptions {
  readonly seed?: number
  readonly minimumProcesses?: number
  readonly limits?: Partial<CoordinatorLimits>
  readonly coordinators?: readonly string[]
  readonly trace?: boolean
}

export interface ApiBody {
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string; readonly leader?: string }
  readonly job?: JobStatus
  readonly jobs?: readonly JobStatus[]
  readonly outcome?: string
  readonly status?: string
}

export class Stage {
  readonly world: SimulatedWorld
  readonly store: SharedStore
  readonly ledger = new Ledger()
  readonly coordinators = new Map<string, Coordinator>()
  readonly processes = new Map<string, ScriptedProcess>()
  readonly errors: unknown[] = []
  readonly lines: string[] = []
  private readonly options: StageOptions
  private readonly environments = new Map<Coordinator, SimulatedHost>()
  private readonly parted = new Set<string>()

  constructor(options: StageOptions = {}) {
    this.options = options
    this.world = new SimulatedWorld({ seed: options.seed ?? 1 })
    this.store = new SharedStore(this.world)
  }

  get names(): readonly string[] {
    return this.options.coordinators ?? ['c1']
  }

  coordinate(name = 'c1'): void {
    this.world.start(name, async (environment) => {
      const coordinator = this.elsewhere(name)
      this.coordinators.set(name, coordinator)
      this.environments.set(coordinator, environment)
      await coordinator.start()
    })
  }

  /** A coordinator that is not started. */
  elsewhere(name: string, options: { readonly cluster?: string } = {}): Coordinator {
    const environment = this.world.host(name)
    return new Coordinator(environment, this.store.connect(environment), {
      cluster: 'test',
      token: TOKEN,
      host: name,
      port: PORT,
      limits: this.options.limits ?? {},
      minimumProcesses: this.options.minimumProcesses ?? 1,
      onError: (error) => this.errors.push(error),
      onEvent: (event) => this.say(`${name}: ${event.group ?? ''} ${event.text}`),
      ...options,
    })
  }

  join(name: string, options: Partial<ScriptedOptions> = {}): void {
    this.world.start(name, (environment) => {
      const process = new ScriptedProcess(environment, {
        name,
        coordinators: this.names.map((one) => `http://${one}:${PORT}`),
        token: TOKEN,
        ledger: this.ledger,
        reaches: (other) => !this.parted.has([name, other].sort().join(' ')) && this.world.host(other).state !== 'dead',
        durable: (group) => this.store.durable(group),
        crash: () => this.world.schedule(0, () => this.world.crash(name)),
        trace: (line) => this.say(line),
        ...options,
      })
      this.processes.set(name, process)
      process.start()
    })
  }

  process(name: string): ScriptedProcess {
    return this.processes.get(name) as ScriptedProcess
  }

  part(a: string, b: string): void {
    this.parted.add([a, b].sort().join(' '))
    this.world.partition(a, b)
  }

  heal(): void {
    this.parted.clear()
    this.world.heal()
  }

  /** The one that leads. */
  get leader(): Coordinator | null {
    for (const coordinator of this.coordinators.values())
      if (this.environments.get(coordinator)?.state === 'running' && coordinator.leads) return coordinator
    return null
  }

  get status(): ClusterStatus | null {
    return this.leader?.status() ?? null
  }

  group(name = 'default'): GroupStatus | null {
    return this.status?.groups.find((group) => group.name === name) ?? null
  }

  job(name: string): JobStatus | null {
    return this.status?.jobs.find((job) => job.name === name) ?? null
  }

  get events(): string[] {
    return this.status?.events.map(({ text }) => text) ?? []
  }

  async run(seconds: number): Promise<void> {
    await this.world.run(seconds * SECOND)
    this.check()
  }

  async until(what: string, done: () => boolean, seconds = 30): Promise<void> {
    const reached = await this.world.runUntil(done, seconds * SECOND)
    this.check()
    if (!reached)
      throw new Error(`${what}: not within ${seconds} s\n${this.lines.slice(-40).join('\n')}\n${JSON.stringify(this.status, null, 1)}`)
  }

  /** Whether all jobs run, in groups that have just these members. */
  runs(...members: string[]): boolean {
    const { status } = this
    if (status === null || status.jobs.length === 0) return false
    const all = status.groups.flatMap(({ processes }) => processes).filter(({ state }) => state !== 'left out')
    return (
      all.length === members.length &&
      all.every(({ name, state }) => members.includes(name) && state === 'member') &&
      status.groups.every(({ state }) => state === 'running' || state === 'empty') &&
      status.jobs.every(({ state }) => state === 'running' || state === 'failed')
    )
  }

  /** Runs until times become visible that were minted from now on. */
  async progress(job: string, seconds = 10): Promise<void> {
    const before = this.job(job)?.visible ?? 0
    await this.until(`${job} goes on`, () => (this.job(job)?.visible ?? 0) > before, seconds)
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    options: { readonly to?: string; readonly token?: string | null } = {},
  ): Promise<{ status: number; body: ApiBody }> {
    const { to = 'c1', token = TOKEN } = options
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    }
    const init = { method, headers, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }) }
    const answer = this.world.host('client').network.fetch(new Request(`http://${to}:${PORT}${path}`, init))
    const response = await this.world.settled(answer, 10 * SECOND)
    return { status: response.status, body: (await this.world.settled(response.json(), 10 * SECOND)) as ApiBody }
  }

  async deploy(name: string, job: ScriptedJob, group = 'default'): Promise<void> {
    await this.until('a leader', () => this.leader !== null)
    const to = new URL(this.leader?.url ?? '').hostname
    const code = JSON.stringify(job)
    const { status, body } = await this.request('POST', '/v1/jobs', { name, group, code, digest: sha256(code) }, { to })
    if (status >= 300) throw new Error(JSON.stringify(body))
  }

  /** Without waiting for an answer, which there may never be. */
  async tryDeploy(name: string, job: ScriptedJob, to: string): Promise<void> {
    const code = JSON.stringify(job)
    const init = {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name, group: 'default', code, digest: sha256(code) }),
    }
    await this.world
      .host('client')
      .network.fetch(new Request(`http://${to}:${PORT}/v1/jobs`, init))
      .catch(() => undefined)
  }

  say(line: string): void {
    const text = `${((this.world.now / SECOND) % 1000).toFixed(3)} ${line}`
    this.lines.push(text)
    if (this.options.trace === true) console.log(text)
  }

  private check(): void {
    if (this.errors.length > 0) throw this.errors[0]
    const { epochs } = this.store
    for (let i = 1; i < epochs.length; i++) if (epochs[i] < epochs[i - 1]) throw new Error('an older leader wrote after a later one')
  }
}
