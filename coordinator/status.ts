/** What people and tools are told of a cluster; JSON. */
import type { HistoryEvent } from './history.ts'

export interface ClusterStatus {
  readonly cluster: string
  readonly leader: string
  readonly epoch: number
  /** Since when this coordinator leads; ISO 8601, as all moments here. */
  readonly since: string
  /** What the coordinator's clock says. */
  readonly now: string
  readonly groups: readonly GroupStatus[]
  readonly jobs: readonly JobStatus[]
  /** The oldest first. */
  readonly events: readonly HistoryEvent[]
}

export interface GroupStatus {
  readonly name: string
  /** 0: none has begun. */
  readonly generation: number
  readonly state: 'empty' | 'waiting' | 'resuming' | 'preparing' | 'starting' | 'hydrating' | 'running'
  readonly since: string | null
  /** Why the generation began. */
  readonly reason: string
  readonly processes: readonly ProcessStatus[]
}

export interface ProcessStatus {
  readonly process: string
  readonly name: string
  readonly state: 'member' | 'joining' | 'leaving' | 'released' | 'left out' | 'disconnected'
  /** Why it was left out; null unless it is. */
  readonly problem: string | null
  readonly address: string
  readonly admin: string | null
  readonly version: string
  readonly threads: number
  /** Virtual shards that its threads own, of 1,024. */
  readonly shards: number
  readonly memoryBytes: number | null
  readonly heartbeatAgeMilliseconds: number
  readonly workers: readonly WorkerStatus[]
}

export interface WorkerStatus {
  readonly worker: number
  readonly shards: number
  /** Share of the time, 0 to 1. */
  readonly busy: number
  readonly outboundBytes: number
  readonly inboundMessages: number
  readonly heapBytes: number
}

export interface JobStatus {
  readonly name: string
  readonly group: string
  readonly digest: string
  readonly state: 'waiting' | 'starting' | 'hydrating' | 'running' | 'failed' | 'dropped'
  /** Why it failed, or what it waits for. */
  readonly message: string | null
  readonly deployed: string
  readonly dataflow: number
  /** Microseconds since 1970; null before the first. */
  readonly minted: number | null
  readonly visible: number | null
  /** Times that are minted and not visible. */
  readonly open: number
  /** For how long the oldest of them has not become visible. */
  readonly lagMilliseconds: number
  /** Who is least far, while a time is open. */
  readonly heldBackBy: Holdback | null
  readonly rows: number
  readonly errors: number
  readonly stateBytes: number
  /** Those of the 1,024 virtual shards that took most of the rows that were exchanged lately, the busiest first. Sampled. */
  readonly busiestShards: readonly ShardStatus[]
}

export interface ShardStatus {
  readonly shard: number
  /** Of all rows that were exchanged, 0 to 1; about 0.001 if all shards took as many. */
  readonly share: number
  readonly worker: number
  readonly process: string
}

export interface Holdback {
  readonly process: string
  readonly worker: number | null
  readonly operator: string | null
  readonly complete: number | null
}
