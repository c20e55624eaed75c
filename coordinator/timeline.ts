/**
 * Which times there are. Each dataflow has a timeline of its own, on which times strictly increase whatever the clock does; all are
 * minted below one durable ceiling, so that a coordinator that takes over goes on above everything that was ever minted.
 * (The timestamp oracle of Percolator, OSDI 2010, reserves ranges in the same way.)
 */
import type { Clock } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'
import { CEILING_KEY, setFact } from './facts.ts'
import type { Term } from './term.ts'

export class Timeline {
  private last: number

  /** Mints above `last`. */
  constructor(last: number) {
    this.last = last
  }

  /** The last minted time. */
  get minted(): number {
    return this.last
  }

  /**
   * The time that would be minted now: max(last + 1, now).
   * @throws MillraceError BAD_TIME if the clock has run beyond what a time can be
   */
  next(now: number): number {
    const time = Math.max(this.last + 1, now)
    if (!Number.isSafeInteger(time))
      throw new MillraceError('BAD_TIME', `there is no time after ${this.last}`, 'The clock has run too far ahead.')
    return time
  }

  /** A time of `next`, or one that an earlier leader minted. */
  mint(time: number): void {
    this.last = Math.max(this.last, time)
  }
}

export class Ceiling {
  private readonly term: Term
  private readonly clock: Clock
  /** Times below it may be minted. */
  private durable: number
  private reserving = false
  private readonly waiting = new Set<() => void>()

  /** `stored`: no time at or above it was minted so far; so nothing below it may be minted any more, and new times begin there. */
  constructor(term: Term, stored: number) {
    this.term = term
    this.clock = term.environment.clock
    this.durable = stored
  }

  /** All times that were minted under earlier terms are below it. */
  get floor(): number {
    return this.durable
  }

  /** Whether a time may be minted; if not, `retry` is called when it is worth another attempt. Reserves ahead, in time. */
  allows(time: number, retry: () => void): boolean {
    const ahead = this.term.limits.ceilingMilliseconds * 1000
    if (time + ahead / 2 >= this.durable) this.reserve(Math.max(time, this.clock.now()) + ahead)
    if (time < this.durable) return true
    this.waiting.add(retry)
    return false
  }

  /** The next time of a timeline, minted as soon as the ceiling is above it. */
  async mint(timeline: Timeline): Promise<number> {
    for (;;) {
      let retry: () => void = () => undefined
      const above = new Promise<void>((resolve) => {
        retry = resolve
      })
      const time = timeline.next(this.clock.now())
      if (this.allows(time, retry)) {
        timeline.mint(time)
        return time
      }
      await above
    }
  }

  private reserve(time: number): void {
    if (this.reserving) return
    this.reserving = true
    this.term.guard(async () => {
      await this.term.write([setFact(CEILING_KEY, { kind: 'ceiling', time })])
      this.reserving = false
      this.durable = time
      const waiting = [...this.waiting]
      this.waiting.clear()
      for (const retry of waiting) this.term.guard(retry)
    })
  }
}
