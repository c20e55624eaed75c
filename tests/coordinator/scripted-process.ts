/**
 * A worker process without workers: says what one says, at moments that a seed chooses. Its sources are counters; a job's bundle is
 * JSON that says how the job behaves. It keeps to the protocol except where a test tells it not to.
 */
import type { Connection } from '../../runtime/env/connection.ts'
import type { Timer } from '../../runtime/env/environment.ts'
import type { SimulatedHost } from '../../runtime/env/simulated-host.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import {
  type Advance,
  CONTROL_PATH,
  type Cut,
  type FromCoordinator,
  type FromProcess,
  type HeldGeneration,
  type Hello,
  type Install,
  type Prepare,
  type Refused,
  type Start,
} from '../../runtime/protocol/control.ts'
import { type Ledger, must, type Shower } from './ledger.ts'
import { type ScriptedJob, ScriptedRun } from './scripted-run.ts'

export interface ScriptedOptions {
  readonly name: string
  readonly group?: string
  readonly cluster?: string
  readonly threads?: number
  readonly coordinators: readonly string[]
  readonly protocol?: Hello['protocol']
  readonly ledger: Ledger
  /** Whether one host reaches another. */
  readonly reaches: (other: string) => boolean
  /** The generation that is durable for a group. */
  readonly durable: (group: string) => number
  /** Milliseconds that work takes at most. */
  readonly slowness?: number
  /** Has a follower that is told late by up to so many milliseconds. */
  readonly follower?: number
  readonly token?: string
  readonly preparesNever?: boolean
  /** Its follower takes the first time that it is told, and no more. */
  readonly holdsBack?: boolean
  readonly crash?: () => void
  readonly trace?: (line: string) => void
}

export class ScriptedProcess implements Shower {
  readonly environment: SimulatedHost
  readonly id: string
  readonly name: string
  readonly group: string
  readonly received: FromCoordinator[] = []
  readonly refusals: Refused[] = []
  readonly runs = new Map<number, ScriptedRun>()
  prepare: Prepare | null = null
  epoch = 0
  resumed: boolean | null = null
  released = false
  connection: Connection | null = null
  /** Followers that had to begin anew. */
  resets = 0
  /** Times visible to others before this process was told less. */
  readonly lastVisible = new Map<number, number>()
  private readonly options: ScriptedOptions
  private readonly bundles = new Map<string, string>()
  private readonly wanted = new Map<string, Install[]>()
  private welcomed = false
  private leaseUntil = 0
  private heard = 0
  private interval = 250
  private attempt = 0
  private beat: Timer | null = null
  private stopped = false
  private readonly told = new Map<number, number>()
  private silent = false

  constructor(environment: SimulatedHost, options: ScriptedOptions) {
    this.environment = environment
    this.options = options
    this.name = options.name
    this.group = options.group ?? 'default'
    this.id = `${options.name}-${environment.incarnation}-${environment.random.uint32()}`
    options.ledger.showers.add(this)
  }

  get generation(): number {
    return this.prepare?.generation ?? 0
  }

  get shows(): boolean {
    if (this.environment.state !== 'running' || this.environment.clock.monotonic() >= this.leaseUntil) return false
    return [...this.runs.values()].some(({ visible }) => visible !== null)
  }

  get hasFollower(): boolean {
    return this.told.size > 0
  }

  start(): void {
    void this.connect()
  }

  leave(): void {
    this.send({ kind: 'leaving' })
  }

  /** Sends no heartbeats any more, as a process whose main thread hangs. */
  hang(): void {
    this.silent = true
  }

  kind<K extends FromCoordinator['kind']>(kind: K): Extract<FromCoordinator, { kind: K }>[] {
    return this.received.filter((message): message is Extract<FromCoordinator, { kind: K }> => message.kind === kind)
  }

  send(message: FromProcess): void {
    if (this.welcomed && this.connection?.isOpen === true) this.connection.send(encodeMessage(message))
  }

  sendBytes(bytes: Uint8Array): void {
    this.connection?.send(bytes)
  }

  say(text: string): void {
    this.options.trace?.(`${this.name} ${text}`)
  }

