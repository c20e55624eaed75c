/**
 * A job on a whole cluster in one process, from one seed: the real coordinators and worker processes on a simulated network, with simulated
 * clocks, disks and threads, while hosts crash, stop, lose each other and come back. First safety, at every moment, as `ledger.ts`
 * has it; then, once everything works again, liveness: all that the sources have becomes visible, and is right.
 */
import { Coordinator } from '../coordinator/coordinator.ts'
import { MemoryFacts, MemoryStore } from '../coordinator/metadata/memory-store.ts'
import { sha256 } from '../coordinator/sha256.ts'
import type { InputDefinitions } from '../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../operators/job.ts'
import { Changelog, Probed } from '../operators/output-definition.ts'
import type { Environment } from '../runtime/env/environment.ts'
import type { SeededRandom } from '../runtime/env/seeded-random.ts'
import { SimulatedWorld } from '../runtime/env/simulated-world.ts'
import { MillraceError } from '../runtime/error.ts'
import type { ChangeRun } from '../runtime/protocol/change-run.ts'
import { Gateway } from '../worker/process/gateway.ts'
import { SimulatedThreads } from '../worker/process/simulated-threads.ts'
import { WorkerProcess } from '../worker/process/worker-process.ts'
import { type ClientCounts, SimulatedClient } from './client.ts'
import { type Faults, heal, scheduleFaults } from './faults.ts'
import { Ledger } from './ledger.ts'
import { type ScriptedChange, ScriptedSource } from './scripted-source.ts'
import { tapped } from './wiretap.ts'

/** An input's changes, in order; a plain row is inserted, or put in the place of the row with its key. */
export type SimulatedInput = readonly (object | ChangeRun)[]

export interface SimulateOptions<I extends InputDefinitions> {
  readonly seed: number
  /** Worker processes. Default 3. */
  readonly workers?: number
  /** Dataflow threads of each. Default 2. */
  readonly threads?: number
  /** Default 1; with 2 one stands by. */
  readonly coordinators?: number
  /** Default `mild`. */
  readonly faults?: Faults
  /** Simulated seconds in which rows arrive and faults happen. Default 10. */
  readonly seconds?: number
  /** What arrives, in one partition each, or in several. */
  readonly inputs: { readonly [N in keyof I]?: SimulatedInput | Readonly<Record<string, SimulatedInput>> }
  /** Hears what happens, a line each. */
  readonly trace?: (line: string) => void
}

export interface SimulationReport extends ClientCounts {
  readonly generations: number
  /** Different visible times. */
  readonly times: number
  readonly faults: ReadonlyMap<string, number>
  /** From the end of all faults until everything was visible. */
  readonly recoverySeconds: number
}

const JOB = 'job'
const SECOND = 1_000_000
/** Simulated time in which a cluster without faults must have become whole. */
const LIVENESS_SECONDS = 60
/** Between reads of one client, at most. */
const READ_EVERY = SECOND
const CONTROL_PORT = 7000
const WORKER_PORT = 7100
const TOKEN = 'simulated'
/** Messages that no trace is the better for. */
const QUIET = new Set(['heartbeat', 'heartbeat-answer'])

/**
 * Runs a job on a simulated cluster. Every output is read and followed at every process, and compared, at every time that anybody
 * sees, with what one worker computes from the same rows.
 * @throws MillraceError INVARIANT with what was wrong, and when; the same options give the same run
 * @example
 *   await simulate(featureStore, { seed: 42, workers: 3, faults: 'harsh', inputs: { accounts: [{ accountId: 1, ownerId: 7 }] } })
 */
export async function simulate<I extends InputDefinitions, O extends OutputDefinitions>(
  job: Job<I, O>,
  options: SimulateOptions<I>,
): Promise<SimulationReport> {
  const simulation = new Simulation(job as unknown as AnyJob, options as SimulateOptions<InputDefinitions>)
  try {
    return await simulation.run()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new MillraceError('INVARIANT', `seed ${options.seed}, after ${simulation.seconds} s: ${message}`, undefined, { cause: error })
  } finally {
    simulation.close()
  }
}

type AnyJob = Job<InputDefinitions, OutputDefinitions>

class Simulation {
  private readonly job: AnyJob
  private readonly options: SimulateOptions<InputDefinitions>
  private readonly world: SimulatedWorld
  private readonly facts: MemoryFacts
  private readonly ledger: Ledger
  private readonly sources: Readonly<Record<string, ScriptedSource>>
  private readonly begun: number
  private readonly span: number
  private readonly coordinators: readonly string[]
  private readonly workers: readonly string[]
  private readonly counts: ClientCounts = { reads: 0, refusals: 0, changes: 0, snapshots: 0, resets: 0 }
  private readonly clients = new Map<string, SimulatedClient>()
  private defect: unknown = null

