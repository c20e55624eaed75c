/**
 * The one door to the world: whatever is not a function of its arguments (time, chance, timers, files, sockets) is
 * reached through an `Environment` that engine code is handed. So a whole cluster can run from one seed
 * (`simulated-environment.ts`), and the core runs where there are no files (`browser-environment.ts`).
 */
import type { Disk } from './disk.ts'
import type { Network } from './network.ts'

export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly timers: Timers
  readonly disk: Disk
  readonly network: Network
}

export interface Clock {
  /** Wall clock: microseconds since 1970-01-01T00:00:00Z, a safe integer. It may jump back when the host's clock is set. */
  now(): number
  /** Microseconds since an arbitrary start; never goes back, not related to the wall clock. */
  monotonic(): number
}

export interface Random {
  /** A whole number from 0 to 2^32 - 1, uniform. */
  uint32(): number
  bytes(length: number): Uint8Array
}

/** A timer that was set. */
export interface Timer {
  /** Stops the timer; does nothing if it has fired or was stopped before. */
  clear(): void
}

export interface TimerOptions {
  /** Whether the timer lets the process exit while it waits. */
  readonly background?: boolean
}

export interface Timers {
  /** Calls `callback` once, after `milliseconds` (any finite number; at least 0 is waited, delays of months are kept). */
  setTimeout(callback: () => void, milliseconds: number, options?: TimerOptions): Timer
  /** Calls `callback` every `milliseconds` until cleared; `milliseconds` is at least 1. */
  setInterval(callback: () => void, milliseconds: number, options?: TimerOptions): Timer
}
