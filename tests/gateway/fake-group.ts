/**
 * Processes, threads and a coordinator that do what a gateway may count on and nothing more: everything takes its time, in order
 * per pair, by a seed. Rows are what the test says; a time is computed again with the same changes.
 */
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { Schema, typeName } from '../../runtime/data/schema.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { Member, ProcessId, ProcessStats } from '../../runtime/protocol/control.ts'
import type { CountedRow, FollowOutput, OutputShape, ReadOutput, RowsRead, ThreadEvent, Unfollow } from '../../runtime/protocol/thread.ts'
import { GatewayShape, mergeRows } from '../../worker/process/gateway-shape.ts'
import type { DataflowView, FaceEvents, GenerationView, LinksView, ProcessView, SourceView } from '../../worker/process/process-view.ts'
import { FakePipe } from './fake-pipe.ts'
import { FakeService } from './fake-service.ts'

export const DATAFLOW = 7
export const JOB = 'shop'

export function outputShape(name: string, columns: Columns, options: Partial<OutputShape> = {}): OutputShape {
  const schema = new Schema(columns)
  return { name, columns: schema.names, types: schema.types.map(typeName), key: null, kept: true, sharded: false, ...options }
}

/** Changes of one output at one time, each at the worker that has it. */
type Log = Map<string, { readonly time: number; readonly byWorker: readonly (readonly CountedRow[])[] }[]>

/** One generation: what its workers have, and how far they and the coordinator are. */
interface Generation {
  readonly number: number
  readonly processes: readonly FakeProcess[]
  readonly workers: number
  readonly owners: Int32Array
  readonly since: number
  readonly log: Log
  readonly complete: number[]
  readonly errors: Map<string, CountedRow[]>
  visible: number | null
  compactTo: number
  minted: number
}

/** The whole truth: what every output holds at every time. */
export interface Truth {
  readonly time: number
  readonly changes: ReadonlyMap<string, readonly CountedRow[]>
}

export class FakeGroup {
  readonly environment: Environment
  readonly random: SeededRandom
  readonly processes: FakeProcess[] = []
  readonly shapes: readonly OutputShape[]
  readonly truth: Truth[] = []
  /** Milliseconds that a message takes at most. */
  delay = 20
  /** Whether a worker splits the changes of a time into several messages. */
  splits = true
  current: Generation | null = null
  private number = 0
  private clock = 1000

  constructor(environment: Environment, seed: number, shapes: readonly OutputShape[]) {
    this.environment = environment
    this.random = new SeededRandom(seed)
    this.shapes = shapes
  }

  add(name: string, threads: number): FakeProcess {
    const process = new FakeProcess(this, name, threads)
    this.processes.push(process)
    return process
  }

  get time(): number {
    return this.clock
  }

  /** What an output holds as of a time. */
  holds(output: string, time: number): CountedRow[] {
    const parts = this.truth.filter((one) => one.time <= time).map((one) => one.changes.get(output) ?? [])
    return mergeRows(parts, this.shape(output))
  }

  shape(output: string): GatewayShape {
    return new GatewayShape(this.shapes.find(({ name }) => name === output) as OutputShape)
  }

  /** The changes of the times after one, up to another, without empty ones. */
  changesBetween(output: string, after: number, upTo: number): { time: number; changes: CountedRow[] }[] {
    return this.truth
      .filter(({ time }) => time > after && time <= upTo)
      .map(({ time, changes }) => ({ time, changes: mergeRows([changes.get(output) ?? []], this.shape(output)) }))
      .filter(({ changes }) => changes.length > 0)
  }