  constructor(job: AnyJob, options: SimulateOptions<InputDefinitions>) {
    this.job = job
    this.options = options
    const { seed, trace } = options
    this.world = new SimulatedWorld({ seed, ...(trace === undefined ? {} : { trace: (line) => trace(`${this.seconds} ${line}`) }) })
    this.begun = this.world.now
    this.span = (options.seconds ?? 10) * SECOND
    this.facts = new MemoryFacts({ now: () => this.world.now, monotonic: () => this.world.now })
    this.coordinators = Array.from({ length: options.coordinators ?? 1 }, (_, i) => `c${i}`)
    this.workers = Array.from({ length: options.workers ?? 3 }, (_, i) => `w${i}`)
    this.sources = this.scripted()
    this.ledger = new Ledger(job, this.sources, () => this.world.now)
  }

  /** Simulated. */
  get seconds(): string {
    return ((this.world.now - this.begun) / SECOND).toFixed(3)
  }

  async run(): Promise<SimulationReport> {
    const { world, workers, coordinators } = this
    for (const name of coordinators) world.start(name, (environment) => this.coordinator(environment))
    for (const name of workers) world.start(name, (environment) => this.worker(name, environment))
    world.start('client', (environment) => this.deploy(environment))
    const targets = { workers, coordinators }
    const faults = scheduleFaults(world, world.random('faults'), this.options.faults ?? 'mild', targets, this.span)
    await this.advance(this.span, () => false)
    // Whoever asked at a process that is gone never hears anything.
    for (const name of workers) if (world.host(name).state === 'dead') this.clients.delete(name)
    heal(world, targets)
    const healed = world.now
    const isWhole = await this.advance(LIVENESS_SECONDS * SECOND, () => this.ledger.isWhole && this.ledger.generation > 0)
    if (!isWhole) throw this.stuck()
    const recovered = world.now
    for (let attempt = 0; !(await this.allRead()); attempt++) {
      if (attempt > LIVENESS_SECONDS) throw new MillraceError('INVARIANT', 'outputs cannot be read although nothing is broken any more')
      await this.advance(SECOND, () => false)
    }
    return {
      ...this.counts,
      generations: this.ledger.generation,
      times: this.ledger.moments.length,
      faults,
      recoverySeconds: (recovered - healed) / SECOND,
    }
  }

  close(): void {
    this.ledger.close()
  }

  // ---- what runs on the hosts

  private async coordinator(environment: Environment): Promise<void> {
    const { host } = nameOf(environment)
    const coordinator = new Coordinator(environment, new MemoryStore(this.facts), {
      cluster: 'simulated',
      token: TOKEN,
      host,
      port: CONTROL_PORT,
      onEvent: (event) => this.options.trace?.(`${this.seconds} ${host}: ${JSON.stringify(event)}`),
      onError: (error) => this.failed(error),
    })
    await coordinator.start()
  }

  private async worker(name: string, environment: Environment): Promise<void> {
    const network = tapped(environment.network, this.guardedTap(name))
    const loader = { load: () => ({ job: this.job, sources: this.sources, config: {} }) }
    const tappedEnvironment: Environment = {
      clock: environment.clock,
      timers: environment.timers,
      random: environment.random,
      disk: environment.disk,
      network,
    }
    const process = new WorkerProcess(tappedEnvironment, new SimulatedThreads(tappedEnvironment, loader), loader, {
      cluster: 'simulated',
      coordinators: this.coordinators.map((host) => `http://${host}:${CONTROL_PORT}`),
      group: 'default',
      name,
      threads: this.options.threads ?? 2,
      listen: { host: name, port: WORKER_PORT },
      token: TOKEN,
      version: '0.0.0',
    })
    process.onEnd = (error) => {
      if (error !== null && !isExpectedEnd(error)) this.failed(error)
    }
    const gateway = new Gateway(process)
    process.attach({ events: gateway.events, handler: () => new Response(null, { status: 404 }) })
    await process.start()
    const client = new SimulatedClient(name, gateway, this.ledger, JOB, this.counts, (error) => this.failed(error))
    this.clients.set(name, client)
    const pause = (microseconds: number): Promise<void> =>
      new Promise((resolve) => {
        environment.timers.setTimeout(() => resolve(), microseconds / 1000)
      })
    const random = this.world.random(`client ${name} ${this.world.now}`)
    for (const output of this.readable) {
      void client.follow(output, true, () => pause(random.fraction() * SECOND))
      void this.keepReading(client, output, random, pause)
    }
    for (const output of this.told) void client.follow(output, false, () => pause(random.fraction() * SECOND))
  }

  private async keepReading(
    client: SimulatedClient,
    output: string,
    random: SeededRandom,
    pause: (microseconds: number) => Promise<void>,
  ): Promise<never> {
    for (;;) {
      await pause(random.fraction() * READ_EVERY)
      await client.read(output)
    }
  }

