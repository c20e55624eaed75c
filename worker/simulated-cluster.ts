/**
 * A job on several workers in one process, under a seeded scheduler: for tests of whole jobs.
 *
 * Rows are fed to any worker, at moments that the scheduler chooses; a commit mints one time for all workers, which each of
 * their inputs seals at a moment of its own. Outputs of all workers are put together per time. Everything that is left to chance
 * comes from one source of numbers, so that a seed gives the same run again.
 */

import { Builder } from '../operators/builder.ts'
import { ErrorsOperator } from '../operators/errors.ts'
import type { InputOperator } from '../operators/input.ts'
import type { InputDefinitions } from '../operators/input-definition.ts'
import { builtInput } from '../operators/input-node.ts'
import { type Job, type OutputDefinitions, outputLookups } from '../operators/job.ts'
import type { MintedTimes } from '../operators/minted-times.ts'
import type { KeyedInputOperator } from '../operators/upsert.ts'
import { ShardTable } from '../runtime/channel/shard-table.ts'
import { MillraceError } from '../runtime/error.ts'
import { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import { Timeline } from '../runtime/time/timeline.ts'
import type { BlockStore } from '../runtime/trace/block-store.ts'
import { DataflowCheckpoint } from './dataflow-checkpoint.ts'
import { SimulatedGroup } from './simulated-group.ts'
import { SimulatedOutput } from './simulated-output.ts'
import { Worker } from './worker.ts'

export interface SimulatedClusterOptions {
  readonly workers: number
  /** A whole number from 0 up to, not including, the bound. */
  readonly below: (bound: number) => number
  /** The time as of which the state stands that `prepare` brings back; nothing happens at or before it. */
  readonly since?: number
  /** Where cuts are stored; without it there are none. */
  readonly blocks?: BlockStore
  /** The cluster whose last cut this one goes on from, as of `since`. */
  readonly from?: SimulatedCluster
}

/** What waits to be done to one input of one worker. */
interface Feed {
  readonly worker: number
  readonly operator: InputOperator
  readonly timeline: Timeline
  readonly waiting: { readonly time: number; readonly work: () => void }[]
  time: number
}

/** One in so many chunks of fed rows goes downstream before its commit. */
const EARLY_FLUSH = 4
/** Rows of a chunk at most. */
const CHUNK_ROWS = 4096

export class SimulatedCluster {
  readonly group: SimulatedGroup
  readonly graphs: readonly Dataflow[]
  readonly outputs: ReadonlyMap<string, SimulatedOutput>
  /** Errors of all outputs: each error stream of the dataflow once. */
  readonly errors: SimulatedOutput
  readonly generation: number
  /** Nothing happens at or before it. */
  readonly since: number
  private readonly checkpoints: DataflowCheckpoint[] = []
  private readonly below: (bound: number) => number
  private readonly timeline: Timeline
  private readonly feeds = new Map<string, Feed[]>()
  private clock: number
  /** All minted times, ascending; what takes effect with time alone looks there, on every worker. */
  private readonly times: number[] = []
  private readonly minted: MintedTimes = {
    next: (after, frontier) => this.times.find((time) => time > after && time < frontier) ?? Number.POSITIVE_INFINITY,
  }
  /** By input and key: the worker that takes the commands of the commit at hand, since their order counts. */
  private readonly route = new Map<string, number>()

  constructor(job: Job<InputDefinitions, OutputDefinitions>, options: SimulatedClusterOptions) {
    const { workers, below, since = 0 } = options
    const generation = options.from === undefined ? 1 : options.from.generation + 1
    this.below = below
    this.generation = generation
    this.since = since
    this.clock = since
    this.timeline = new Timeline(() => this.clock, since)
    const shards = ShardTable.even(generation, workers)
    const outputs = new Map(Object.entries(job.outputs).map(([name, output]) => [name, new SimulatedOutput(name, output)]))
    this.outputs = outputs
    this.errors = new SimulatedOutput('errors', null)
    const members = Array.from({ length: workers }, (_, index) => new Worker(index, shards))
    this.graphs = members.map((worker) => {
      const graph = new Dataflow(job.name, worker.dictionary, since + 1)
      worker.add(0, graph, () => {
        this.install(job, graph, worker.index)
        if (options.blocks !== undefined) this.checkpoints.push(new DataflowCheckpoint(graph, options.blocks, this.prefix(worker.index)))
        const prefixes = options.from?.prefixes
        if (prefixes !== undefined)
          this.checkpoints[worker.index].restore(prefixes, (shard) => shards.owners[shard] === worker.index, since)
      })
      return graph
    })
    this.group = new SimulatedGroup(members, below)
  }

  /** The last minted time. */
  get time(): number {
    return this.timeline.closed
  }

  /** The last time that is complete at every output of every worker. */
  get complete(): number {
    let least = this.errors.frontier
    for (const output of this.outputs.values()) least = Math.min(least, output.frontier)
    return least - 1
  }

  /** Feeds a row to some worker, as part of the next commit. */
  change(input: string, row: object, difference: number): void {
    const feeds = this.feedsOf(input)
    const feed = feeds[this.below(feeds.length)]
    this.enqueue(feed, () => feed.operator.changeRows([row], difference))
  }

  /** Feeds many rows, in chunks to some workers each. */
  changeMany(input: string, rows: readonly object[], difference: number): void {
    const feeds = this.feedsOf(input)
    for (let from = 0; from < rows.length; ) {
      const feed = feeds[this.below(feeds.length)]
      const chunk = rows.slice(from, from + 1 + this.below(CHUNK_ROWS))
      this.enqueue(feed, () => feed.operator.changeRows(chunk, difference))
      from += chunk.length
    }
  }

  /** A command for a key; all commands of a commit for one key go through one worker, in their order. */
  upsert(input: string, key: Readonly<Record<string, unknown>>, row: object | null): void {
    const feed = this.feedOfKey(input, key)
    const operator = feed.operator as KeyedInputOperator
    const { dictionary } = operator.dataflow
    this.enqueue(feed, () => (row === null ? operator.deleteKey(key, Object.keys(key), dictionary) : operator.upsertRows([row])))
  }

  /** Sets the clock, from which the next time is minted, before anything is fed for it. */
  setClock(microseconds: number): void {
    this.clock = microseconds
  }

  /** Ends the time of all that was fed since the last commit; each input seals it when its turn comes. */
  commit(): number {
    const time = this.timeline.close()
    this.times.push(time)
    for (const feeds of this.feeds.values())
      for (const feed of feeds) {
        feed.waiting.push({
          time,
          work: () => {
            feed.timeline.close()
            feed.operator.seal(time)
          },
        })
      }
    this.route.clear()
    return time
  }

  /** One action of the scheduler; false if nobody has anything to do. */
  act(): boolean {
    const ready: Feed[] = []
    for (const feeds of this.feeds.values()) for (const feed of feeds) if (feed.waiting.length > 0) ready.push(feed)
    if (ready.length === 0 || this.below(3) > 0) if (this.group.act()) return true
    if (ready.length === 0) return false
    this.feed(ready[this.below(ready.length)])
    return true
  }

  /** Acts until nobody has anything to do. */
  settle(): void {
    while (this.act());
    if (this.complete !== this.time && this.time > 0)
      throw new MillraceError('INVARIANT', `at rest, outputs are complete up to ${this.complete}, not ${this.time}`)
  }

  /** Comes to rest, and stores everything as of the last minted time. Returns that time. */
  cut(): number {
    this.settle()
    for (const checkpoint of this.checkpoints) checkpoint.cut(this.time)
    return this.time
  }

  /** Drops chosen keys from the memory of all workers; returns how many. */
  evict(choose: (key: number) => boolean): number {
    let count = 0
    for (const checkpoint of this.checkpoints) count += checkpoint.evict(choose)
    return count
  }

  private prefix(worker: number): string {
    return `${this.generation}/${worker}`
  }

  private get prefixes(): string[] {
    return this.graphs.map((_, worker) => this.prefix(worker))
  }

  private feed(feed: Feed): void {
    const { time, work } = feed.waiting.shift() as Feed['waiting'][number]
    feed.time = time
    work()
    if (feed.operator.pending && this.below(EARLY_FLUSH) === 0) feed.operator.flush()
    this.group.stir(feed.worker)
    this.group.afterAction?.()
  }

  private enqueue(feed: Feed, work: () => void): void {
    feed.waiting.push({ time: this.timeline.current(), work })
  }

  private feedsOf(input: string): readonly Feed[] {
    const feeds = this.feeds.get(input)
    if (feeds === undefined) throw new MillraceError('UNKNOWN_NAME', `there is no input ${input}`)
    return feeds
  }

  private feedOfKey(input: string, key: object): Feed {
    const feeds = this.feedsOf(input)
    // Equal keys may be written differently: 1.0 and 1.00.
    const texts = Object.values(key).map((value) => (Number.isNaN(Number(value)) ? String(value) : String(Number(value))))
    const name = `${input} ${texts.join(', ')}`
    let worker = this.route.get(name)
    if (worker === undefined) {
      worker = this.below(feeds.length)
      this.route.set(name, worker)
    }
    return feeds[worker]
  }

  private install(job: Job<InputDefinitions, OutputDefinitions>, graph: Dataflow, worker: number): void {
    const builder = new Builder(
      graph,
      Object.values(job.outputs).map((output) => output.node),
      outputLookups(job.outputs),
    )
    builder.minted = this.minted
    for (const [name, node] of Object.entries(job.inputNodes)) {
      const { input, rejected } = builtInput(builder, node)
      for (const [feedName, operator] of [
        [name, input],
        [`${name} rejected`, rejected],
      ] as const) {
        const feeds = this.feeds.get(feedName) ?? []
        this.feeds.set(feedName, feeds)
        const feed: Feed = { worker, operator, waiting: [], time: 0, timeline: new Timeline(() => feed.time, this.timeline.closed) }
        operator.start(feed.timeline)
        feeds.push(feed)
      }
    }
    const errors = new Set<Stream>()
    for (const output of this.outputs.values()) for (const stream of output.build(builder)) errors.add(stream)
    this.errors.hear(new ErrorsOperator(graph, errors).stream)
  }
}
