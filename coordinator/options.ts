/** What a coordinator is told, and every bound and interval that it keeps to. */
import type { TlsIdentity } from '../runtime/env/connection.ts'
import type { HistoryEvent } from './history.ts'

export interface CoordinatorOptions {
  /** Processes of other clusters are refused. */
  readonly cluster: string
  /** Required of processes and of requests; null lets everybody in. */
  readonly token: string | null
  /** Default: loopback only. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
  /** Where processes and other coordinators reach it. Default: where it listens. */
  readonly url?: string
  readonly tls?: TlsIdentity
  /** Processes that a group waits for before its first generation. Default 1. */
  readonly minimumProcesses?: number
  readonly limits?: Partial<CoordinatorLimits>
  /** Called with each entry of the history, for logs. */
  readonly onEvent?: (event: HistoryEvent) => void
  /** Called with what should not have happened; the coordinator goes on, or has stepped down. */
  readonly onError?: (error: unknown) => void
}

export interface CoordinatorLimits {
  // ---- leadership
  /** A leader's lease; it stops at once when it could not prolong it for so long. */
  readonly leadershipMilliseconds: number
  /** Between attempts to prolong it. */
  readonly renewMilliseconds: number
  /** Clocks of two machines may run at rates that differ: a leader counts its lease as shorter by this. */
  readonly leadershipMarginMilliseconds: number
  /** Between a standby's attempts to take the lease over. */
  readonly standbyMilliseconds: number
  /** Attempts of one write to the store, the wait after the first (it doubles), and how long one may take. */
  readonly storeAttempts: number
  readonly storeRetryMilliseconds: number
  readonly storeTimeoutMilliseconds: number

  // ---- membership
  readonly heartbeatMilliseconds: number
  /** What a process is granted, counted from when its heartbeat was sent. */
  readonly leaseMilliseconds: number
  /** How long the coordinator waits for the next heartbeat: longer than it grants. */
  readonly leaseWaitMilliseconds: number
  /** How long a process may be without connection before it counts as lost. */
  readonly reconnectMilliseconds: number
  /** How long a new leader waits for all members of a generation to come back. At least the wait for a lease. */
  readonly resumeMilliseconds: number
  /** Until a connection has said `hello`. */
  readonly helloMilliseconds: number
  readonly maximumProcesses: number
  readonly maximumThreads: number
  /** Unsent bytes after which a process's connection is given up. */
  readonly maximumControlBacklogBytes: number

  // ---- generations
  /** Processes that join within so long begin a generation together; several joins in a row delay it by `joinDebounces` of it at most. */
  readonly joinDebounceMilliseconds: number
  readonly joinDebounces: number
  readonly prepareMilliseconds: number
  readonly installMilliseconds: number
  /** After a process could not reach another one: time to learn which others cannot, and whether it is just dead. */
  readonly unreachableMilliseconds: number
  /** A process that was left out joins again after this; each time in a row doubles it, up to the maximum. */
  readonly exclusionMilliseconds: number
  readonly maximumExclusionMilliseconds: number
  /** So many generations may begin at once, and one more for each while of quiet; the others wait, each twice as long as the one before. */
  readonly maximumGenerations: number
  readonly generationQuietMilliseconds: number
  readonly backoffMilliseconds: number
  readonly maximumBackoffMilliseconds: number
  /** Times that a job may be starting, or have run for less than `settledMilliseconds`, while a process crashes. */
  readonly maximumStrikes: number
  readonly settledMilliseconds: number

  // ---- times
  readonly tickMilliseconds: number
  /** A dataflow without rows that wait gets a time so often, if rows come and go with time alone, and if not. */
  readonly temporalTickMilliseconds: number
  readonly idleTickMilliseconds: number
  /** Minted and not visible. */
  readonly maximumOpenTimes: number
  /** Times are minted below a durable ceiling, which is kept so far ahead of the clock. */
  readonly ceilingMilliseconds: number
  /** Times that were visible can be read for at least so long. */
  readonly historyMilliseconds: number
  /** Visible times, and cuts at them, that are kept for followers which hold back. */
  readonly maximumReplayTimes: number
  readonly maximumReplayCuts: number
  readonly snapshotMilliseconds: number

  // ---- catalog
  readonly maximumJobs: number
  readonly maximumBundleBytes: number
  /** Of all jobs. */
  readonly maximumBundlesBytes: number

  // ---- status
  readonly maximumEvents: number
}

export const DEFAULT_LIMITS: CoordinatorLimits = {
  leadershipMilliseconds: 4000,
  renewMilliseconds: 1000,
  leadershipMarginMilliseconds: 400,
  standbyMilliseconds: 500,
  storeAttempts: 5,
  storeRetryMilliseconds: 50,
  storeTimeoutMilliseconds: 3000,
  heartbeatMilliseconds: 400,
  leaseMilliseconds: 1500,
  leaseWaitMilliseconds: 1750,
  reconnectMilliseconds: 500,
  resumeMilliseconds: 2000,
  helloMilliseconds: 3000,
  maximumProcesses: 512,
  maximumThreads: 256,
  maximumControlBacklogBytes: 64 << 20,
  joinDebounceMilliseconds: 300,
  joinDebounces: 5,
  prepareMilliseconds: 5000,
  installMilliseconds: 30_000,
  unreachableMilliseconds: 600,
  exclusionMilliseconds: 5000,
  maximumExclusionMilliseconds: 300_000,
  maximumGenerations: 8,
  generationQuietMilliseconds: 20_000,
  backoffMilliseconds: 500,
  maximumBackoffMilliseconds: 10_000,
  maximumStrikes: 5,
  settledMilliseconds: 5000,
  tickMilliseconds: 10,
  temporalTickMilliseconds: 250,
  idleTickMilliseconds: 1000,
  maximumOpenTimes: 16,
  ceilingMilliseconds: 2000,
  historyMilliseconds: 1000,
  maximumReplayTimes: 8192,
  maximumReplayCuts: 65_536,
  snapshotMilliseconds: 1000,
  maximumJobs: 256,
  maximumBundleBytes: 16 << 20,
  maximumBundlesBytes: 256 << 20,
  maximumEvents: 200,
}
