/** A job as its scripted processes have it: its bundle is JSON that says how it behaves, its sources are counters. */
import type { Cut, SourceAssignment } from '../../runtime/protocol/control.ts'

export interface ScriptedJob {
  readonly partitions: number
  readonly temporal?: boolean
  /** Names of processes at which it fails, hangs or ends the process. */
  readonly failsInstall?: readonly string[]
  readonly hangsInstall?: readonly string[]
  readonly crashesStart?: readonly string[]
  readonly failsAfter?: number
  /** No rows ever come. */
  readonly quiet?: boolean
}

export class ScriptedRun {
  readonly dataflow: number
  readonly job: ScriptedJob
  readonly since: number
  assignments: readonly SourceAssignment[] = []
  all: readonly SourceAssignment[] = []
  /** Rows read, by partition that this process reads. */
  readonly read = new Map<string, number>()
  readonly cuts: Cut[] = []
  unreported: Cut[] = []
  minted: number[] = []
  last: number
  visible: number | null = null
  complete: number
  live = false
  waiting = false
  started = false
  told: number | null = null

  constructor(dataflow: number, job: ScriptedJob, since: number) {
    this.dataflow = dataflow
    this.job = job
    this.since = since
    this.complete = since
    this.last = since
  }
}