  /** Begins a generation of some processes, computed again from `from` on; without, everything before is forgotten. */
  begin(processes: readonly FakeProcess[], replayFrom: number | null): void {
    const before = this.current
    const number = ++this.number
    for (const process of this.processes) process.leave()
    let first = 0
    const members = processes.map((process): Member => {
      const member = { process: process.process, name: process.name, address: `http://${process.name}`, threads: process.threads, first }
      first += process.threads
      return member
    })
    const replayed = replayFrom === null ? [] : this.truth.filter(({ time }) => time >= replayFrom)
    const since = replayed.length > 0 ? replayed[0].time - 1 : this.clock
    const { owners } = ShardTable.even(number, first)
    const generation: Generation = {
      number,
      processes,
      workers: first,
      owners,
      since,
      log: new Map(),
      complete: Array.from({ length: first }, () => since),
      errors: new Map(),
      visible: null,
      compactTo: since,
      minted: since,
    }
    this.current = generation
    processes.forEach((process, i) => {
      process.enter(generation, members, members[i])
    })
    // Everything up to the first replayed time has that time.
    const target = before?.visible ?? null
    if (replayed.length === 0) {
      this.truth.length = 0
      this.show(generation, since)
      return
    }
    const firstTime = replayed[0].time
    const sums = new Map(this.shapes.map(({ name }) => [name, this.holds(name, firstTime)]))
    this.compute(generation, firstTime, sums, firstTime >= (target ?? 0))
    for (const { time, changes } of replayed.slice(1)) this.compute(generation, time, changes, time >= (target ?? 0))
  }

  /** Mints a time with changes by output. */
  commit(changes: ReadonlyMap<string, readonly CountedRow[]>, step = 1 + this.random.below(1000)): number {
    const generation = this.current as Generation
    this.clock += step
    this.truth.push({ time: this.clock, changes })
    this.compute(generation, this.clock, changes, true)
    return this.clock
  }

  /** Times before are not read any more. */
  compact(time: number): void {
    const generation = this.current as Generation
    generation.compactTo = Math.max(generation.compactTo, Math.min(time, generation.visible ?? 0))
    for (const process of generation.processes) process.refresh()
  }

  /** Visible times that are still retained by all. */
  get retained(): number {
    return this.current?.compactTo ?? 0
  }

  private compute(generation: Generation, time: number, changes: ReadonlyMap<string, readonly CountedRow[]>, mayShow: boolean): void {
    generation.minted = time
    for (const process of generation.processes) process.refresh()
    for (const shape of this.shapes) {
      const byWorker = Array.from({ length: generation.workers }, () => [] as CountedRow[])
      for (const change of changes.get(shape.name) ?? []) this.scatter(generation, shape, change, byWorker)
      const log = generation.log.get(shape.name) ?? []
      generation.log.set(shape.name, log)
      log.push({ time, byWorker })
    }
    let open = generation.workers
    for (let worker = 0; worker < generation.workers; worker++)
      this.processOf(generation, worker)
        .thread(worker)
        .later(() => {
          if (this.current !== generation) return
          generation.complete[worker] = time
          this.processOf(generation, worker).tell(worker, time)
          if (--open === 0 && mayShow) this.show(generation, time)
        })
  }

  private scatter(generation: Generation, { sharded, name }: OutputShape, change: CountedRow, byWorker: CountedRow[][]): void {
    if (sharded) {
      byWorker[this.shape(name).workerOf(change.row, [...generation.owners]) as number].push(change)
      return
    }
    const worker = this.random.below(generation.workers)
    byWorker[worker].push(change)
    // Rows that cancel out between workers.
    if (generation.workers > 1 && this.random.chance(0.3)) {
      byWorker[worker].push(change)
      byWorker[(worker + 1) % generation.workers].push({ row: change.row, diff: -change.diff })
    }
  }

  private show(generation: Generation, time: number): void {
    this.environment.timers.setTimeout(() => {
      if (this.current !== generation || (generation.visible ?? 0) >= time) return
      generation.visible = time
      for (const process of generation.processes) process.coordinator.send(() => process.show(generation, time))
    }, this.random.fraction() * this.delay)
  }

  private processOf(generation: Generation, worker: number): FakeProcess {
    return generation.processes.find((process) => worker >= process.first && worker < process.first + process.threads) as FakeProcess
  }
}

/** A thread takes what it is given in order, and takes its time. */
class FakeThread {
  private readonly pipe: FakePipe

