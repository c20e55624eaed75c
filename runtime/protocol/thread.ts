/**
 * All that the main thread of a worker process and its dataflow threads say to each other, through rings. In order; a
 * thread takes commands between steps and never waits for an answer.
 */
import type { ChangeRun } from './change-run.ts'
import type { ThreadStats } from './control.ts'

// ---- to a dataflow thread

/**
 * Forgets all dataflows and begins a generation. Messages of others are dropped, of older ones as of newer ones. Answered by
 * `configured`: all events before it are of the generation before.
 */
export interface Configure {
  readonly kind: 'configure'
  readonly generation: number
  /** The number of this worker. */
  readonly index: number
  readonly workers: number
  readonly owners: readonly number[]
  readonly protocol: number
  /** Workers of this process are `first` to `first + threads - 1`: reached by rings of their own, the others through the main thread. */
  readonly first: number
  readonly threads: number
}

export interface InstallDataflow {
  readonly kind: 'install'
  readonly dataflow: number
  readonly name: string
  readonly since: number
  readonly digest: string
  /** The bundle; a thread keeps what it loaded by digest. */
  readonly code: string
}

/** All workers have installed it: it may run. */
export interface StartDataflow {
  readonly kind: 'start'
  readonly dataflow: number
  /** Ascending: what is fed first is for these times, one after the other, and none is minted before the last of them was given. */
  readonly times: readonly number[]
}

export interface DropDataflow {
  readonly kind: 'drop'
  readonly dataflow: number
}

/** Rows for the time that the next `advance` gives: which of the times of `start`, if there are any left. */
export interface Feed {
  readonly kind: 'feed'
  readonly dataflow: number
  readonly input: string
  /** Number of the partition that they are of, among those that are fed to this worker: rows of several have no order between them. */
  readonly partition: number
  readonly runs: readonly ChangeRun[]
}

/** A minted time: all inputs are sealed at it. */
export interface AdvanceInputs {
  readonly kind: 'advance'
  readonly dataflow: number
  readonly time: number
}

/** A time may be seen, and times before `compactTo` are read no more. */
export interface MakeVisible {
  readonly kind: 'visible'
  readonly dataflow: number
  readonly time: number
  readonly compactTo: number
}

/** Rows of an output that this worker has; answered by `rows`. */
export interface ReadOutput {
  readonly kind: 'read'
  readonly request: number
  readonly dataflow: number
  readonly output: string
  /** Of the output's errors instead. */
  readonly errors: boolean
  readonly asOf: number
  /** A key of an output with one. */
  readonly key: Readonly<Record<string, unknown>> | null
  /** The first so many rows in the order of the key, at or after `from`. */
  readonly from: Readonly<Record<string, unknown>> | null
  readonly limit: number
}

/**
 * Tells all changes of an output at times after `after`, until `unfollow`. First those of times that are complete already, then
 * `rows` without rows: from there on `complete` says how far the changes were told. With the error BAD_TIME in `rows` it ends there:
 * what was as of `after` is no longer known.
 */
export interface FollowOutput {
  readonly kind: 'follow'
  readonly request: number
  readonly dataflow: number
  readonly output: string
  readonly after: number
}

export interface Unfollow {
  readonly kind: 'unfollow'
  readonly request: number
}

export interface AskStats {
  readonly kind: 'ask-stats'
}

export interface StopThread {
  readonly kind: 'stop'
}

/** A message of a worker in another process, as `wire` encodes it. */
export interface PeerBytes {
  readonly kind: 'peer'
  readonly from: number
  readonly bytes: Uint8Array
}

export type ThreadCommand =
  | Configure
  | InstallDataflow
  | StartDataflow
  | DropDataflow
  | Feed
  | AdvanceInputs
  | MakeVisible
  | ReadOutput
  | FollowOutput
  | Unfollow
  | AskStats
  | StopThread
  | PeerBytes

// ---- from a dataflow thread

export interface OutputShape {
  readonly name: string
  readonly columns: readonly string[]
  /** Of each column, as `typeName` says it: `int64?`, `array<text>`. */
  readonly types: readonly string[]
  /** Key columns; null for an output that keeps no rows by key. */
  readonly key: readonly string[] | null
  /** Whether rows are kept and can be read. */
  readonly kept: boolean
  /** Whether all rows of a key are on the worker that owns the key's virtual shard (`key-hash.ts`), so that others need not be asked. */
  readonly sharded: boolean
}

/** The first event of a generation: whatever the thread said before is of an older one, since dataflows keep their numbers. */
export interface Configured {
  readonly kind: 'configured'
  readonly generation: number
}

export interface DataflowInstalled {
  readonly kind: 'installed'
  readonly dataflow: number
  readonly outputs: readonly OutputShape[]
  readonly temporal: boolean
}

/** The job cannot be loaded or installed, or an operator threw: the dataflow is gone from this thread. */
export interface DataflowFailed {
  readonly kind: 'failed'
  readonly dataflow: number
  readonly code: string
  readonly message: string
}

/** A message of a worker was lost on its way, or came damaged: what the two agree on is gone, and with it the generation. */
export interface PeerDamaged {
  readonly kind: 'damaged'
  readonly from: number
  readonly message: string
}

/** The thread's state can no longer be trusted: the process must end. */
export interface ThreadBroken {
  readonly kind: 'broken'
  readonly message: string
}

/** All outputs of this worker are complete up to a time. */
export interface OutputsComplete {
  readonly kind: 'complete'
  readonly dataflow: number
  readonly time: number
}

export interface RowsRead {
  readonly kind: 'rows'
  readonly request: number
  readonly rows: readonly CountedRow[]
  readonly error: { readonly code: string; readonly message: string } | null
}

export interface CountedRow {
  readonly row: Readonly<Record<string, unknown>>
  readonly diff: number
}

/** Consolidated, of one time; several messages for many. All of a time come before `complete` for it. */
export interface ChangesTold {
  readonly kind: 'changes'
  readonly request: number
  readonly time: number
  readonly changes: readonly CountedRow[]
}

export interface StatsTold {
  readonly kind: 'stats'
  readonly stats: ThreadStats
}

/** For a worker in another process. */
export interface PeerBytesOut {
  readonly kind: 'peer'
  readonly to: number
  readonly bytes: Uint8Array
}

export type ThreadEvent =
  | Configured
  | DataflowInstalled
  | DataflowFailed
  | PeerDamaged
  | ThreadBroken
  | OutputsComplete
  | RowsRead
  | ChangesTold
  | StatsTold
  | PeerBytesOut

/** A dataflow thread as the main thread of its process sees it. */
export interface ThreadPort {
  /**
   * Puts a command on the way. Commands always fit; what the thread has not taken yet is in `waitingBytes`, and whoever feeds rows
   * stops while that is above `FEED_WINDOW_BYTES`.
   */
  send(command: ThreadCommand): void
  readonly waitingBytes: number
  onEvent: ((event: ThreadEvent) => void) | null
  /** Called when `waitingBytes` has fallen below half of the window after it was above it. */
  onDrain: (() => void) | null
  /** Ends the thread, however busy it is. */
  terminate(): Promise<void>
}

export const FEED_WINDOW_BYTES = 4 << 20

/** Starts dataflow threads: real ones, or in a simulation actors that its scheduler steps. */
export interface ThreadStarter {
  start(local: number, threads: number): ThreadPort
}
