/** Thread services of one generation in one process under a seeded scheduler, and a main thread that keeps to the protocol. */

import { expect } from 'vitest'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../../operators/job.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import type { ThreadStats } from '../../runtime/protocol/control.ts'
import type { CountedRow, DataflowInstalled, OutputShape, ReadOutput, ThreadCommand, ThreadEvent } from '../../runtime/protocol/thread.ts'
import type { JobLoader, LoadedJob } from '../../worker/job-loader.ts'
import type { ThreadOutlet } from '../../worker/thread-actor.ts'
import { ThreadService } from '../../worker/thread-service.ts'
import { add, type Multiset, textOf } from '../oracle/multiset.ts'

const MAXIMUM_ACTIONS = 2_000_000

type AnyJob = Job<InputDefinitions, OutputDefinitions>

/** Jobs by digest, loaded without a bundle. */
export class JobTable implements JobLoader {
  readonly jobs = new Map<string, AnyJob>()

  load(digest: string): LoadedJob {
    const job = this.jobs.get(digest)
    if (job === undefined) throw new Error(`no job ${digest}`)
    return { job, sources: {}, config: {} }
  }
}

interface Thread {
  readonly service: ThreadService
  readonly commands: ThreadCommand[]
  readonly complete: Map<number, number>
  stirred: boolean
}

/** A dataflow as the main thread and the coordinator see it. */
interface Flow {
  readonly since: number
  minted: number
  visible: number
}

/** What one follower heard: by time, of all threads. */
export class Heard {
  readonly changes = new Map<number, CountedRow[]>()
  readonly errors: string[] = []
  /** Threads that have told what was before. */
  readonly acknowledged = new Set<number>()
  /** Whether the threads' parts are disjoint and consolidated. */
  readonly kept: boolean
  /** Changes in one message at most. */
  longest = 0

  constructor(kept: boolean) {
    this.kept = kept
  }

  /** Of all changes up to a time. */
  upTo(time: number, set: Multiset = new Map()): Multiset {
    for (const [at, changes] of this.changes) if (at <= time) for (const { row, diff } of changes) add(set, row, diff)
    return set
  }
}

export interface Answer {
  readonly rows: readonly CountedRow[]
  /** By row the thread that has it. */
  readonly threads: readonly number[]
  readonly errors: readonly string[]
}

export class Threads {
  readonly threads: Thread[]
  readonly flows = new Map<number, Flow>()
  readonly failed: { readonly thread: number; readonly dataflow: number; readonly code: string; readonly message: string }[] = []
  readonly broken: string[] = []
  readonly damaged: { readonly from: number; readonly message: string }[] = []
  readonly installed: { readonly thread: number; readonly event: DataflowInstalled }[] = []
  readonly stats: ThreadStats[] = []
  readonly generations: number[] = []
  private readonly loader: JobTable
  private readonly below: (bound: number) => number
  /** By sender and receiver, what is under way. */
  readonly links: Uint8Array[][][]
  private readonly follows = new Map<number, Heard>()
  private readonly reads = new Map<number, { rows: CountedRow[]; threads: number[]; errors: string[]; left: number }>()
  private requests = 0
  private workers = 0
  /** Called after every action. */
  afterAction: (() => void) | null = null

  private readonly perProcess: number
  /**
   * @param most threads at any time
   * @param perProcess threads of one process, between which messages have no checksum
   */
  constructor(most: number, loader: JobTable, below: (bound: number) => number, perProcess = most) {
    this.perProcess = perProcess
    this.loader = loader
    this.below = below
    this.links = Array.from({ length: most }, () => Array.from({ length: most }, () => []))
    this.threads = Array.from({ length: most }, (_, thread) => {
      const outlet: ThreadOutlet = {
        event: (event) => this.hear(thread, event),
        peer: (to, bytes) => this.links[thread][to].push(bytes.slice()),
        outboundBytes: 0,
        load: () => ({ busy: 0.5, inboundMessages: 0, heapBytes: 1 }),
      }
      const service = new ThreadService({ outlet, loader, monotonic: () => 0 })
      return { service, commands: [], complete: new Map(), stirred: false }
    })
  }

