/** The host's timers. */
import type { Timer, TimerOptions, Timers } from './environment.ts'

/** Longer delays (24.8 days) overflow the host's 32 bits and would fire at once, so they are waited in pieces. */
const LONGEST_DELAY = 0x7fffffff

type HostTimer = ReturnType<typeof setTimeout>

export class SystemTimers implements Timers {
  setTimeout(callback: () => void, milliseconds: number, options?: TimerOptions): Timer {
    let host: HostTimer | undefined
    const wait = (rest: number): void => {
      const piece = Math.min(rest, LONGEST_DELAY)
      host = setTimeout(() => (rest > piece ? wait(rest - piece) : callback()), piece)
      if (options?.background === true) unref(host)
    }
    wait(Math.max(0, milliseconds))
    return { clear: () => clearTimeout(host) }
  }

  setInterval(callback: () => void, milliseconds: number, options?: TimerOptions): Timer {
    const host = setInterval(callback, Math.min(Math.max(1, milliseconds), LONGEST_DELAY))
    if (options?.background === true) unref(host)
    return { clear: () => clearInterval(host) }
  }
}

/** In a browser a timer is a number and keeps nothing alive. */
function unref(timer: HostTimer | number): void {
  if (typeof timer === 'object') timer.unref()
}
