import type { LocalClusterOptions } from './run-options.ts'
import type { RunView } from './run-view.ts'

/** The worker processes, wherever they are. */
export interface Workers {
  start(coordinator: string): Promise<void>
  /** Rejects when none is left, or with what ended the only one. */
  readonly failed: Promise<never>
  stop(seconds: number): Promise<void>
  /** At once. */
  kill(): void
}

export interface WorkersOptions extends LocalClusterOptions {
  readonly view: RunView
}