  private async connect(): Promise<void> {
    if (this.stopped) return
    const { coordinators, token } = this.options
    const url = coordinators[this.attempt++ % coordinators.length]
    try {
      const connection = await this.environment.network.connect(`${url}${CONTROL_PATH}`, {
        timeoutMilliseconds: 1000,
        ...(token === undefined ? {} : { token }),
      })
      this.connection = connection
      this.welcomed = false
      this.heard = this.environment.clock.monotonic()
      connection.onClose = () => this.lost(connection)
      connection.onMessage = (bytes) => {
        if (this.connection === connection) this.receive(decodeMessage<FromCoordinator>(bytes))
      }
      connection.send(encodeMessage(this.hello()))
      this.heartbeat()
    } catch (error) {
      this.say(`cannot connect: ${String(error)}`)
      this.again()
    }
  }

  private hello(): Hello {
    const { cluster = 'test', threads = 2, protocol = { least: 1, most: 2 } } = this.options
    const { id, name, group } = this
    const address = `http://${this.environment.name}:7000`
    return {
      kind: 'hello',
      protocol,
      cluster,
      process: id,
      name,
      group,
      threads,
      address,
      admin: null,
      version: '0.2.0',
      held: this.held(),
    }
  }

  private held(): HeldGeneration | null {
    if (this.prepare === null) return null
    const dataflows = [...this.runs.values()]
      .filter(({ started }) => started)
      .map((run) => {
        run.unreported = []
        const { dataflow, since, visible, minted, assignments, live } = run
        const at = visible ?? since
        return { dataflow, visible: at, minted: minted.filter((time) => time > at), cuts: this.cutsFrom(run, at), assignments, live }
      })
    return { generation: this.generation, members: this.prepare.members.map(({ process }) => process), dataflows }
  }

  private cutsFrom(run: ScriptedRun, time: number): Cut[] {
    return run.cuts.filter((cut) => cut.time >= time)
  }

  private lost(connection: Connection): void {
    if (this.connection !== connection) return
    this.connection = null
    this.welcomed = false
    if (this.released) {
      this.stopped = true
      return
    }
    this.again()
  }

  private again(): void {
    if (this.silent) return
    this.environment.timers.setTimeout(() => void this.connect(), 20 + this.environment.random.below(150))
  }

  private heartbeat(): void {
    this.beat?.clear()
    this.beat = this.environment.timers.setTimeout(() => {
      if (this.connection === null) return
      if (this.environment.clock.monotonic() - this.heard > 1_500_000) {
        const { connection } = this
        connection.terminate()
        this.lost(connection)
        return
      }
      if (!this.silent) this.sendHeartbeat()
      this.checkPeers()
      this.heartbeat()
    }, this.interval)
  }

  private sendHeartbeat(): void {
    const dataflows = [...this.runs.values()].map((run) => ({
      dataflow: run.dataflow,
      complete: run.complete,
      holder: run.complete < run.last ? 'join#3' : null,
      stateBytes: 1000,
      rows: 10,
      errors: 1,
    }))
    const threads =
      (this.options.threads ?? 2) > 0
        ? [{ worker: this.first, busy: 0.5, outboundBytes: 0, inboundMessages: 0, heapBytes: 1e6, dataflows }]
        : []
    this.send({ kind: 'heartbeat', sentAt: this.environment.clock.monotonic(), stats: { memoryBytes: 5e6, threads } })
  }

  private get first(): number {
    return this.prepare?.members.find(({ process }) => process === this.id)?.first ?? 0
  }

  private get threads(): number {
    return this.options.threads ?? 2
  }

  private receive(message: FromCoordinator): void {
    this.heard = this.environment.clock.monotonic()
    if (message.kind !== 'heartbeat-answer') this.received.push(message)
    switch (message.kind) {
      case 'welcome':
        if (message.epoch < this.epoch) {
          this.connection?.terminate()
          return
        }
        this.epoch = message.epoch
        this.welcomed = true
        this.resumed = message.resumed
        this.interval = message.heartbeatMilliseconds
        this.say(`is welcome, epoch ${message.epoch}${message.resumed ? ', goes on' : ''}`)
        if (!message.resumed) this.forget()
        else for (const run of this.runs.values()) if (run.started) this.report(run)
        for (const digest of this.wanted.keys()) this.send({ kind: 'need-bundle', digest })
        this.sendHeartbeat()
        break
      case 'refused':
        this.refusals.push(message)
        if (!message.retry) this.stopped = true
        break
      case 'heartbeat-answer':
        this.leaseUntil = Math.max(this.leaseUntil, message.sentAt + message.leaseMilliseconds * 1000)
        break
      case 'prepare':
        this.onPrepare(message)
        break
      case 'bundle':
        this.bundles.set(message.digest, message.code)
        for (const install of this.wanted.get(message.digest) ?? []) this.install(install)
        this.wanted.delete(message.digest)
        break
      case 'released':
        this.released = true
        this.forget()
        this.connection?.close('released')
        break
      default:
        if (message.generation === this.generation) this.obey(message)
    }
  }

