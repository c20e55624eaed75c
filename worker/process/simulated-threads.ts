/**
 * Dataflow threads of a simulated process: the real actor (`ThreadService`), driven by the simulated clock's timers as `thread-loop.ts`
 * drives it over rings. How much it takes and works at a time, and how long it waits, is left to chance, so that one seed gives one
 * run. What goes between threads and the main thread is encoded and decoded, as with real ones.
 */
import type { Environment, Timer } from '../../runtime/env/environment.ts'
import { invariant } from '../../runtime/error.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import {
  type Configure,
  FEED_WINDOW_BYTES,
  type PeerBytesOut,
  type ThreadCommand,
  type ThreadEvent,
  type ThreadPort,
  type ThreadStarter,
} from '../../runtime/protocol/thread.ts'
import type { JobLoader } from '../job-loader.ts'
import type { ThreadActor, ThreadLoad, ThreadOutlet } from '../thread-actor.ts'
import { ThreadService } from '../thread-service.ts'

export interface SimulatedThreadOptions {
  /** A thread with work waits up to so many milliseconds for its turn, and so do its events. Default 0.2. */
  readonly maximumDelay?: number
  /** Commands, messages, and activations of a turn, at most. Default 256. */
  readonly maximumBudget?: number
}

const DEFAULT_DELAY = 0.2
const DEFAULT_BUDGET = 256
/** One in so many turns has a budget of a few, so that what is begun is often not finished. */
const SMALL_TURNS = 4
const SMALL_BUDGET = 4

/** All threads of one process. */
export class SimulatedThreads implements ThreadStarter {
  private readonly environment: Environment
  private readonly loader: JobLoader
  private readonly options: Required<SimulatedThreadOptions>
  private readonly threads: SimulatedThread[] = []

  constructor(environment: Environment, loader: JobLoader, options: SimulatedThreadOptions = {}) {
    this.environment = environment
    this.loader = loader
    this.options = { maximumDelay: options.maximumDelay ?? DEFAULT_DELAY, maximumBudget: options.maximumBudget ?? DEFAULT_BUDGET }
  }

  start(local: number, count: number): ThreadPort {
    invariant(local === this.threads.length && local < count, `thread ${local} of ${count} starts after ${this.threads.length} others`)
    const thread = new SimulatedThread(this.environment, this.loader, this.options, this.threads)
    this.threads.push(thread)
    return thread
  }
}

type OwnEvent = Exclude<ThreadEvent, PeerBytesOut>

/** A command or a message that was not taken yet. */
interface Waiting {
  readonly command: ThreadCommand
  readonly bytes: number
}

class SimulatedThread implements ThreadPort, ThreadOutlet {
  onEvent: ((event: ThreadEvent) => void) | null = null
  onDrain: (() => void) | null = null
  waitingBytes = 0
  private readonly environment: Environment
  private readonly options: Required<SimulatedThreadOptions>
  private readonly siblings: readonly SimulatedThread[]
  private readonly actor: ThreadActor
  private configuration: Configure | null = null
  private readonly commands: Waiting[] = []
  /** As in `thread-loop.ts`: messages that came while the actor was at work, and feeds it does not want, with what follows them. */
  private messages: Waiting[] = []
  private feeds: Waiting[] = []
  private readonly fromSiblings: { readonly sender: SimulatedThread; readonly from: number; readonly bytes: Uint8Array }[] = []
  private readonly events: ThreadEvent[] = []
  private sentBytes = 0
  private above = false
  private ended = false
  private turning: Timer | null = null
  private telling: Timer | null = null

  constructor(
    environment: Environment,
    loader: JobLoader,
    options: Required<SimulatedThreadOptions>,
    siblings: readonly SimulatedThread[],
  ) {
    this.environment = environment
    this.options = options
    this.siblings = siblings
    this.actor = new ThreadService({ outlet: this, loader, monotonic: () => environment.clock.monotonic() })
  }

  // ---- as the main thread sees it

  send(command: ThreadCommand): void {
    if (this.ended) return
    const encoded = command.kind === 'peer' ? command.bytes.slice() : encodeMessage(command)
    const copy: ThreadCommand = command.kind === 'peer' ? { ...command, bytes: encoded } : decodeMessage<ThreadCommand>(encoded)
    this.commands.push({ command: copy, bytes: encoded.length })
    this.waitingBytes += encoded.length
    if (this.waitingBytes > FEED_WINDOW_BYTES) this.above = true
    this.stir()
  }

  async terminate(): Promise<void> {
    this.end()
  }

  // ---- as the actor sees it

  event(event: OwnEvent): void {
    this.say(decodeMessage<OwnEvent>(encodeMessage(event)))
  }

