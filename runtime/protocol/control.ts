/**
 * All that the coordinator and worker processes say to each other, over one connection per process, which the process opens.
 *
 * 1. `hello` -> `welcome` or `refused`. From then on heartbeats go both ways; a process holds its lease for as long as the
 *    answer to a heartbeat promised, counted from when the heartbeat was *sent*.
 * 2. A generation: `prepare` (forget everything, these are the members, connect to each other) -> `prepared`, or `unreachable`.
 *    For each job `install` -> `installed` or `failed`; when all have installed it, `start` (read the sources; first again up to the
 *    replay's cuts) -> reports. `install` and `start` also come for a new job within a generation, `drop` for one that goes.
 * 3. Times: a process reports that rows wait (`waiting`); the coordinator mints a time and says `advance`; each process seals its
 *    inputs at it and reports where its sources were (`cuts`), and later that its outputs are complete. When all are, `visible` is
 *    told: only then may anybody outside see that time. So whatever was seen can be computed again, time by time.
 *
 * Tolerated races: reports of an older generation arrive and are ignored; a process that is fenced says what it wants and
 * nobody listens. Unknown fields are ignored and unknown kinds too, so that the next version can add some.
 */
import type { ShardLoad } from '../channel/shard-sample.ts'
import type { Position } from './position.ts'
import type { ProtocolRange } from './version.ts'

/** One process, from its start to its end: a process that starts again is another one. */
export type ProcessId = string

export interface Member {
  readonly process: ProcessId
  readonly name: string
  /** Where other processes connect: an http(s) URL. */
  readonly address: string
  readonly threads: number
  /** The number of its first worker within the generation; its threads are consecutive workers. */
  readonly first: number
}

/** A job as the catalog has it. */
export interface JobReference {
  readonly name: string
  /** Of the bundle, which is fetched by it: SHA-256, hex. Workers whose digests differ never run together. */
  readonly digest: string
}

/** Which worker one partition of a source is fed to. */
export interface SourceAssignment {
  readonly input: string
  readonly partition: string
  readonly worker: number
}

/** Where a source stood when a time was sealed: rows up to the position have that time or an earlier one. */
export interface Cut {
  readonly input: string
  readonly partition: string
  readonly time: number
  /** null: before the first row. */
  readonly position: Position | null
}

/**
 * How a generation goes on from the last one: sources are read again, all up to the cuts at the first time under that
 * time, what follows under the later times exactly as before. Empty for a job that starts.
 *
 * Nothing at or before the dataflow's since can be told again: a follower that was told no later time begins anew. That is so if it
 * held back for too long, and if coordinator and process were lost at once, with what only they knew.
 */
export interface Replay {
  /** Ascending; the dataflow's since is one before the first. */
  readonly times: readonly number[]
  /** Per partition the cut at each of the times, or at none if it is new since. */
  readonly cuts: readonly Cut[]
}

export interface DataflowTimes {
  readonly dataflow: number
  readonly time: number
}

// ---- from a process

export interface Hello {
  readonly kind: 'hello'
  readonly protocol: ProtocolRange
  readonly cluster: string
  readonly process: ProcessId
  /** What people call it; unique among living processes. */
  readonly name: string
  readonly group: string
  readonly threads: number
  readonly address: string
  readonly admin: string | null
  /** The release that it runs. */
  readonly version: string
  /** What it still has, when it comes back to a coordinator that was away; null if nothing. */
  readonly held: HeldGeneration | null
}

export interface HeldGeneration {
  readonly generation: number
  readonly members: readonly ProcessId[]
  /** Those that it was told to start and that have not failed. */
  readonly dataflows: readonly {
    readonly dataflow: number
    /** The last time that it was told is visible; the dataflow's since if none. */
    readonly visible: number
    /** Minted times after the visible one that it was told, ascending. */
    readonly minted: readonly number[]
    /** Of each partition that it reads, from the one as of the visible time on. */
    readonly cuts: readonly Cut[]
    readonly assignments: readonly SourceAssignment[]
    readonly live: boolean
  }[]
}

export interface Heartbeat {
  readonly kind: 'heartbeat'
  /** The sender's monotonic clock, microseconds: comes back in the answer. */
  readonly sentAt: number
  readonly stats: ProcessStats
}

export interface ProcessStats {
  readonly memoryBytes: number
  readonly threads: readonly ThreadStats[]
}

export interface ThreadStats {
  readonly worker: number
  /** Share of the time since the last statistics in which it worked, 0 to 1. */
  readonly busy: number
  /** Bytes that wait to be sent to other workers, and messages that wait to be taken. */
  readonly outboundBytes: number
  readonly inboundMessages: number
  readonly heapBytes: number
  /** What went to other workers and came from them since the thread started; earlier releases do not tell. */
  readonly exchanged?: {
    readonly framesOut: number
    readonly bytesOut: number
    readonly framesIn: number
    readonly bytesIn: number
  }
  readonly dataflows: readonly {
    readonly dataflow: number
    /** Its outputs are complete up to here. */
    readonly complete: number
    /** The operator that is least far, `name#id`; null if none is behind the minted times. */
    readonly holder: string | null
    readonly stateBytes: number
    readonly rows: number
    readonly errors: number
    /** Rows that this worker keeps, by output; earlier releases do not tell. */
    readonly outputRows?: Readonly<Record<string, number>>
    /** Null, or not there in earlier releases: it is not known. */
    readonly shards?: ShardLoad | null
  }[]
}

