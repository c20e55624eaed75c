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
  temporal = false
  /** The last time that was told to be visible under this term. */
  seen: number
  /** Of its group, when it was started last. What is settled belongs to it. */
  private generation: number
  /** By process: all its followers were told up to here. */
  readonly told = new Map<ProcessId, number>()
  /** By `partitionKey`. */
  readonly placed = new Map<string, Placed>()
  /** Crashes of processes while it was starting; from the second on it starts after all others, and alone. */
  strikes = 0
  /** Facts that go when the log is written as a whole. */
  private settled: { readonly key: string; readonly time: number }[] = []

  private constructor(number: number, job: JobReference, group: string, generation: number, log: ReplayLog, minted: number) {
    this.number = number
    this.job = job
    this.group = group
    this.generation = generation
    this.log = log
    this.timeline = new Timeline(minted)
    // Some process may show an earlier time as the newest: who was told what before this term is not known.
    this.seen = 0
  }

  /** Of a job that was never started: nothing happens at or before `since`. */
  static fresh(number: number, job: JobReference, group: string, generation: number, since: number, limits: CoordinatorLimits): Dataflow {
    return new Dataflow(number, job, group, generation, new ReplayLog(since, limits), since)
  }

  /** @param minted all times that earlier terms minted are at or below it */
  static stored(fact: ReplayFact, job: JobReference, group: string, minted: number, limits: CoordinatorLimits): Dataflow {
    const dataflow = new Dataflow(fact.dataflow, job, group, fact.generation, ReplayLog.restore(fact, limits), minted)
    dataflow.temporal = fact.temporal
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

  /** Its log as durable facts, in place of what was settled one by one. */
  facts(): Fact[] {
    return this.factsWithout(({ time }) => time <= this.log.visible)
  }

  /** As `facts`, for a new generation: that begins with all of what is visible, and nothing else. */
  begin(generation: number): Fact[] {
    this.generation = generation
    return this.factsWithout(() => true)
  }

  /** Minted times that all members are complete at, as a durable fact: then they may become visible. */
  settle(generation: number, times: readonly number[]): Fact {
    const { number, log } = this
    const last = times[times.length - 1]
    const key = settledKey(number, last)
    this.settled.push({ key, time: last })
    return setFact(key, { kind: 'settled', dataflow: number, generation, times, cuts: log.cutsBetween(times[0], last) })
  }

  /**
   * What was settled before this term, ascending. What an older generation than the log's settled and did not make visible, it forgot.
   * A later one than the log's is that of a job which was deployed while it began.
   */
  restoreSettled(facts: readonly SettledFact[]): void {
    for (const { generation, times, cuts } of facts) {
      const last = times[times.length - 1]
      this.settled.push({ key: settledKey(this.number, last), time: last })
      if (generation < this.generation || last <= this.log.visible) continue
      for (const cut of cuts) this.log.addCut(cut)
      this.log.makeVisible(times.filter((time) => time > this.log.visible))
    }
    this.timeline.mint(this.log.visible)
  }

  private factsWithout(isOver: (settled: { readonly time: number }) => boolean): Fact[] {
    const { number, temporal, generation, log } = this
    const over = this.settled.filter(isOver)
    this.settled = this.settled.filter((one) => !isOver(one))
    const replay = setFact(replayKey(number), { kind: 'replay', dataflow: number, generation, temporal, ...log.snapshot() })
    return [replay, ...over.map(({ key }) => removeFact(key))]
  }
}
