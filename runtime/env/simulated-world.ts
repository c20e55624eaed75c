/**
 * Many hosts, one seed, one clock: a whole cluster in one process, with the faults that real ones have. The same seed and the same calls
 * give the same run, byte for byte. (FoundationDB's simulation is the model: Zhou et al., "FoundationDB", SIGMOD 2021, section 4.)
 */
import { MillraceError } from '../error.ts'
import type { SeededRandom } from './seeded-random.ts'
import { stepSettled } from './settle.ts'
import type { ClockOptions } from './simulated-clock.ts'
import { type DiskFaults, SimulatedDisk } from './simulated-disk.ts'
import { SimulatedEvents } from './simulated-events.ts'
import { SimulatedFabric } from './simulated-fabric.ts'
import { SimulatedHost } from './simulated-host.ts'
import { SimulatedLife } from './simulated-life.ts'
import type { LinkConditions } from './simulated-link.ts'

export interface WorldOptions {
  readonly seed: number
  /** The world's clock at the start, microseconds since 1970. Default: 2026-01-01T00:00:00Z. */
  readonly start?: number
  /** Between different hosts. Default: 0.1 to 2 ms. */
  readonly conditions?: LinkConditions
  /** Within a host. Default: 0.01 to 0.1 ms. */
  readonly loopback?: LinkConditions
  /** Hears what happens, a line each. */
  readonly trace?: (line: string) => void
}

export interface HostOptions extends ClockOptions {
  /** Default: operations take up to 0.5 ms. */
  readonly diskFaults?: DiskFaults
}

export interface CrashOptions {
  /** The machine is gone, and the others are never told: their connections stay open, and new ones get no answer. Default false. */
  readonly halfOpen?: boolean
  /** Whether what was not synced may be lost, as when power fails. Default true. */
  readonly losesUnsynced?: boolean
}

/** What runs on a host, from its start on. */
export type Program = (environment: SimulatedHost) => void | Promise<void>

interface HostRecord {
  readonly name: string
  readonly options: HostOptions
  readonly random: SeededRandom
  readonly storage: SimulatedDisk
  program: Program | null
  life: SimulatedLife
  environment: SimulatedHost
  /** By how much its clock was set forward in all. */
  jumped: number
}

const DEFAULT_START = Date.UTC(2026, 0, 1) * 1000
const DEFAULT_CONDITIONS: LinkConditions = { minimumDelay: 0.1, maximumDelay: 2 }
const DEFAULT_LOOPBACK: LinkConditions = { minimumDelay: 0.01, maximumDelay: 0.1 }
const DEFAULT_DISK_FAULTS: DiskFaults = { delay: 0.5 }
/** Monotonic clocks start somewhere below this (microseconds), so that nobody compares those of two hosts. */
const MONOTONIC_STARTS = 1e12

export class SimulatedWorld {
  readonly events: SimulatedEvents
  private readonly fabric: SimulatedFabric
  private readonly records = new Map<string, HostRecord>()
  private failure: { readonly error: unknown } | null = null

  constructor(options: WorldOptions) {
    const { seed, start = DEFAULT_START, conditions = DEFAULT_CONDITIONS, loopback = DEFAULT_LOOPBACK, trace = null } = options
    this.events = new SimulatedEvents(start)
    this.fabric = new SimulatedFabric(this.events, seed, conditions, loopback, trace)
  }

  /** The world's own time, microseconds since 1970; hosts see it through clocks of theirs. */
  get now(): number {
    return this.events.time
  }

  get hosts(): readonly string[] {
    return [...this.records.keys()]
  }

  /** A source of chance of its own for a part of a test. */
  random(name: string): SeededRandom {
    return this.fabric.randomOf(`random ${name}`)
  }

  /** The environment of the host's present process; the host comes into being when it is first named. `options` count then only. */
  host(name: string, options: HostOptions = {}): SimulatedHost {
    return (this.records.get(name) ?? this.add(name, options)).environment
  }

  /** Starts a program on a host, now and after each restart. What it throws fails the run. */
  start(name: string, program: Program): SimulatedHost {
    const environment = this.host(name)
    const record = this.record(name)
    record.program = program
    this.boot(record)
    return environment
  }

  /** Ends the process of a host. Its connections break for the others, after a delay and a part of what it had sent. */
  crash(name: string, options: CrashOptions = {}): void {
    const { life, storage } = this.record(name)
    if (life.state === 'dead') return
    this.fabric.note(`${name} crashes${options.halfOpen === true ? ' silently' : ''}`)
    if (options.halfOpen === true) this.fabric.silence(name)
    life.die(options.halfOpen === true)
    if (options.losesUnsynced ?? true) storage.crash()
  }

  /** Starts the host's program again, in a new environment on the same disk; a process that runs is crashed first. */
  restart(name: string): SimulatedHost {
    this.crash(name)
    const record = this.record(name)
    this.fabric.note(`${name} starts again`)
    record.life = new SimulatedLife(name, this.fabric)
    record.environment = this.environmentOf(record, record.environment.incarnation + 1)
    this.fabric.setLife(record.life)
    this.boot(record)
    return record.environment
  }

  /** As SIGSTOP does: timers and deliveries wait, connections stay open, clocks go on. */
  pause(name: string): void {
    const { life } = this.record(name)
    if (life.state !== 'running') return
    this.fabric.note(`${name} stops`)
    life.state = 'paused'
  }

  /** As SIGCONT does: all that fell due meanwhile happens now. */
  resume(name: string): void {
    const { life } = this.record(name)
    if (life.state !== 'paused') return
    this.fabric.note(`${name} goes on`)
    life.state = 'running'
    this.events.resume(life)
  }