  constructor(group: FakeGroup) {
    this.pipe = new FakePipe(group.environment.timers, () => group.random.fraction() * group.delay)
  }

  later(work: () => void): void {
    this.pipe.send(work)
  }
}

interface Following {
  readonly request: number
  readonly output: string
  told: number
}

export class FakeProcess implements ProcessView {
  readonly process: ProcessId
  readonly name: string
  readonly group = 'default'
  readonly cluster = 'test'
  readonly threads: number
  readonly environment: Environment
  readonly service: FakeService
  readonly coordinator: FakePipe
  leased = true
  /** A stopped thread answers nothing. */
  silent = false
  generation: GenerationView | null = null
  first = 0
  face: FaceEvents | null = null
  stats: ProcessStats = { memoryBytes: 0, threads: [] }
  links: LinksView = { coordinator: { url: null, connected: true, epoch: 1, problem: null }, peers: [] }
  sources: SourceView[] = []
  private readonly group_: FakeGroup
  private fakeThreads: FakeThread[] = []
  private events: FakePipe[] = []
  private follows = new Map<number, Following[]>()
  private requests = 0
  private state: Generation | null = null
  /** Commands of threads, for tests to count. */
  readonly commands: (ReadOutput | FollowOutput | Unfollow)[] = []

  constructor(group: FakeGroup, name: string, threads: number) {
    this.group_ = group
    this.name = name
    this.process = `id-${name}`
    this.threads = threads
    this.environment = group.environment
    this.service = new FakeService(group, this)
    this.coordinator = this.pipe()
  }

  isLeased(): boolean {
    return this.leased
  }

  nextRequest(): number {
    return ++this.requests
  }

  thread(worker: number): FakeThread {
    return this.fakeThreads[worker - this.first]
  }

  /** The generation is over for this process; its calls break. */
  leave(): void {
    this.state = null
    this.generation = null
    this.follows.clear()
    this.service.breakAll()
    this.face?.onGeneration()
  }

  enter(generation: Generation, members: readonly Member[], member: Member): void {
    this.state = generation
    this.first = member.first
    this.fakeThreads = Array.from({ length: this.threads }, () => new FakeThread(this.group_))
    this.events = Array.from({ length: this.threads }, () => this.pipe())
    this.generation = {
      generation: generation.number,
      members,
      owners: [...generation.owners],
      first: this.first,
      threads: this.threads,
      dataflows: new Map(),
    }
    this.face?.onGeneration()
    this.coordinator.send(() => {
      if (this.state !== generation) return
      this.refresh()
      this.face?.onDataflow(DATAFLOW)
    })
  }

  refresh(): void {
    const { state, generation } = this
    if (state === null || generation === null) return
    const known = generation.dataflows.get(DATAFLOW)
    const dataflow: DataflowView = {
      dataflow: DATAFLOW,
      name: JOB,
      digest: 'abc',
      since: state.since,
      outputs: known?.outputs ?? this.group_.shapes,
      live: (known?.visible ?? null) !== null,
      complete: Math.min(...state.complete),
      minted: state.minted,
      visible: known?.visible ?? null,
      compactTo: state.compactTo,
      failure: null,
    }
    this.change(dataflow)
  }

  change(dataflow: DataflowView): void {
    const generation = this.generation as GenerationView
    this.generation = { ...generation, dataflows: new Map(generation.dataflows).set(DATAFLOW, dataflow) }
  }

  fail(message: string): void {
    this.change({ ...(this.generation?.dataflows.get(DATAFLOW) as DataflowView), failure: { code: 'USER_FUNCTION', message } })
    this.face?.onDataflow(DATAFLOW)
  }

  drop(): void {
    this.generation = { ...(this.generation as GenerationView), dataflows: new Map() }
    this.face?.onDataflow(DATAFLOW)
  }

  show(generation: Generation, time: number): void {
    if (this.state !== generation) return
    this.refresh()
    const dataflow = this.generation?.dataflows.get(DATAFLOW) as DataflowView
    this.change({ ...dataflow, visible: time, live: true })
    this.face?.onVisible(DATAFLOW, time)
  }

