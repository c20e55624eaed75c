/** Waits between two questions. */
import type { Timers } from '../runtime/env/environment.ts'

export function sleep(timers: Timers, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    timers.setTimeout(resolve, milliseconds)
  })
}
