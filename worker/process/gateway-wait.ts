/** Waits, bounded, for something that may become true when a process is told something. */
import type { Timers } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import { Unavailable } from './gateway-error.ts'

/** Reads that wait at one time; more are refused. */
export const MAXIMUM_WAITING = 1024

/** undefined: not yet. Throws when it will never be. */
export type Probe<T> = () => T | undefined

interface Waiter {
  /** Whether it is over. */
  try(): boolean
}

export class Waiters {
  private readonly timers: Timers
  private readonly waiting = new Set<Waiter>()

  constructor(timers: Timers) {
    this.timers = timers
  }

  get size(): number {
    return this.waiting.size
  }

  /** Something has changed: everybody looks again. */
  stir(): void {
    for (const waiter of [...this.waiting]) if (waiter.try()) this.waiting.delete(waiter)
  }

  /**
   * What the probe finds, now or when something has changed.
   * @throws what `late` gives after the milliseconds; what the probe throws; CLOSED when the signal aborts
   */
  until<T>(probe: Probe<T>, milliseconds: number, late: () => MillraceError, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        timer?.clear()
        signal?.removeEventListener('abort', onAbort)
        this.waiting.delete(waiter)
      }
      const fail = (error: unknown): void => {
        over()
        reject(error)
      }
      const onAbort = (): void => fail(new MillraceError('CLOSED', 'whoever asked is gone'))
      const waiter: Waiter = {
        try: () => {
          try {
            const found = probe()
            if (found === undefined) return false
            over()
            resolve(found)
          } catch (error) {
            fail(error)
          }
          return true
        },
      }
      let timer: ReturnType<Timers['setTimeout']> | null = null
      if (signal?.aborted === true) onAbort()
      else if (waiter.try()) return
      else if (milliseconds <= 0) fail(late())
      else if (this.waiting.size >= MAXIMUM_WAITING) fail(new Unavailable('OVERFLOW', `${MAXIMUM_WAITING} reads wait here already`))
      else {
        this.waiting.add(waiter)
        timer = this.timers.setTimeout(() => fail(late()), milliseconds)
        signal?.addEventListener('abort', onAbort)
      }
    })
  }
}
