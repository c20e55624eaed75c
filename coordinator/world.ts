import type { Environment } from '../runtime/env/environment.ts'
import type { History } from './history.ts'
import type { MetadataStore } from './metadata/metadata-store.ts'
import type { CoordinatorLimits } from './options.ts'

/** What a coordinator is made from, and keeps from one term to the next. */
export interface World {
  readonly environment: Environment
  readonly store: MetadataStore
  readonly limits: CoordinatorLimits
  readonly history: History
  /** Hears of what should not have happened. */
  readonly onError: ((error: unknown) => void) | undefined
}
