/**
 * Who leads: takes the lease when it is free, prolongs it while it leads, and gives up leading at once when it could not. A standby
 * asks again and again.
 */
import type { Timer } from '../runtime/env/environment.ts'
import { isCode, messageOf } from './error-code.ts'
import type { Holder } from './metadata/metadata-store.ts'
import { Term } from './term.ts'
import type { World } from './world.ts'

export interface LeadershipEvents {
  /** Reads the facts and begins to lead. The term ends if it throws. */
  began(term: Term): Promise<void>
  ended(term: Term, reason: string): void
}

export class Leadership {
  private readonly world: World
  private readonly url: string
  private readonly events: LeadershipEvents
  private readonly name: string
  /** So that no lease is taken for one of an earlier term, of which writes may still be under way. */
  private terms = 0
  private term: Term | null = null
  private known: Holder | null = null
  private timer: Timer | null = null
  private stopped = false
  private lastProblem = ''
  private hopeless: unknown = null

  constructor(world: World, url: string, events: LeadershipEvents) {
    this.world = world
    this.url = url
    this.events = events
    this.name = Array.from(world.environment.random.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** As far as this coordinator knows: the other one that leads. */
  get leader(): Holder | null {
    return this.known
  }

  /**
   * Tries once before it resolves, so that a lone coordinator leads when it has started.
   * @throws MillraceError CONFIG if it can never lead with this store
   */
  async start(): Promise<void> {
    await this.poll()
    if (this.hopeless !== null) throw this.hopeless
  }

  /** Gives the lease back, so that a standby need not wait for its end. */
  async stop(): Promise<void> {
    this.stopped = true
    this.timer?.clear()
    const term = this.term
    if (term === null) return
    await term.settled()
    term.end('it was stopped')
    await this.release(term)
  }

  private async poll(): Promise<void> {
    if (this.stopped) return
    const holder: Holder = { id: `${this.name}-${this.terms}`, url: this.url }
    const sentAt = this.world.environment.clock.monotonic()
    try {
      const lease = await this.world.store.acquire(holder, this.world.limits.leadershipMilliseconds)
      if (lease === null) this.known = await this.world.store.leader()
      else {
        const term = new Term(this.world, lease, this.validUntil(sentAt), (reason) => this.end(term, reason))
        if (this.stopped) return await this.release(term)
        await this.lead(term)
        return
      }
      this.lastProblem = ''
    } catch (error) {
      this.known = null
      this.problem(`the metadata store cannot be reached: ${messageOf(error)}`)
    }
    this.schedule(this.world.limits.standbyMilliseconds, () => this.poll())
  }

  private async lead(term: Term): Promise<void> {
    this.terms++
    this.term = term
    this.known = null
    this.schedule(this.world.limits.renewMilliseconds, () => this.renew(term))
    try {
      await this.events.began(term)
      this.lastProblem = ''
    } catch (error) {
      this.problem(`cannot lead: ${messageOf(error)}`)
      if (isCode(error, 'CONFIG')) this.hopeless = error
      term.end('it could not begin')
    }
  }

  private async renew(term: Term): Promise<void> {
    if (!term.leads()) return
    const sentAt = this.world.environment.clock.monotonic()
    // An attempt that hangs must not keep the next one from being made, nor the end of the lease from being noticed.
    this.schedule(this.world.limits.renewMilliseconds, () => this.renew(term))
    try {
      if (await this.world.store.renew(term.lease, this.world.limits.leadershipMilliseconds)) term.prolong(this.validUntil(sentAt))
      else term.end('another coordinator has the lease')
    } catch (error) {
      if (!term.ended) this.problem(`the lease could not be prolonged: ${messageOf(error)}`)
    }
  }

  private end(term: Term, reason: string): void {
    if (this.term !== term) return
    this.term = null
    this.events.ended(term, reason)
    if (this.stopped) return
    void this.release(term)
    this.schedule(this.world.limits.standbyMilliseconds, () => this.poll())
  }

  private async release(term: Term): Promise<void> {
    try {
      await this.world.store.release(term.lease)
    } catch (error) {
      this.problem(`the lease could not be given back: ${messageOf(error)}`)
    }
  }

  private validUntil(sentAt: number): number {
    return sentAt + 1000 * (this.world.limits.leadershipMilliseconds - this.world.limits.leadershipMarginMilliseconds)
  }

  private schedule(milliseconds: number, work: () => Promise<void>): void {
    this.timer?.clear()
    if (!this.stopped) this.timer = this.world.environment.timers.setTimeout(() => void work(), milliseconds)
  }

  private problem(text: string): void {
    if (text === this.lastProblem) return
    this.lastProblem = text
    this.world.history.add(null, text)
  }
}