  command(worker: number, command: ReadOutput | FollowOutput | Unfollow): void {
    const { state } = this
    if (state === null || this.silent) return
    this.commands.push(command)
    this.thread(worker).later(() => {
      if (this.state !== state) return
      if (command.kind === 'read') this.say(worker, this.read(state, worker, command))
      else if (command.kind === 'follow') this.follow(state, worker, command)
      else
        this.follows.set(
          worker,
          (this.follows.get(worker) ?? []).filter(({ request }) => request !== command.request),
        )
    })
  }

  /** A worker is complete up to a time: its followers hear what changed, then how far it is. */
  tell(worker: number, time: number): void {
    for (const following of this.follows.get(worker) ?? []) this.tellChanges(worker, following, time)
    this.say(worker, { kind: 'complete', dataflow: DATAFLOW, time })
  }

  private read(state: Generation, worker: number, { request, output, errors, asOf, key, from, limit }: ReadOutput): RowsRead {
    const shape = this.group_.shape(output)
    const refuse = (code: string, message: string): RowsRead => ({ kind: 'rows', request, rows: [], error: { code, message } })
    if (errors) return { kind: 'rows', request, rows: (state.errors.get(output) ?? []).slice(0, limit), error: null }
    if (asOf < state.compactTo || asOf < state.since) return refuse('BAD_TIME', `${asOf} is forgotten`)
    if (asOf > state.complete[worker]) return refuse('INVARIANT', `${asOf} is not complete at worker ${worker}`)
    const parts = (state.log.get(output) ?? []).filter(({ time }) => time <= asOf).map(({ byWorker }) => byWorker[worker])
    const sorted = mergeRows(parts, shape)
    const named = (names: readonly string[], row: object): boolean => names.every((name) => (row as never)[name] === (key as never)[name])
    const rows = sorted.filter(({ row }) => (key === null || named(shape.key ?? [], row)) && (from === null || atOrAfter(row, from)))
    return { kind: 'rows', request, rows: rows.slice(0, limit), error: null }
  }

  private follow(state: Generation, worker: number, { request, output, after }: FollowOutput): void {
    if (after < state.compactTo || after < state.since) {
      this.say(worker, { kind: 'rows', request, rows: [], error: { code: 'BAD_TIME', message: `${after} is forgotten` } })
      return
    }
    const following: Following = { request, output, told: after }
    this.follows.set(worker, [...(this.follows.get(worker) ?? []), following])
    this.tellChanges(worker, following, state.complete[worker])
    this.say(worker, { kind: 'rows', request, rows: [], error: null })
  }

  private tellChanges(worker: number, following: Following, upTo: number): void {
    const state = this.state as Generation
    for (const { time, byWorker } of state.log.get(following.output) ?? []) {
      if (time <= following.told || time > upTo) continue
      const changes = mergeRows([byWorker[worker]], this.group_.shape(following.output))
      const half = this.group_.splits ? changes.length >> 1 : 0
      for (const part of [changes.slice(0, half), changes.slice(half)])
        if (part.length > 0) this.say(worker, { kind: 'changes', request: following.request, time, changes: part })
    }
    following.told = Math.max(following.told, upTo)
  }

  private say(worker: number, event: Extract<ThreadEvent, { kind: 'rows' | 'changes' | 'complete' }>): void {
    const { state, face } = this
    this.events[worker - this.first].send(() => {
      if (this.state !== state) return
      if (event.kind === 'rows') face?.onRows(worker, event)
      else if (event.kind === 'changes') face?.onChanges(worker, event)
      else face?.onComplete(worker, event)
    })
  }

  private pipe(): FakePipe {
    const { environment, random } = this.group_
    return new FakePipe(environment.timers, () => random.fraction() * this.group_.delay)
  }
}

function atOrAfter(row: object, from: object): boolean {
  for (const name of Object.keys(from)) {
    const a = (row as never)[name] as number
    const b = (from as never)[name] as number
    if (a !== b) return a > b
  }
  return true
}
