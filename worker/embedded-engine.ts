/**
 * The engine of an embedded app, or of several that run beside each other: one dictionary and one timeline for all.
 *
 * A commit closes one time for all parts. Their inputs are sealed at it, then their dataflows run one after the other until each is
 * at rest. A part imports only from parts that were there before it, so that this order is that of the data, too.
 */
import { Dictionary } from '../runtime/data/dictionary.ts'
import { SystemClock } from '../runtime/env/system-clock.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { collectGarbage, isGarbageDue } from '../runtime/graph/garbage.ts'
import { Timeline } from '../runtime/time/timeline.ts'
import type { EnginePart } from './engine-part.ts'

export class EmbeddedEngine {
  readonly dictionary = new Dictionary()
  readonly timeline: Timeline
  /** In the order in which they run; replaced, never changed. */
  parts: readonly EnginePart[] = []
  private dataflows: readonly Dataflow[] = []
  /** The time of the commit under way, where the caller gave one. */
  private given = -1
  private closing = false

  /** Whether times are those of the wall clock. */
  readonly isReal: boolean

  /** @param clock microseconds since 1970; the wall clock unless given */
  constructor(given?: () => number) {
    const system = new SystemClock()
    const clock = given ?? (() => system.now())
    this.isReal = given === undefined
    this.timeline = new Timeline(() => (this.given >= 0 ? this.given : clock()), -1)
  }

  /** The last complete time; -1 before the first commit. */
  get time(): number {
    return this.timeline.closed
  }

  get isRunning(): boolean {
    const { dataflows } = this
    for (let i = 0; i < dataflows.length; i++) if (dataflows[i].isRunning) return true
    return false
  }

  get hasWritten(): boolean {
    return this.parts.some((part) => part.hasWritten)
  }

  get hasFlushed(): boolean {
    return this.parts.some((part) => part.hasFlushed)
  }

  /** Whether a commit is under way: the dataflows run, or subscribers are called. */
  get isBusy(): boolean {
    const { parts } = this
    for (let i = 0; i < parts.length; i++) if (parts[i].delivery.active) return true
    return this.isRunning
  }

  /** Takes a part in, and brings it to the last complete time. */
  start(part: EnginePart): void {
    this.parts = [...this.parts, part]
    this.dataflows = this.parts.map(({ dataflow }) => dataflow)
    if (this.time < 0) return
    try {
      part.seal(this.time)
      part.run(this.time)
    } catch (error) {
      this.fail(part, error)
      throw error
    }
  }

  /** Lets a part go, as soon as nothing runs and nobody imports from it. */
  close(part: EnginePart): void {
    part.closed = true
    this.closing = true
    if (!this.isRunning) this.sweep()
  }

  /** An operator of the part threw: its state, and that of those that import from it, can no longer be trusted. */
  fail(part: EnginePart, error: unknown): void {
    if (part.failed) return
    part.failed = true
    for (const other of this.parts) {
      if (!other.exporters.has(part)) continue
      const message = `the app ${other.name} imports from ${part.name}, which stopped: ${String(error)}`
      this.fail(other, new MillraceError('CLOSED', message, undefined, { cause: error }))
    }
    part.stop(error)
  }

  /** Closes a time for all parts, and returns it. */
  commit(): number {
    if (this.isBusy) {
      throw new MillraceError(
        'REENTRANT',
        'a subscriber, or a function of the job, commits while a commit is under way',
        'Write in the subscriber, and commit after it.',
      )
    }
    const time = this.timeline.close()
    const { parts } = this
    let thrown: unknown[] | null = null
    for (let i = 0; i < parts.length; i++) {
      try {
        parts[i].seal(time)
      } catch (error) {
        thrown = this.note(thrown, parts[i], error)
      }
    }
    for (let i = 0; i < parts.length; i++) {
      if (parts[i].failed) continue
      try {
        parts[i].run(time)
      } catch (error) {
        thrown = this.note(thrown, parts[i], error)
      }
    }
    if (this.closing) this.sweep()
    this.collect()
    for (let i = 0; i < parts.length; i++) {
      const { delivery, closed } = parts[i]
      if (!delivery.waiting || closed) continue
      try {
        delivery.flush()
      } catch (error) {
        thrown ??= []
        thrown.push(error)
      }
    }
    if (thrown === null) return time
    if (thrown.length === 1) throw thrown[0]
    throw new AggregateError(thrown, `${thrown.length} apps or subscribers threw`)
  }

  /** Commits at a given time, instead of what the clock says. */
  advanceTo(time: number): number {
    if (!Number.isSafeInteger(time)) throw new MillraceError('BAD_TIME', `${time} is no time`, 'Times are whole microseconds since 1970.')
    if (time <= this.time)
      throw new MillraceError('BAD_TIME', `time ${time} has passed: the last commit was at ${this.time}`, 'Times only grow.')
    const flushed = this.hasFlushed
    if (flushed && this.timeline.current() > time) {
      throw new MillraceError(
        'BAD_TIME',
        `rows are under way at time ${this.timeline.current()} already`,
        'For replays give embed() a clock.',
      )
    }
    if (flushed && this.timeline.current() < time) this.commit()
    this.given = time
    try {
      return this.commit()
    } finally {
      this.given = -1
    }
  }

  private note(thrown: unknown[] | null, part: EnginePart, error: unknown): unknown[] {
    this.fail(part, error)
    return thrown === null ? [error] : [...thrown, error]
  }

  private collect(): void {
    const { dictionary, dataflows } = this
    if (dataflows.length === 0 || !isGarbageDue(dictionary, dataflows)) return
    try {
      collectGarbage(dictionary, dataflows)
    } catch (error) {
      for (const part of this.parts) this.fail(part, error)
      throw error
    }
  }

  /** Removes the parts that are closed and from which nobody imports; importers come later in the list. */
  private sweep(): void {
    this.closing = false
    const kept: EnginePart[] = []
    for (let i = this.parts.length - 1; i >= 0; i--) {
      const part = this.parts[i]
      if (part.closed && !kept.some(({ exporters }) => exporters.has(part))) part.detach()
      else kept.unshift(part)
    }
    this.parts = kept
    this.dataflows = kept.map(({ dataflow }) => dataflow)
  }
}
