/** What happened, for people: the last events of a cluster, each with its moment. */
import type { Clock } from '../runtime/env/environment.ts'

export interface HistoryEvent {
  /** ISO 8601. */
  readonly at: string
  /** Null for what concerns all groups. */
  readonly group: string | null
  readonly text: string
}

/** Whoever tries in vain says one thing, often: looked for among so many last events. */
const REPEATS_WITHIN = 8

export class History {
  readonly events: HistoryEvent[] = []
  private readonly clock: Clock
  private readonly maximum: number
  private readonly onEvent: ((event: HistoryEvent) => void) | undefined

  constructor(clock: Clock, maximum: number, onEvent?: (event: HistoryEvent) => void) {
    this.clock = clock
    this.maximum = maximum
    this.onEvent = onEvent
  }

  add(group: string | null, text: string): void {
    const event = { at: isoTime(this.clock.now()), group, text }
    this.events.push(event)
    if (this.events.length > this.maximum) this.events.shift()
    this.onEvent?.(event)
  }

  /** What is said again while it is among the last events only moves to the end, and nobody is told. */
  addOnce(group: string | null, text: string): void {
    const before = this.events.findLastIndex((one) => one.text === text && one.group === group)
    if (before < 0 || before < this.events.length - REPEATS_WITHIN) {
      this.add(group, text)
      return
    }
    this.events.splice(before, 1)
    this.events.push({ at: isoTime(this.clock.now()), group, text })
  }
}

/** Microseconds since 1970 as ISO 8601, in milliseconds. */
export function isoTime(microseconds: number): string {
  const date = new Date(microseconds / 1000)
  return Number.isNaN(date.getTime()) ? `${microseconds} us` : date.toISOString()
}

/** `1.5 s` or `20 ms`. */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${Math.round(milliseconds / 100) / 10} s`
}
