/**
 * One time of being the leader, from taking the lease to its end. Whatever a leader does, it does under its term: once that has
 * ended nothing is written or sent any more, also by work that was waiting for something when it ended.
 */
import type { Environment, Timer } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'
import { TooLate } from './bounded-store.ts'
import { isCode, messageOf } from './error-code.ts'
import type { History } from './history.ts'
import type { Fact, Lease, MetadataStore } from './metadata/metadata-store.ts'
import type { CoordinatorLimits } from './options.ts'
import type { World } from './world.ts'

export class Term {
  readonly environment: Environment
  readonly limits: CoordinatorLimits
  readonly history: History
  readonly lease: Lease
  private readonly store: MetadataStore
  private readonly onError: ((error: unknown) => void) | undefined
  private readonly onEnd: (reason: string) => void
  private readonly timers = new Set<Timer>()
  private over = false
  /** Monotonic, microseconds: the lease runs out. */
  private validUntil: number
  /** Writes wait for each other, so that a later fact is never overtaken by an earlier one. */
  private writes: Promise<void> = Promise.resolve()

  constructor(world: World, lease: Lease, validUntil: number, onEnd: (reason: string) => void) {
    this.environment = world.environment
    this.store = world.store
    this.limits = world.limits
    this.history = world.history
    this.onError = world.onError
    this.lease = lease
    this.validUntil = validUntil
    this.onEnd = onEnd
  }

  get ended(): boolean {
    return this.over
  }

  /** Monotonic, microseconds. */
  now(): number {
    return this.environment.clock.monotonic()
  }

  prolong(validUntil: number): void {
    this.validUntil = Math.max(this.validUntil, validUntil)
  }

  /**
   * Whether this is the leader at this very moment; if the lease has run out, for instance while the process was stopped, the
   * term ends here. To be asked before anything is told that only a leader may tell.
   */
  leads(): boolean {
    if (!this.over && this.now() >= this.validUntil) this.end('its lease ran out')
    return !this.over
  }

  /** Ends the term, once. */
  end(reason: string): void {
    if (this.over) return
    this.over = true
    for (const timer of this.timers) timer.clear()
    this.timers.clear()
    this.onEnd(reason)
  }

  /**
   * Durable when it resolves, in the order of the calls. A store that cannot be reached is tried again a few times; after that,
   * and if a later leader has written, the term is over.
   * @throws MillraceError FENCED if the term has ended, before or meanwhile
   */
  write(facts: readonly Fact[]): Promise<void> {
    const done = this.writes.then(() => this.writeNow(facts))
    this.writes = done.catch(() => undefined)
    return done
  }

  /** Resolves when all writes that were asked for have been tried. */
  async settled(): Promise<void> {
    await this.writes
  }

  /** As the environment's timer, as long as the term lasts. */
  after(milliseconds: number, callback: () => void | Promise<void>): Timer {
    const timer = this.environment.timers.setTimeout(() => {
      this.timers.delete(timer)
      this.guard(callback)
    }, milliseconds)
    this.timers.add(timer)
    return {
      clear: () => {
        this.timers.delete(timer)
        timer.clear()
      },
    }
  }

  /**
   * Runs a piece of the leader's work. Whatever it throws that nobody expected ends the term: the next one starts from
   * the facts, which is better than going on with a state that is half changed.
   */
  guard(work: () => void | Promise<void>): void {
    if (!this.leads()) return
    try {
      const result = work()
      if (result !== undefined) result.catch((error: unknown) => this.broken(error))
    } catch (error) {
      this.broken(error)
    }
  }

  private broken(error: unknown): void {
    if (this.over) return
    this.onError?.(error)
    this.history.add(null, `the coordinator stops leading: ${messageOf(error)}`)
    this.end('of an error')
  }

  private async writeNow(facts: readonly Fact[]): Promise<void> {
    const { storeAttempts, storeRetryMilliseconds } = this.limits
    for (let attempt = 1; ; attempt++) {
      if (!this.leads()) throw new MillraceError('FENCED', 'this coordinator does not lead any more')
      try {
        await this.store.write(this.lease, facts)
        // Written, but whoever continues must not act on it.
        if (this.over) throw new MillraceError('FENCED', 'this coordinator does not lead any more')
        return
      } catch (error) {
        if (isCode(error, 'FENCED')) this.end('another coordinator leads')
        // A write that nobody answers may still happen, after later ones: only a new epoch makes that harmless.
        else if (attempt >= storeAttempts || isCode(error, 'CLOSED') || error instanceof TooLate) {
          this.history.add(null, `the metadata store failed: ${messageOf(error)}`)
          this.end('the metadata store cannot be written')
        }
        if (this.over) throw new MillraceError('FENCED', 'this coordinator does not lead any more', undefined, { cause: error })
      }
      await this.pause(storeRetryMilliseconds * 2 ** (attempt - 1))
    }
  }

  /** Whether or not the term has ended meanwhile. */
  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.environment.timers.setTimeout(resolve, milliseconds)
    })
  }
}
