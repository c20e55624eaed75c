/** A clock that stands still until it is advanced, and the timers that it runs. */
import type { Clock, Timer, Timers } from './environment.ts'

interface Waiting {
  readonly due: number
  readonly callback: () => void
}

export class SimulatedClock implements Clock, Timers {
  private time: number
  private readonly started: number
  /** By due time; of two timers due at one instant the one set first fires first. */
  private readonly waiting: Waiting[] = []

  /** `start`: microseconds since 1970. */
  constructor(start: number) {
    this.time = start
    this.started = start
  }

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time - this.started
  }

  setTimeout(callback: () => void, milliseconds: number): Timer {
    return this.set(callback, this.time + Math.round(Math.max(0, milliseconds) * 1000))
  }

  setInterval(callback: () => void, milliseconds: number): Timer {
    const step = Math.round(Math.max(1, milliseconds) * 1000)
    let timer: Timer
    const fire = (due: number): void => {
      timer = this.set(() => {
        fire(due + step)
        callback()
      }, due)
    }
    fire(this.time + step)
    return { clear: () => timer.clear() }
  }

  /** When the next timer is due (microseconds), or null. */
  nextDue(): number | null {
    return this.waiting.length === 0 ? null : this.waiting[0].due
  }

  /** Fires the next timer if it is due at or before `limit`, with the clock at its instant; whether one fired. */
  fireNext(limit: number): boolean {
    const due = this.nextDue()
    if (due === null || due > limit) return false
    const next = this.waiting.shift() as Waiting
    this.time = Math.max(this.time, next.due)
    next.callback()
    return true
  }

  /** Moves on by `microseconds` and fires what falls due on the way, in order. */
  advance(microseconds: number): void {
    const limit = this.time + microseconds
    while (this.fireNext(limit));
    this.time = limit
  }

  /** Moves to `time` without firing anything. */
  moveTo(time: number): void {
    this.time = Math.max(this.time, time)
  }

  private set(callback: () => void, due: number): Timer {
    const entry: Waiting = { due, callback }
    let low = 0
    let high = this.waiting.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.waiting[middle].due <= due) low = middle + 1
      else high = middle
    }
    this.waiting.splice(low, 0, entry)
    return {
      clear: () => {
        const at = this.waiting.indexOf(entry)
        if (at !== -1) this.waiting.splice(at, 1)
      },
    }
  }
}
