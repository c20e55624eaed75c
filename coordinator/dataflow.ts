/** What is known of one deployed job across generations: its times and cuts, and what went wrong. */
import type { JobReference, ProcessId } from '../runtime/protocol/control.ts'
import { type ReplayFact, removeFact, replayKey, type SettledFact, setFact, settledKey } from './facts.ts'
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
  /** The last time that was told to be visible under this term. */
  seen: number
  /** By process: all its followers were told up to here. */
  readonly told = new Map<ProcessId, number>()
  /** By `partitionKey`. */
  readonly placed = new Map<string, Placed>()
  /** Crashes of processes while it was starting; from the second on it starts after all others, and alone. */
  strikes = 0
  /** Facts that go when the log is written as a whole. */
  private settled: { readonly key: string; readonly time: number }[] = []

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
    const dataflow = new Dataflow(fact.dataflow, job, group, ReplayLog.restore(fact, limits), minted, fact.temporal)
    // Some process may show an earlier time as the newest: who was told what is not known.
    dataflow.seen = 0
    return dataflow
  }

  get settledKeys(): readonly string[] {
    return this.settled.map(({ key }) => key)
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

  /** Its log as durable facts, in place of what was settled one by one. A new generation begins with all of what is visible, and nothing else. */
  facts(generation: number, isNew = false): Fact[] {
    const { number, temporal, log } = this
    const over = this.settled.filter(({ time }) => isNew || time <= log.visible)
    this.settled = this.settled.filter((one) => !over.includes(one))
    const replay = setFact(replayKey(number), { kind: 'replay', dataflow: number, generation, temporal, ...log.snapshot() })
    return [replay, ...over.map(({ key }) => removeFact(key))]
  }

  /** Minted times that all members are complete at, as a durable fact: then they may become visible. */
  settle(generation: number, times: readonly number[]): Fact {
    const { number, log } = this
    const last = times[times.length - 1]
    const key = settledKey(number, last)
    this.settled.push({ key, time: last })
    return setFact(key, { kind: 'settled', dataflow: number, generation, times, cuts: log.cutsBetween(times[0], last) })
  }

  /** What was settled before this term, ascending. Facts of an earlier generation say nothing: its open times were forgotten. */
  restoreSettled(replay: ReplayFact, facts: readonly SettledFact[]): void {
    for (const { generation, times, cuts } of facts) {
      const last = times[times.length - 1]
      this.settled.push({ key: settledKey(this.number, last), time: last })
      if (generation !== replay.generation || last <= this.log.visible) continue
      for (const cut of cuts) this.log.addCut(cut)
      this.log.makeVisible(times.filter((time) => time > this.log.visible))
    }
    this.timeline.mint(this.log.visible)
  }
}