  private obey(
    message: Exclude<FromCoordinator, { kind: 'welcome' | 'refused' | 'heartbeat-answer' | 'prepare' | 'bundle' | 'released' }>,
  ): void {
    if (message.kind === 'install') this.install(message)
    else if (message.kind === 'start') this.startRun(message)
    else if (message.kind === 'drop') this.runs.delete(message.dataflow)
    else this.advance(message)
  }

  private forget(): void {
    this.prepare = null
    this.runs.clear()
    this.wanted.clear()
  }

  private onPrepare(prepare: Prepare): void {
    must(prepare.generation > this.generation, `generation ${prepare.generation} after ${this.generation}`)
    this.say(`prepares generation ${prepare.generation}`)
    this.options.ledger.prepared(this.epoch, prepare, this.options.durable(this.group))
    must(
      prepare.members.some(({ process }) => process === this.id),
      'it is no member of what it prepares',
    )
    this.forget()
    this.prepare = prepare
    this.broken = false
    if (this.options.preparesNever === true) return
    this.later(() => {
      const peers = this.unreached()
      if (peers.length === 0) this.send({ kind: 'prepared', generation: prepare.generation })
      else this.send({ kind: 'unreachable', generation: prepare.generation, peers, reason: 'no answer' })
    }, 60)
  }

  private broken = false

  private unreached(): string[] {
    return (this.prepare?.members ?? [])
      .filter(({ process, address }) => process !== this.id && !this.options.reaches(new URL(address).hostname))
      .map(({ process }) => process)
  }

  private checkPeers(): void {
    const peers = this.unreached()
    if (peers.length === 0 || this.broken) return
    this.broken = true
    this.send({ kind: 'unreachable', generation: this.generation, peers, reason: 'the connection broke' })
  }

  private install(install: Install): void {
    const { digest } = install.job
    const code = this.bundles.get(digest)
    if (code === undefined) {
      this.wanted.set(digest, [...(this.wanted.get(digest) ?? []), install])
      this.send({ kind: 'need-bundle', digest })
      return
    }
    if (install.generation !== this.generation) return
    const job = JSON.parse(code) as ScriptedJob
    const { generation, dataflow, since } = install
    if (job.hangsInstall?.includes(this.name)) return
    this.later(() => {
      if (job.failsInstall?.includes(this.name)) {
        this.send({ kind: 'failed', generation, dataflow, code: 'JOB', message: 'it throws when it is loaded' })
        return
      }
      this.runs.set(dataflow, new ScriptedRun(dataflow, job, since))
      const names = Array.from({ length: job.partitions }, (_, i) => `p${i}`)
      this.send({ kind: 'installed', generation, dataflow, partitions: { rows: names }, temporal: job.temporal === true })
    })
  }

  private startRun(start: Start): void {
    const run = this.runs.get(start.dataflow)
    if (run === undefined || run.started) return
    const { job, dataflow } = run
    if (job.crashesStart?.includes(this.name)) {
      this.options.crash?.()
      return
    }
    const { ledger } = this.options
    ledger.replayed(dataflow, this.generation, run.since, start.replay)
    run.started = true
    run.all = start.assignments
    run.assignments = start.assignments.filter(({ worker }) => worker >= this.first && worker < this.first + this.threads)
    run.last = start.replay.times.at(-1) ?? run.since
    this.resumeFollower(run, start)
    for (const { partition } of run.assignments) {
      const cuts = start.replay.cuts.filter((cut) => cut.partition === partition)
      run.cuts.push(...cuts)
      run.read.set(partition, Number(cuts.at(-1)?.position ?? 0))
    }
    this.later(() => {
      run.live = true
      this.report(run)
      for (const time of run.minted) this.seal(run, time)
      this.later(() => {
        run.complete = Math.max(run.complete, start.replay.times.at(-1) ?? run.since)
        this.report(run)
      })
    }, 100)
    this.readOn(run)
    if (job.failsAfter !== undefined)
      this.later(() => {
        this.runs.delete(dataflow)
        this.send({ kind: 'failed', generation: start.generation, dataflow, code: 'USER_FUNCTION', message: 'an operator threw' })
      }, job.failsAfter)
  }