  /** Nothing is delivered any more from `a` to `b`, nor, unless `oneWay`, from `b` to `a`; connections stall and are not told. */
  partition(a: string, b: string, options: { readonly oneWay?: boolean } = {}): void {
    this.record(a)
    this.record(b)
    if (a === b) throw new MillraceError('CONFIG', `${a} cannot be parted from itself`)
    this.fabric.note(`${a} and ${b} are parted${options.oneWay === true ? ' in one direction' : ''}`)
    this.fabric.link(a, b).block()
    if (options.oneWay !== true) this.fabric.link(b, a).block()
  }

  /** Parts a host from all others. */
  isolate(name: string): void {
    for (const other of this.records.keys()) if (other !== name) this.partition(name, other)
  }

  /** What was stalled between two hosts arrives after a delay; without names, everywhere. */
  heal(a?: string, b?: string): void {
    this.fabric.note(`${a ?? 'all'} and ${b ?? 'all'} reach each other`)
    for (const link of this.fabric.allLinks) {
      const ends = [link.from, link.to]
      if ((a === undefined || ends.includes(a)) && (b === undefined || ends.includes(b))) link.heal()
    }
  }

  /** Changes some conditions of the way from `from` to `to`; of those not named nothing changes. */
  setLink(from: string, to: string, conditions: LinkConditions): void {
    this.record(from)
    this.record(to)
    const link = this.fabric.link(from, to)
    link.conditions = { ...link.conditions, ...conditions }
    this.fabric.note(`${from}>${to} ${JSON.stringify(conditions)}`)
  }

  linkConditions(from: string, to: string): LinkConditions {
    return this.fabric.link(from, to).conditions
  }

  /** All connections between two hosts break, with what was under way lost; returns how many did. */
  breakConnections(a: string, b: string): number {
    this.record(b)
    let count = 0
    for (const end of [...this.record(a).life.ends]) {
      if (end.peerHost !== b) continue
      end.break()
      count++
    }
    this.fabric.note(`${count} connections between ${a} and ${b} break`)
    return count
  }

  /** Sets a host's wall clock forward, or back; its monotonic clock does not notice. */
  jumpClock(name: string, microseconds: number): void {
    const record = this.record(name)
    this.fabric.note(`the clock of ${name} jumps by ${microseconds}`)
    record.jumped += microseconds
    record.environment.clock.jump(microseconds)
  }

  /** Does something at a later time, whatever becomes of the hosts. */
  schedule(microseconds: number, work: () => void): void {
    this.events.at(this.events.time + microseconds, null, work)
  }

  /** Advances time and lets happen what falls due, within this call: for code without promises. */
  advance(microseconds: number): void {
    const limit = this.events.time + microseconds
    while (this.events.fireNext(limit));
    this.events.moveTo(limit)
  }

  /** Advances time, and lets promises run after each event until nothing more can happen without time. Rejects with what an event threw. */
  async run(microseconds: number): Promise<void> {
    await this.runUntil(() => false, microseconds)
  }

  /** Runs until `done` says so, asked after each event, for at most so many microseconds; whether it did. */
  async runUntil(done: () => boolean, microseconds: number): Promise<boolean> {
    const limit = this.events.time + microseconds
    let reached = false
    await stepSettled(() => {
      if (this.failure !== null) throw this.failure.error
      reached = done()
      return !reached && this.events.fireNext(limit)
    })
    if (!reached) this.events.moveTo(limit)
    return reached
  }

  /** Runs until a promise settles, and gives what it came to. @throws MillraceError INVARIANT if it does not in time */
  async settled<T>(promise: Promise<T>, microseconds: number): Promise<T> {
    let over = false
    const end = (): void => {
      over = true
    }
    promise.then(end, end)
    if (await this.runUntil(() => over, microseconds)) return promise
    throw new MillraceError('INVARIANT', `what was waited for did not happen within ${microseconds / 1_000_000} simulated seconds`)
  }

  private add(name: string, options: HostOptions): HostRecord {
    if (!/^[a-z][a-z0-9.-]*$/.test(name))
      throw new MillraceError('CONFIG', `'${name}' is no name for a host`, 'Use lower-case letters, digits and hyphens.')
    const random = this.fabric.randomOf(`host ${name}`)
    const life = new SimulatedLife(name, this.fabric)
    const storage = new SimulatedDisk(
      { now: () => this.events.time, monotonic: () => 0 },
      random.fork(),
      options.diskFaults ?? DEFAULT_DISK_FAULTS,
    )
    const partial = { name, options, random, storage, life, program: null, jumped: 0 }
    const record: HostRecord = { ...partial, environment: this.environmentOf(partial, 1) }
    this.records.set(name, record)
    this.fabric.setLife(life)
    return record
  }

  private environmentOf(record: Omit<HostRecord, 'environment'>, incarnation: number): SimulatedHost {
    const { life, random, storage, options } = record
    const monotonicStart = options.monotonicStart ?? random.below(MONOTONIC_STARTS)
    const skew = (options.skew ?? 0) + record.jumped
    return new SimulatedHost(this.fabric, life, incarnation, random, storage, { ...options, skew, monotonicStart })
  }

  private boot({ program, life, environment }: HostRecord): void {
    if (program === null) return
    this.events.at(this.events.time, life, () => {
      Promise.resolve(program(environment)).catch((error: unknown) => {
        this.failure ??= { error }
      })
    })
  }

  private record(name: string): HostRecord {
    const record = this.records.get(name)
    if (record === undefined) throw new MillraceError('UNKNOWN_NAME', `there is no host ${name}`)
    return record
  }
}
