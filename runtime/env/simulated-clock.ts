/** The clock of a simulated host, and its timers: time passes only as the simulation lets it. */
import type { Clock, Timer, Timers } from './environment.ts'
import type { EventOwner, SimulatedEvents } from './simulated-events.ts'

export interface ClockOptions {
  /** Microseconds by which the wall clock is ahead of the world's. Default 0. */
  readonly skew?: number
  /** Parts per million by which the host's quartz is fast, for both clocks and timers. Default 0. */
  readonly drift?: number
  /** Where the monotonic clock starts. Default 0. */
  readonly monotonicStart?: number
}

export class SimulatedClock implements Clock, Timers {
  private readonly events: SimulatedEvents
  private readonly owner: EventOwner | null
  private readonly started: number
  private readonly monotonicStart: number
  private readonly rate: number
  private skew: number

  /** Starts at the time of `events`; its timers belong to `owner`. */
  constructor(events: SimulatedEvents, owner: EventOwner | null, options: ClockOptions = {}) {
    this.events = events
    this.owner = owner
    this.started = events.time
    this.monotonicStart = options.monotonicStart ?? 0
    this.rate = 1 + (options.drift ?? 0) / 1_000_000
    this.skew = options.skew ?? 0
  }

  now(): number {
    return this.started + this.elapsed() + this.skew
  }

  monotonic(): number {
    return this.monotonicStart + this.elapsed()
  }

  /** Sets the wall clock forward by so many microseconds, or back. */
  jump(microseconds: number): void {
    this.skew += microseconds
  }

  setTimeout(callback: () => void, milliseconds: number): Timer {
    return this.set(callback, this.events.time + this.duration(milliseconds))
  }

  setInterval(callback: () => void, milliseconds: number): Timer {
    const step = this.duration(Math.max(1, milliseconds))
    let timer: Timer
    const fire = (due: number): void => {
      timer = this.set(() => {
        // After a pause it goes on from now, as the host's intervals do.
        fire(this.events.time + step)
        callback()
      }, due)
    }
    fire(this.events.time + step)
    return { clear: () => timer.clear() }
  }

  private elapsed(): number {
    const elapsed = this.events.time - this.started
    return this.rate === 1 ? elapsed : Math.floor(elapsed * this.rate)
  }

  /** World's microseconds. */
  private duration(milliseconds: number): number {
    return Math.round((Math.max(0, milliseconds) * 1000) / this.rate)
  }

  private set(callback: () => void, due: number): Timer {
    const event = this.events.at(due, this.owner, callback)
    return { clear: () => this.events.cancel(event) }
  }
}
