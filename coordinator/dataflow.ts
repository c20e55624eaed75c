/** What is known of one deployed job across generations: its times and cuts, and what went wrong. */
import type { JobReference, ProcessId } from '../runtime/protocol/control.ts'
import { type ReplayFact, replayKey, setFact } from './facts.ts'
import type { Fact } from './metadata/metadata-store.ts'
import type { CoordinatorLimits } from './options.ts'
import { ReplayLog } from './replay-log.ts'
import { Timeline } from './timeline.ts'

/** The thread that a partition was fed to. */
export interface Placed {
  readonly process: ProcessId
  readonly thread: number
}

export class Dataflow {
  readonly number: number
  readonly job: JobReference
  readonly group: string
  log: ReplayLog
  readonly timeline: Timeline
  /** Whether rows come or go with time alone. */
  temporal: boolean
  /** The last time that was told to be visible, under this term or, as far as is known, before. */
  seen: number
  /** By process: all its followers were told up to here. */
  readonly told = new Map<ProcessId, number>()
  /** By `partitionKey`. */
  readonly placed = new Map<string, Placed>()
  /** Crashes of processes while it was starting; from the second on it starts after all others, and alone. */
  strikes = 0

  constructor(number: number, job: JobReference, group: string, log: ReplayLog, minted: number, temporal: boolean) {
    this.number = number
    this.job = job
    this.group = group
    this.log = log
    this.timeline = new Timeline(minted)
    this.temporal = temporal
    this.seen = log.visible
  }

  /** Of a job that was never started: nothing happens at or before `since`. */
  static fresh(number: number, job: JobReference, group: string, since: number, limits: CoordinatorLimits): Dataflow {
    return new Dataflow(number, job, group, new ReplayLog(since, limits), since, false)
  }

  /** @param minted all times that earlier terms minted are at or below it */
  static stored(fact: ReplayFact, job: JobReference, group: string, minted: number, limits: CoordinatorLimits): Dataflow {
    return new Dataflow(fact.dataflow, job, group, ReplayLog.restore(fact, limits), minted, fact.temporal)
  }

  get isSuspect(): boolean {
    return this.strikes >= 2
  }

  /** R is at or before it: what all followers were told, or what is visible if there are none. */
  get leastTold(): number {
    let least = this.log.visible
    for (const time of this.told.values()) if (time < least) least = time
    return least
  }

  /** Its log as a durable fact; see `ReplayFact.exact`. */
  fact(generation: number, exact: boolean): Fact {
    const { number, temporal, log } = this
    return setFact(replayKey(number), { kind: 'replay', dataflow: number, generation, temporal, exact, ...log.snapshot() })
  }
}
