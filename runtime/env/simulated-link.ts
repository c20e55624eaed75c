/** The way from one simulated host to another: its delays and faults, and the pipes that lead over it. */
import type { SeededRandom } from './seeded-random.ts'
import type { EventOwner, SimulatedEvents } from './simulated-events.ts'

export interface LinkConditions {
  /** Milliseconds that a message takes, from ... */
  readonly minimumDelay?: number
  /** ... to. */
  readonly maximumDelay?: number
  /** What one connection carries. Default: any number. */
  readonly bytesPerMillisecond?: number
  /** Probability that a message of a connection is delivered twice, as a broken proxy would. */
  readonly duplicate?: number
  /** Probability that a bit of a message is turned over. */
  readonly corrupt?: number
  /** Probability that a connection breaks at a message, with all that is under way. */
  readonly loss?: number
}

/** What becomes of one message. */
export type Fate = 'deliver' | 'duplicate' | 'corrupt' | 'lose'

export class SimulatedLink {
  readonly from: string
  readonly to: string
  readonly events: SimulatedEvents
  readonly random: SeededRandom
  conditions: LinkConditions
  /** Nothing is delivered, and nobody is told. */
  private blocked = false
  /** What came to the blocked place. */
  private readonly stalled = new Set<() => void>()

  constructor(from: string, to: string, events: SimulatedEvents, random: SeededRandom, conditions: LinkConditions) {
    this.from = from
    this.to = to
    this.events = events
    this.random = random
    this.conditions = conditions
  }

  get isBlocked(): boolean {
    return this.blocked
  }

  block(): void {
    this.blocked = true
  }

  heal(): void {
    if (!this.blocked) return
    this.blocked = false
    const stalled = [...this.stalled]
    this.stalled.clear()
    for (const again of stalled) again()
  }

  /** `again` is called when the link is healed. */
  stall(again: () => void): void {
    this.stalled.add(again)
  }

  /** Microseconds that the next message takes. */
  delay(): number {
    const { minimumDelay = 0, maximumDelay = 0 } = this.conditions
    return Math.round((minimumDelay + this.random.fraction() * Math.max(0, maximumDelay - minimumDelay)) * 1000)
  }

  fate(): Fate {
    const { duplicate = 0, corrupt = 0, loss = 0 } = this.conditions
    if (loss > 0 && this.random.chance(loss)) return 'lose'
    if (corrupt > 0 && this.random.chance(corrupt)) return 'corrupt'
    if (duplicate > 0 && this.random.chance(duplicate)) return 'duplicate'
    return 'deliver'
  }

  /** Does something at the far end, after a delay and once the link is open. */
  carry(owner: EventOwner | null, arrive: () => void): void {
    const land = (): void => {
      if (this.blocked) this.stall(() => this.carry(owner, arrive))
      else arrive()
    }
    this.events.at(this.events.time + this.delay(), owner, land)
  }
}

interface Message<T> {
  readonly content: T
  readonly bytes: number
}

/** One direction of one connection: ordered, and each message once. */
export class SimulatedPipe<T> {
  readonly link: SimulatedLink
  /** Bytes under way. */
  bytes = 0
  private readonly receiver: EventOwner
  private readonly deliver: (content: T) => void
  private queue: Message<T>[] = []
  private head = 0
  /** Arrivals in vain, to be repeated. */
  private owed = 0
  private held = false
  private lastDue = 0
  private readonly arrive = (): void => this.take()
  private readonly again = (): void => this.repeat()

  constructor(link: SimulatedLink, receiver: EventOwner, deliver: (content: T) => void) {
    this.link = link
    this.receiver = receiver
    this.deliver = deliver
  }

  /** Messages under way. */
  get length(): number {
    return this.queue.length - this.head
  }

  send(content: T, bytes: number): void {
    this.queue.push({ content, bytes })
    this.bytes += bytes
    this.plan(bytes)
  }

  /** Loses what is under way, but for the first few messages. */
  cut(kept = 0): void {
    this.queue = this.queue.slice(this.head, this.head + kept)
    this.head = 0
    this.owed = Math.min(this.owed, kept)
    this.bytes = this.queue.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The receiver takes nothing for now. */
  hold(): void {
    this.held = true
  }

  release(): void {
    if (!this.held) return
    this.held = false
    this.repeat()
  }

  private plan(bytes: number): void {
    const { link } = this
    const { bytesPerMillisecond = Number.POSITIVE_INFINITY } = link.conditions
    this.lastDue = Math.max(this.lastDue, link.events.time + link.delay()) + Math.round((bytes / bytesPerMillisecond) * 1000)
    link.events.at(this.lastDue, this.receiver, this.arrive)
  }

  /** An arrival stands for the oldest message, whichever it was planned for: so the order is kept through stalls. */
  private take(): void {
    if (this.length === 0) return
    if (this.held || this.link.isBlocked) {
      this.owed++
      if (this.link.isBlocked) this.link.stall(this.again)
      return
    }
    const { content, bytes } = this.queue[this.head++]
    if (this.head * 2 > this.queue.length) {
      this.queue.splice(0, this.head)
      this.head = 0
    }
    this.bytes -= bytes
    this.deliver(content)
  }

  private repeat(): void {
    const owed = Math.min(this.owed, this.length)
    this.owed = 0
    for (let i = 0; i < owed; i++) this.plan(0)
  }
}
