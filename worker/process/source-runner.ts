/**
 * The sources of one dataflow that this process reads: first again, up to the cuts of each time that is replayed, then live.
 *
 * A replay feeds for each of its times exactly the rows that had it, on every process: partitions stop at their cuts, all threads
 * are told the time, then it goes on. Live, a minted time takes what was fed by then, and where each partition stood is
 * its cut ("reclocking": what Materialize does with the offsets of a source).
 */
import type { Environment } from '../../runtime/env/environment.ts'
import { invariant } from '../../runtime/error.ts'
import type { Log } from '../../runtime/log/log.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import type { Cut, Replay, SourceAssignment } from '../../runtime/protocol/control.ts'
import type { Position } from '../../runtime/protocol/position.ts'
import type { InputShape, ReplayableSource } from '../../runtime/protocol/replayable-source.ts'
import { PartitionRunner } from './partition-runner.ts'
import type { SourceView } from './process-view.ts'
import type { ReadingTurns } from './reading-turns.ts'

/** Rows that were fed and are not visible yet; at more, sources wait. */
export const UNSEEN_ROWS = 1 << 18
/** Rows of one message to a thread, whatever a source gives at once. */
const FEED_ROWS = 4096

export interface SourceHost {
  readonly environment: Environment
  readonly log: Log
  readonly turns: ReadingTurns
  /** Whether a worker of this process can take more rows. */
  mayRead(worker: number): boolean
  /** @param partition a number that no other partition of the input has in this process */
  feed(worker: number, input: string, partition: number, runs: readonly ChangeRun[]): void
  /** Seals the inputs of all threads at a time. */
  advance(time: number): void
  /** The replay is over: from now on times are minted. */
  onLive(): void
  /** Rows wait for a time, or were given one. */
  onWaiting(): void
  onFatal(error: unknown): void
}

export interface SourceInput {
  readonly source: ReplayableSource
  readonly shape: InputShape
}

interface Partition {
  readonly runner: PartitionRunner
  /** What it was when it changed: the last one as of the visible time, and all after it. */
  cuts: { readonly time: number; readonly position: Position }[]
}

export class SourceRunner {
  readonly dataflow: number
  /** Of this process. */
  readonly assignments: readonly SourceAssignment[]
  live = false
  private readonly host: SourceHost
  /** To replay, and where partitions stand at them. */
  private readonly times: readonly number[]
  private readonly positions = new Map<string, Position>()
  private readonly partitions: readonly Partition[]
  /** Rows since the last minted time. */
  private fresh = 0
  /** By minted time that is not visible. */
  private readonly unseen: { readonly time: number; readonly rows: number }[] = []
  /** Of both. */
  private unseenRows = 0
  private closed = false

  constructor(
    host: SourceHost,
    dataflow: number,
    inputs: Readonly<Record<string, SourceInput>>,
    assignments: readonly SourceAssignment[],
    replay: Replay,
  ) {
    this.host = host
    this.dataflow = dataflow
    this.times = replay.times
    for (const { time, input, partition, position } of replay.cuts)
      if (position !== null) this.positions.set(placeOf(time, input, partition), position)
    this.assignments = assignments.filter(({ input }) => inputs[input] !== undefined)
    this.partitions = this.assignments.map((assignment, number) => {
      const { source, shape } = inputs[assignment.input]
      const { environment, log, turns } = host
      const runner = new PartitionRunner(
        {
          environment,
          log,
          turns,
          mayRead: () => this.mayRead(assignment.worker),
          feed: (runs, rows) => this.feed(assignment, number, runs, rows),
          onFatal: (error) => host.onFatal(error),
        },
        source,
        shape,
        assignment,
      )
      return { runner, cuts: [] }
    })
  }

  /** Rows were fed that no minted time covers. */
  get waiting(): boolean {
    return this.live && this.fresh > 0
  }

  get views(): SourceView[] {
    return this.partitions.map(({ runner }) => runner.view(this.dataflow))
  }

