/** What commands have of the world. Tests hand in their own. */
import type { Environment } from '../runtime/env/environment.ts'

export interface Output {
  write(text: string): void
  readonly isTTY: boolean
  /** Of the terminal; 80 by 24 where there is none. */
  readonly columns: number
  readonly rows: number
}

export interface Context {
  readonly environment: Environment
  /** Results, for people or, with `--json`, for programs. */
  readonly out: Output
  /** What happens meanwhile, and what goes wrong. */
  readonly err: Output
  /** Variables of the process; secrets are removed from it once they are read. */
  readonly variables: Record<string, string | undefined>
  /** Of Millrace. */
  readonly version: string
  /** The file of this program, with which processes of it are started. */
  readonly program: string
  /** The module that dataflow threads run. */
  readonly threadEntry: URL
  readonly signals: Signals
}

/** Requests to stop: Ctrl-C, a service manager, a terminal that goes. */
export interface Signals {
  /** Calls back with each signal until `ignore` is called. While nobody listens, a signal ends the process as always. */
  listen(callback: (signal: string) => void): { ignore(): void }
  /** Ends the process at once. */
  exit(code: number): never
}