  /** Deploys the job, however often it takes. */
  private async deploy(environment: Environment): Promise<void> {
    const code = 'simulated'
    const body = JSON.stringify({ name: JOB, group: 'default', code, digest: sha256(code) })
    for (let attempt = 0; ; attempt++) {
      const host = this.coordinators[attempt % this.coordinators.length]
      try {
        const response = await environment.network.fetch(
          new Request(`http://${host}:${CONTROL_PORT}/v1/jobs`, {
            method: 'POST',
            headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
            body,
          }),
        )
        if (response.ok) return
        if (response.status < 500 && response.status !== 409 && response.status !== 421)
          throw new MillraceError('JOB', `the job was not taken: ${response.status} ${await response.text()}`)
      } catch (error) {
        if (error instanceof MillraceError && error.code === 'JOB') throw error
      }
      await new Promise<void>((resolve) => {
        environment.timers.setTimeout(() => resolve(), 200)
      })
    }
  }

  // ---- what is checked

  private get readable(): readonly string[] {
    return this.outputsThat((output) => !(output instanceof Changelog) && !(output instanceof Probed))
  }

  private get told(): readonly string[] {
    return this.outputsThat((output) => output instanceof Changelog)
  }

  private outputsThat(is: (output: unknown) => boolean): string[] {
    return Object.entries(this.job.outputs).flatMap(([name, output]) => (is(output) ? [name] : []))
  }

  /** Whether every output could be read at every process. */
  private async allRead(): Promise<boolean> {
    if (this.clients.size < this.workers.length) return false
    for (const client of this.clients.values()) {
      for (const output of this.readable) {
        const answered = await this.world.settled(client.read(output), LIVENESS_SECONDS * SECOND)
        this.rethrow()
        if (!answered) return false
      }
    }
    return true
  }

  private async advance(microseconds: number, done: () => boolean): Promise<boolean> {
    const isOver = await this.world.runUntil(() => this.defect !== null || done(), microseconds)
    this.rethrow()
    return isOver
  }

  private failed(error: unknown): void {
    this.defect ??= error
  }

  private rethrow(): void {
    if (this.defect !== null) throw this.defect
  }

  /** What is found on the wire must not disappear in somebody's error handling. */
  private guardedTap(name: string): ReturnType<Ledger['tap']> {
    const tap = this.ledger.tap()
    const guarded =
      <M>(work: (message: M) => void) =>
      (message: M): void => {
        try {
          work(message)
        } catch (error) {
          this.failed(error)
        }
      }
    const { trace } = this.options
    const traced = (way: string, message: { readonly kind: string }): void => {
      if (trace !== undefined && !QUIET.has(message.kind)) trace(`${this.seconds} ${name} ${way} ${JSON.stringify(message)}`)
    }
    return {
      onSent: (message) => {
        traced('says', message)
        guarded(tap.onSent)(message)
      },
      onReceived: (message) => {
        traced('hears', message)
        guarded(tap.onReceived)(message)
      },
    }
  }

  private stuck(): MillraceError {
    return new MillraceError(
      'INVARIANT',
      `nothing is broken any more since ${LIVENESS_SECONDS} s, but not all rows are visible: the last visible time is ${this.ledger.visible}, in generation ${this.ledger.generation}`,
    )
  }

  // ---- what arrives

  private scripted(): Record<string, ScriptedSource> {
    const random = this.world.random('inputs')
    const sources: Record<string, ScriptedSource> = {}
    for (const [input, given] of Object.entries(this.options.inputs)) {
      if (given === undefined) continue
      const partitions: Readonly<Record<string, SimulatedInput>> = Array.isArray(given)
        ? { all: given as SimulatedInput }
        : (given as Readonly<Record<string, SimulatedInput>>)
      const op = 'key' in (this.job.inputs[input] ?? {}) ? 'upsert' : 'insert'
      const scripts = new Map<string, readonly ScriptedChange[]>()
      for (const [partition, changes] of Object.entries(partitions)) {
        const moments = changes.map(() => this.begun + Math.floor(random.fraction() * this.span)).sort((a, b) => a - b)
        scripts.set(
          partition,
          changes.map((change, i) => ({ at: moments[i], run: isRun(change) ? change : { op, rows: [change] } })),
        )
      }
      sources[input] = new ScriptedSource(scripts, () => this.world.now)
    }
    return sources
  }
}

function isRun(change: object): change is ChangeRun {
  return typeof (change as { op?: unknown }).op === 'string' && Array.isArray((change as { rows?: unknown }).rows)
}

function nameOf(environment: Environment): { readonly host: string } {
  return { host: (environment as Environment & { readonly name: string }).name }
}

/** A process that was told to go, or found its place taken by its own next life. */
function isExpectedEnd(error: MillraceError): boolean {
  return error.code === 'REFUSED'
}
