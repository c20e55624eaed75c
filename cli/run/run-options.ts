/** What `millrace run` was told, by its options, its variables and the configuration. */
import type { PreparedJob } from '../bundle/prepare.ts'
import type { Address } from '../configuration/address.ts'
import type { LogOptions } from '../open-log.ts'
import type { Security } from '../security.ts'
import type { StoreChoice } from '../store.ts'

export interface LocalClusterOptions {
  readonly job: PreparedJob
  readonly jobFolder: string
  readonly cluster: string
  readonly group: string
  readonly processes: number
  /** Of each process. */
  readonly threads: number
  readonly coordinator: Address
  readonly anyCoordinatorPort: boolean
  /** Of the first worker process. */
  readonly http: Address
  readonly anyHttpPort: boolean
  readonly admin: Address | null
  /** Milliseconds; null for the default. */
  readonly tick: number | null
  readonly drainSeconds: number
  readonly store: StoreChoice
  readonly security: Security
  /** Of worker processes. */
  readonly log: LogOptions
  readonly json: boolean
}