  /** Begins a generation; messages of the one before that are under way still arrive. */
  configure(generation: number, workers: number): void {
    this.workers = workers
    this.flows.clear()
    this.follows.clear()
    const owners = [...ShardTable.even(generation, workers).owners]
    for (let index = 0; index < workers; index++) {
      this.threads[index].complete.clear()
      const first = index - (index % this.perProcess)
      this.send(index, { kind: 'configure', generation, index, workers, owners, protocol: 2, first, threads: this.perProcess })
    }
    this.settle()
  }

  /** @param times that will be given first */
  install(dataflow: number, job: AnyJob, since = 0, times: readonly number[] = []): void {
    this.loader.jobs.set(`${dataflow}`, job)
    this.flows.set(dataflow, { since, minted: since, visible: since })
    this.all({ kind: 'install', dataflow, name: job.name, since, digest: `${dataflow}`, code: '' })
    // Nobody starts before all have installed it.
    this.settle()
    this.all({ kind: 'start', dataflow, times })
  }

  drop(dataflow: number): void {
    this.flows.delete(dataflow)
    this.all({ kind: 'drop', dataflow })
  }

  feed(dataflow: number, input: string, runs: readonly ChangeRun[], thread = this.below(this.workers), partition = 0): void {
    this.send(thread, { kind: 'feed', dataflow, input, partition, runs })
  }

  advance(dataflow: number, time: number): void {
    const flow = this.flows.get(dataflow) as Flow
    flow.minted = time
    this.all({ kind: 'advance', dataflow, time })
  }

  /** Shows what is complete everywhere. */
  show(dataflow: number, compactTo: (visible: number) => number = (visible) => visible): number {
    const flow = this.flows.get(dataflow) as Flow
    const time = this.completeAt(dataflow)
    if (time > flow.visible) {
      flow.visible = time
      this.all({ kind: 'visible', dataflow, time, compactTo: compactTo(time) })
    }
    return flow.visible
  }

  completeAt(dataflow: number): number {
    const since = this.flows.get(dataflow)?.since ?? 0
    return Math.min(...this.threads.slice(0, this.workers).map(({ complete }) => complete.get(dataflow) ?? since))
  }

  follow(dataflow: number, output: string, after: number): { readonly request: number; readonly heard: Heard } {
    const request = ++this.requests
    const heard = new Heard(this.shapeOf(dataflow, output).kept)
    this.follows.set(request, heard)
    this.all({ kind: 'follow', request, dataflow, output, after })
    return { request, heard }
  }

  shapeOf(dataflow: number, output: string): OutputShape {
    const outputs = this.installed.find(({ event }) => event.dataflow === dataflow)?.event.outputs
    return outputs?.find(({ name }) => name === output) as OutputShape
  }

  unfollow(request: number): void {
    this.all({ kind: 'unfollow', request })
  }

  /** Asks all threads; runs until all have answered. */
  read(dataflow: number, output: string, asOf: number, query: Partial<Pick<ReadOutput, 'errors' | 'key' | 'from' | 'limit'>> = {}): Answer {
    const request = ++this.requests
    const answer = { rows: [] as CountedRow[], threads: [] as number[], errors: [] as string[], left: this.workers }
    this.reads.set(request, answer)
    const { errors = false, key = null, from = null, limit = Number.POSITIVE_INFINITY } = query
    this.all({ kind: 'read', request, dataflow, output, errors, asOf, key, from, limit })
    while (answer.left > 0 && this.act());
    if (answer.left > 0) throw new Error(`${answer.left} threads do not answer`)
    return answer
  }

  askStats(): readonly ThreadStats[] {
    this.stats.length = 0
    this.all({ kind: 'ask-stats' })
    this.settle()
    return this.stats
  }

  all(command: ThreadCommand): void {
    for (let index = 0; index < this.workers; index++) this.send(index, command)
  }

  send(thread: number, command: ThreadCommand): void {
    this.threads[thread].commands.push(command)
  }

  /** One action of somebody who has something to do; false if nobody has. */
  act(): boolean {
    const actions: (() => void)[] = []
    for (const thread of this.threads) {
      if (thread.commands.length > 0 && (thread.commands[0].kind !== 'feed' || thread.service.wantsFeed))
        actions.push(() => thread.service.handle(thread.commands.shift() as ThreadCommand))
      if (!thread.service.idle) actions.push(() => thread.service.step(1 + this.below(24)))
    }
    this.links.forEach((row, from) => {
      row.forEach((link, to) => {
        if (link.length > 0) actions.push(() => this.threads[to].service.takePeer(from, link.shift() as Uint8Array))
      })
    })
    if (actions.length === 0) return false
    actions[this.below(actions.length)]()
    this.afterAction?.()
    return true
  }