  start(): void {
    this.run().catch((error: unknown) => {
      if (!this.closed) this.host.onFatal(error)
    })
  }

  /** A minted time, once live: seals the inputs at it. Returns the cuts that differ from those at the time before. */
  mint(time: number): Cut[] {
    invariant(this.live, `time ${time} was minted before the replay was over`)
    const cuts: Cut[] = []
    for (const partition of this.partitions) {
      const { position, assignment } = partition.runner
      if (position === null || partition.cuts.at(-1)?.position === position) continue
      partition.cuts.push({ time, position })
      cuts.push({ input: assignment.input, partition: assignment.partition, time, position })
    }
    if (this.fresh > 0) this.unseen.push({ time, rows: this.fresh })
    this.fresh = 0
    this.host.advance(time)
    return cuts
  }

  /** All up to a time may be seen. */
  settle(time: number): void {
    const before = this.unseenRows
    while (this.unseen.length > 0 && this.unseen[0].time <= time) this.unseenRows -= (this.unseen.shift() as { rows: number }).rows
    for (const partition of this.partitions) while (partition.cuts.length > 1 && partition.cuts[1].time <= time) partition.cuts.shift()
    if (before > UNSEEN_ROWS && this.unseenRows <= UNSEEN_ROWS) this.wake()
  }

  /** Of each partition the cut as of the visible time and all after it, as far as there are any. */
  knownCuts(): Cut[] {
    return this.partitions.flatMap(({ runner, cuts }) => {
      const { input, partition } = runner.assignment
      return cuts.map(({ time, position }) => ({ input, partition, time, position }))
    })
  }

  /** What held reading back may be over. */
  wake(): void {
    for (const { runner } of this.partitions) runner.wake()
  }

  close(): void {
    this.closed = true
    for (const { runner } of this.partitions) void runner.close()
  }

  private async run(): Promise<void> {
    for (const time of this.times) {
      await Promise.all(this.partitions.map((partition) => this.readAgain(partition, time)))
      if (this.closed) return
      this.host.advance(time)
    }
    this.live = true
    this.host.onLive()
    await Promise.all(this.partitions.map(({ runner }) => runner.follow()))
  }

  private async readAgain(partition: Partition, time: number): Promise<void> {
    const { runner } = partition
    const { input, partition: name } = runner.assignment
    const until = this.positions.get(placeOf(time, input, name))
    // A partition without a cut stands where it stood.
    if (until === undefined) return
    await runner.readTo(until)
    const { position } = runner
    if (position !== null && partition.cuts.at(-1)?.position !== position) partition.cuts.push({ time, position })
  }

  private mayRead(worker: number): boolean {
    return this.unseenRows <= UNSEEN_ROWS && this.host.mayRead(worker)
  }

  private feed({ worker, input }: SourceAssignment, partition: number, runs: readonly ChangeRun[], rows: number): void {
    for (const some of portions(runs)) this.host.feed(worker, input, partition, some)
    if (!this.live) return
    const waited = this.fresh > 0
    this.fresh += rows
    this.unseenRows += rows
    if (!waited) this.host.onWaiting()
  }
}

/** The same changes in lists of about `FEED_ROWS` rows. */
function portions(runs: readonly ChangeRun[]): readonly (readonly ChangeRun[])[] {
  const all: ChangeRun[][] = [[]]
  let rows = 0
  for (const run of runs) {
    for (let from = 0; from < run.rows.length; from += FEED_ROWS) {
      const some = run.rows.length <= FEED_ROWS ? run : ({ op: run.op, rows: run.rows.slice(from, from + FEED_ROWS) } as ChangeRun)
      if (rows > 0 && rows + some.rows.length > FEED_ROWS) {
        all.push([])
        rows = 0
      }
      all[all.length - 1].push(some)
      rows += some.rows.length
    }
  }
  return all
}

function placeOf(time: number, input: string, partition: string): string {
  return JSON.stringify([time, input, partition])
}