export interface Prepared {
  readonly kind: 'prepared'
  readonly generation: number
}

/** Could not connect to these members, or lost them. */
export interface Unreachable {
  readonly kind: 'unreachable'
  readonly generation: number
  readonly peers: readonly ProcessId[]
  readonly reason: string
}

export interface Installed {
  readonly kind: 'installed'
  readonly generation: number
  readonly dataflow: number
  /** The partitions of each input that has a source, as this process sees them. */
  readonly partitions: Readonly<Record<string, readonly string[]>>
  /** Whether rows leave or enter views with time alone. */
  readonly temporal: boolean
}

export interface NeedBundle {
  readonly kind: 'need-bundle'
  readonly digest: string
}

/** A job cannot run here, or stopped. */
export interface Failed {
  readonly kind: 'failed'
  readonly generation: number
  readonly dataflow: number
  readonly code: string
  readonly message: string
}

export interface Report {
  readonly kind: 'report'
  readonly generation: number
  readonly dataflow: number
  /** Its sources are read up to the replay's last cuts. */
  readonly live: boolean
  /** Rows were fed that no minted time covers yet. */
  readonly waiting: boolean
  /** All outputs of all its threads are complete up to here. */
  readonly complete: number
  /**
   * New since the last report. Sent before (or with) a `complete` that depends on them, on the same connection. A partition
   * without a cut at a minted time stands where it stood at the time before.
   */
  readonly cuts: readonly Cut[]
  /** All followers at this process were told up to here; null without followers. Replays go back no further than they need. */
  readonly told: number | null
}

/** Wants to go: the coordinator starts a generation without it and says `released`. */
export interface Leaving {
  readonly kind: 'leaving'
}

export type FromProcess = Hello | Heartbeat | Prepared | Unreachable | Installed | NeedBundle | Failed | Report | Leaving

// ---- from the coordinator

export interface Welcome {
  readonly kind: 'welcome'
  readonly protocol: number
  /** Grows with each leader: a process never obeys an older one. */
  readonly epoch: number
  readonly heartbeatMilliseconds: number
  readonly leaseMilliseconds: number
  /**
   * Whether it keeps what it held. If so, what may have been lost with the old connection is said again: the process sends a
   * report for each dataflow, and is told all times that are minted and not visible, in order; it ignores those that it
   * knows. A `prepare` may still follow.
   */
  readonly resumed: boolean
}

export interface Refused {
  readonly kind: 'refused'
  readonly code: string
  readonly message: string
  /** Whether trying again later, or elsewhere, can help; `leader` is where. */
  readonly retry: boolean
  readonly leader: string | null
}

export interface HeartbeatAnswer {
  readonly kind: 'heartbeat-answer'
  readonly sentAt: number
  readonly leaseMilliseconds: number
}

export interface Prepare {
  readonly kind: 'prepare'
  readonly group: string
  readonly generation: number
  readonly members: readonly Member[]
  /** By virtual shard the number of the worker that owns it. */
  readonly owners: readonly number[]
  /** What all members speak. */
  readonly protocol: number
}

export interface Install {
  readonly kind: 'install'
  readonly generation: number
  readonly dataflow: number
  readonly job: JobReference
  /** Nothing happens at or before it. */
  readonly since: number
}

export interface Start {
  readonly kind: 'start'
  readonly generation: number
  readonly dataflow: number
  readonly assignments: readonly SourceAssignment[]
  readonly replay: Replay
}

export interface Drop {
  readonly kind: 'drop'
  readonly generation: number
  readonly dataflow: number
}

export interface Bundle {
  readonly kind: 'bundle'
  readonly digest: string
  readonly code: string
}

export interface Advance {
  readonly kind: 'advance'
  readonly generation: number
  /** Minted: inputs seal at it. */
  readonly minted: readonly DataflowTimes[]
  /** Complete everywhere, with all cuts known: may be seen. */
  readonly visible: readonly DataflowTimes[]
  /** Nobody reads or replays times before it any more. */
  readonly compactTo: readonly DataflowTimes[]
}

/** It may go; it is in no generation. Also comes unasked, when somebody drains it from outside. */
export interface Released {
  readonly kind: 'released'
}

export type FromCoordinator = Welcome | Refused | HeartbeatAnswer | Prepare | Install | Start | Drop | Bundle | Advance | Released

/** Connections to a coordinator are opened at this path, and between worker processes at the other one. */
export const CONTROL_PATH = '/control'
export const PEER_PATH = '/peer'