  peer(to: number, bytes: Uint8Array): void {
    const { configuration } = this
    invariant(configuration !== null, 'a thread that is not configured speaks to nobody')
    this.sentBytes += bytes.length
    const sibling = to - configuration.first
    if (sibling < 0 || sibling >= configuration.threads) this.say({ kind: 'peer', to, bytes: bytes.slice() })
    else this.siblings[sibling].hear(this, configuration.index, bytes.slice())
  }

  get outboundBytes(): number {
    return this.sentBytes
  }

  load(): ThreadLoad {
    const inboundMessages = this.commands.length + this.messages.length + this.feeds.length + this.fromSiblings.length
    return { busy: 0, inboundMessages, heapBytes: 0 }
  }

  // ---- its turns

  private hear(sender: SimulatedThread, from: number, bytes: Uint8Array): void {
    if (this.ended) return
    this.fromSiblings.push({ sender, from, bytes })
    this.stir()
  }

  private stir(): void {
    if (this.ended) return
    this.turning ??= this.later(() => {
      this.turning = null
      this.turn()
    })
  }

  private turn(): void {
    const { actor } = this
    if (actor.idle) {
      this.takeDeferred()
      this.takeSiblings(this.budget())
    }
    this.takeCommands(this.budget())
    if (this.ended) return
    actor.step(this.budget())
    const more = !actor.idle || this.commands.length > 0 || this.messages.length > 0 || this.fromSiblings.length > 0
    if (more || (this.feeds.length > 0 && actor.wantsFeed)) this.stir()
  }

  private takeSiblings(count: number): void {
    for (const { sender, from, bytes } of this.fromSiblings.splice(0, count)) {
      this.actor.takePeer(from, bytes)
      sender.delivered(bytes.length)
    }
  }

  private takeCommands(count: number): void {
    const { idle } = this.actor
    for (const waiting of this.commands.splice(0, count)) {
      const { kind } = waiting.command
      if (kind === 'peer' && !idle) this.messages.push(waiting)
      else if (this.mustWait(kind, idle)) this.feeds.push(waiting)
      else this.take(waiting)
      if (this.ended) return
    }
  }

  private mustWait(kind: ThreadCommand['kind'], idle: boolean): boolean {
    if (kind !== 'feed' && kind !== 'advance') return false
    return this.feeds.length > 0 || (kind === 'feed' && !(idle && this.actor.wantsFeed))
  }

  private takeDeferred(): void {
    for (const waiting of this.messages.splice(0)) this.take(waiting)
    let taken = 0
    for (; taken < this.feeds.length; taken++) {
      if (this.feeds[taken].command.kind === 'feed' && !this.actor.wantsFeed) break
      this.take(this.feeds[taken])
    }
    this.feeds.splice(0, taken)
  }

  private take({ command, bytes }: Waiting): void {
    if (command.kind === 'configure') this.configure(command)
    if (command.kind === 'peer') this.actor.takePeer(command.from, command.bytes)
    else this.actor.handle(command)
    this.taken(bytes)
    if (command.kind === 'stop') this.end()
  }

  /** What waits is of the generation before. */
  private configure(command: Configure): void {
    this.configuration = command
    for (const { bytes } of [...this.messages, ...this.feeds]) this.taken(bytes)
    this.messages = []
    this.feeds = []
  }

  private taken(bytes: number): void {
    this.waitingBytes -= bytes
    if (!this.above || this.waitingBytes > FEED_WINDOW_BYTES / 2) return
    this.above = false
    this.later(() => this.onDrain?.())
  }

  // ---- what it says

  private say(event: ThreadEvent): void {
    if (this.ended) return
    this.events.push(event)
    this.tellSoon()
  }

  private tellSoon(): void {
    this.telling ??= this.later(() => {
      this.telling = null
      this.tell()
    })
  }

  private tell(): void {
    for (const event of this.events.splice(0, this.budget())) {
      if (event.kind === 'peer') this.delivered(event.bytes.length)
      this.onEvent?.(event)
      if (this.ended) return
    }
    if (this.events.length > 0) this.tellSoon()
  }

  /** Somebody took what this thread sent: it may want more rows. */
  private delivered(bytes: number): void {
    this.sentBytes -= bytes
    if (this.feeds.length > 0) this.stir()
  }

  private end(): void {
    this.ended = true
    this.turning?.clear()
    this.telling?.clear()
  }

  private later(work: () => void): Timer {
    return this.environment.timers.setTimeout(() => {
      if (!this.ended) work()
    }, this.chance() * this.options.maximumDelay)
  }

  private budget(): number {
    const most = this.chance() * SMALL_TURNS < 1 ? SMALL_BUDGET : this.options.maximumBudget
    return 1 + Math.floor(this.chance() * most)
  }

  /** From 0 up to, not including, 1. */
  private chance(): number {
    return this.environment.random.uint32() / 2 ** 32
  }
}