  /** A follower that was told a time goes on after it, if it comes again; else it begins anew. */
  private resumeFollower(run: ScriptedRun, start: Start): void {
    const told = this.told.get(run.dataflow)
    if (told === undefined) return
    if (told <= run.since) {
      this.resets++
      this.told.delete(run.dataflow)
      this.say(`begins anew: was told ${told}, since is ${run.since}`)
    } else {
      must(start.replay.times.includes(told), `a follower was told ${told}, and the replay does not have it`)
      run.told = told
    }
  }

  private readOn(run: ScriptedRun): void {
    if (run.job.quiet === true) return
    this.later(() => {
      if (this.runs.get(run.dataflow) !== run) return
      if (run.live && run.assignments.length > 0) {
        const { partition } = run.assignments[this.environment.random.below(run.assignments.length)]
        run.read.set(partition, (run.read.get(partition) ?? 0) + 1 + this.environment.random.below(5))
        run.waiting = true
        this.report(run)
      }
      this.readOn(run)
    }, 40)
  }

  private advance({ minted, visible }: Advance): void {
    for (const { dataflow, time } of minted) {
      const run = this.runs.get(dataflow)
      if (run === undefined || !run.started || time <= run.last) continue
      this.options.ledger.minted(dataflow, this.epoch, this.generation, time)
      run.last = time
      run.minted.push(time)
      if (run.live) this.seal(run, time)
    }
    for (const { dataflow, time } of visible) {
      const run = this.runs.get(dataflow)
      if (run === undefined || !run.started) continue
      this.showTime(run, time)
    }
  }

  private seal(run: ScriptedRun, time: number): void {
    run.waiting = false
    for (const { input, partition } of run.assignments) {
      const position = run.read.get(partition) ?? 0
      const cut = { input, partition, time, position: position === 0 ? null : position }
      run.cuts.push(cut)
      run.unreported.push(cut)
      this.options.ledger.sealed(run.dataflow, this.generation, time, `${input}/${partition}`, cut.position)
    }
    this.later(() => {
      run.complete = Math.max(run.complete, time)
      this.report(run)
    })
  }

  private showTime(run: ScriptedRun, time: number): void {
    const { ledger, follower } = this.options
    const before = this.lastVisible.get(run.dataflow) ?? 0
    must(time >= before, `${this.name} was told ${time} after ${before}`)
    this.lastVisible.set(run.dataflow, time)
    const partitions = run.all.map(({ input, partition }) => `${input}/${partition}`)
    ledger.visible(run.dataflow, this.group, this.generation, time, new Map([[this.name, run.complete]]), partitions)
    run.visible = time
    run.minted = run.minted.filter((one) => one > time)
    const from = run.cuts.findLastIndex((cut) => cut.time <= time)
    run.cuts.splice(0, Math.max(0, from - 8 * run.assignments.length))
    if (follower === undefined) return
    this.later(() => {
      if (this.runs.get(run.dataflow) !== run || time <= (run.told ?? 0)) return
      if (this.options.holdsBack === true && this.told.has(run.dataflow)) return
      run.told = time
      this.told.set(run.dataflow, time)
    }, follower)
  }

  report(run: ScriptedRun): void {
    if (!run.started || this.runs.get(run.dataflow) !== run) return
    const { dataflow, live, waiting, complete, told } = run
    const cuts = run.unreported
    run.unreported = []
    this.send({ kind: 'report', generation: this.generation, dataflow, live, waiting, complete, cuts, told })
  }

  /** Within the generation at hand, after a moment. */
  private later(work: () => void, milliseconds = this.options.slowness ?? 5): void {
    const { prepare } = this
    this.environment.timers.setTimeout(() => {
      if (this.prepare === prepare) work()
    }, this.environment.random.fraction() * milliseconds)
  }
}
