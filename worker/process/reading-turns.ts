/**
 * The event loop's share. A source that always has more, at once, would be read in one chain of promises, and no heartbeat would be
 * sent and no message taken meanwhile. So all sources of a process together rest after a while, for as short as a timer can.
 */
import type { Environment } from '../../runtime/env/environment.ts'

/** Reading goes on for so long at a time. */
export const TURN_MILLISECONDS = 4

export class ReadingTurns {
  private readonly environment: Environment
  private began: number
  private resting: Promise<void> | null = null

  constructor(environment: Environment) {
    this.environment = environment
    this.began = environment.clock.monotonic()
  }

  /** A timer fired: everybody else has just had a turn. */
  begin(): void {
    this.began = this.environment.clock.monotonic()
  }

  /** Null while the turn goes on; else resolves when the next one begins. */
  rest(): Promise<void> | null {
    if (this.resting !== null) return this.resting
    const { clock, timers } = this.environment
    if (clock.monotonic() - this.began < TURN_MILLISECONDS * 1000) return null
    this.resting = new Promise((resolve) => {
      timers.setTimeout(() => {
        this.resting = null
        this.begin()
        resolve()
      }, 0)
    })
    return this.resting
  }
}