  settle(): void {
    for (let actions = 0; this.act(); actions++) if (actions > MAXIMUM_ACTIONS) throw new Error('the threads did not come to rest')
    const waiting = this.threads.findIndex(({ commands }) => commands.length > 0)
    if (waiting >= 0) throw new Error(`thread ${waiting} takes no command`)
  }

  private hear(thread: number, event: Exclude<ThreadEvent, { readonly kind: 'peer' }>): void {
    switch (event.kind) {
      case 'configured':
        this.generations.push(event.generation)
        break
      case 'installed':
        this.installed.push({ thread, event })
        break
      case 'failed':
        this.failed.push({ thread, ...event })
        break
      case 'damaged':
        this.damaged.push({ from: event.from, message: event.message })
        break
      case 'broken':
        this.broken.push(event.message)
        break
      case 'complete':
        this.complete(thread, event.dataflow, event.time)
        break
      case 'rows':
        this.rows(thread, event.request, event.rows, event.error)
        break
      case 'changes':
        this.changes(thread, event.request, event.time, event.changes)
        break
      case 'stats':
        this.stats.push(event.stats)
        break
    }
  }

  private complete(thread: number, dataflow: number, time: number): void {
    const { complete } = this.threads[thread]
    const flow = this.flows.get(dataflow)
    if (flow === undefined) return
    if (time <= (complete.get(dataflow) ?? flow.since)) throw new Error(`thread ${thread} is complete at ${time} again`)
    if (time > flow.minted) throw new Error(`thread ${thread} is complete at ${time}, which was not minted`)
    complete.set(dataflow, time)
  }

  private rows(thread: number, request: number, rows: readonly CountedRow[], error: { readonly code: string } | null): void {
    const heard = this.follows.get(request)
    if (heard !== undefined) {
      heard.acknowledged.add(thread)
      if (error !== null) heard.errors.push(error.code)
    }
    const answer = this.reads.get(request)
    if (answer === undefined) return
    answer.left--
    answer.rows.push(...rows)
    for (let i = 0; i < rows.length; i++) answer.threads.push(thread)
    if (error !== null) answer.errors.push(error.code)
  }

  private changes(thread: number, request: number, time: number, changes: readonly CountedRow[]): void {
    const heard = this.follows.get(request)
    if (heard === undefined) return
    heard.longest = Math.max(heard.longest, changes.length)
    const told = heard.changes.get(time)
    if (told === undefined) heard.changes.set(time, [...changes])
    else told.push(...changes)
    if (changes.length === 0) throw new Error(`thread ${thread} tells no changes at ${time}`)
    if (heard.acknowledged.has(thread) && time <= Math.max(...this.threads[thread].complete.values(), -1))
      throw new Error(`thread ${thread} tells changes at ${time}, after it was complete`)
    const rows = new Set((heard.kept ? heard.changes.get(time) : changes)?.map(({ row }) => textOf(row)))
    if (rows.size < ((heard.kept ? heard.changes.get(time) : changes)?.length ?? 0))
      throw new Error(`changes at ${time} are not consolidated`)
    if (changes.some(({ diff }) => diff === 0)) throw new Error(`a change at ${time} is none`)
  }
}

/** Threads that run one job, as dataflow 1. */
export function started(j: unknown, workers = 2, seed = 1): Threads {
  const random = new SeededRandom(seed)
  const threads = new Threads(workers, new JobTable(), (bound) => random.below(bound))
  threads.configure(1, workers)
  threads.install(1, j as Job<InputDefinitions, OutputDefinitions>)
  threads.settle()
  return threads
}

/** Mints a time, and shows it. */
export function tick(threads: Threads, time: number, dataflow = 1): void {
  threads.advance(dataflow, time)
  threads.settle()
  expect(threads.broken).toEqual([])
  expect(threads.failed.filter((one) => one.dataflow === dataflow)).toEqual([])
  expect(threads.show(dataflow)).toBe(time)
  threads.settle()
}
