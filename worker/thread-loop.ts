/**
 * The loop of a dataflow thread: it takes commands of the main thread and messages of other threads from rings, lets the actor
 * work, puts out what it says, and waits when there is nothing to do. No promise, timer or socket lives here.
 *
 * Flow control: messages are taken only when the actor has come to rest, so a slow thread's rings fill and its peers' outboxes
 * grow; and a thread whose outboxes have grown takes no fed rows. It always takes other commands and, once at rest, messages: that
 * way no circle of threads can wait for each other.
 */
import { Waiter } from '../runtime/channel/doorbell.ts'
import type { RingAtomics } from '../runtime/channel/ring-atomics.ts'
import type { RingOutbox } from '../runtime/channel/ring-outbox.ts'
import type { RingReader } from '../runtime/channel/ring-reader.ts'
import type { ThreadSurroundings } from '../runtime/env/threads.ts'
import { invariant } from '../runtime/error.ts'
import { decodeMessage, encodeMessage } from '../runtime/protocol/codec.ts'
import type { Configure, PeerBytesOut, ThreadCommand, ThreadEvent } from '../runtime/protocol/thread.ts'
import { TakenCommands } from './command-count.ts'
import { ADVANCE, CONTROL, FEED, MeshEnd, type MeshMemory } from './local-mesh.ts'
import type { ThreadActor, ThreadLoad, ThreadOutlet } from './thread-actor.ts'

/** Bytes that are taken from one ring before the actor gets a turn. */
const TAKE_BYTES = 256 << 10
/** A thread that sleeps looks after itself once in a while, whether or not it was rung. */
const PARK_MILLISECONDS = 1000
/** How often a thread that ends waits for the main thread to make room for its last words. */
const LAST_WORDS_WAITS = 50
const LAST_WORDS_MILLISECONDS = 100

export interface ThreadData {
  readonly mesh: MeshMemory
  /** The number of this thread in its process. */
  readonly local: number
  /** Never sleeps: for measurements. */
  readonly spinAlways: boolean
  /** For the module that the thread runs. */
  readonly settings: unknown
}

/** In place of the actor, which is made with the loop as its outlet. */
const unborn: ThreadActor = { handle() {}, takePeer() {}, step() {}, idle: true, wantsFeed: false }

/** What was taken from the ring of commands, so that what is behind it can be, and is not handled yet. */
interface Deferred {
  readonly tag: number
  readonly bytes: Uint8Array
}

export class ThreadLoop implements ThreadOutlet {
  private readonly surroundings: ThreadSurroundings
  private actor: ThreadActor = unborn
  private readonly waiter: Waiter
  private readonly toMain: RingOutbox
  private readonly commands: RingReader
  /** Of sibling threads; null at this one's place. */
  private readonly outboxes: readonly (RingOutbox | null)[]
  private readonly siblings: readonly RingReader[]
  private readonly taken: TakenCommands
  /**
   * Messages of other processes that came while the actor was at work; and from a feed on that it did not want, all feeds and
   * what must stay behind them. The main thread counts both as waiting, and bounds them.
   */
  private messages: Deferred[] = []
  private feeds: Deferred[] = []
  private configured: Configure | null = null
  private stopped = false
  private restedSince = 0
  private loadSince: number

  constructor(data: ThreadData, surroundings: ThreadSurroundings, atomics: RingAtomics) {
    const end = new MeshEnd(data.mesh, data.local, atomics)
    this.surroundings = surroundings
    this.waiter = new Waiter(
      end.doorbells[data.local],
      { words: end.board, index: end.spinning, most: data.mesh.spinners, always: data.spinAlways },
      atomics,
    )
    this.toMain = end.outboxes[end.main] as RingOutbox
    this.commands = end.readers[end.main] as RingReader
    this.outboxes = end.outboxes.slice(0, end.main)
    this.siblings = end.readers.slice(0, end.main).filter((reader) => reader !== null)
    this.taken = new TakenCommands(end.board, end.taken(data.local), end.doorbells[end.main], atomics)
    this.loadSince = surroundings.monotonic()
  }

  /** Returns once the thread was told to stop. Throws what the actor throws. */
  run(actor: ThreadActor): void {
    this.actor = actor
    while (!this.stopped) if (!this.turn()) this.rest()
    this.lastWords()
  }

  /** Tells the main thread that this one cannot go on. */
  tellBroken(error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.event({ kind: 'broken', message })
    this.lastWords()
  }

  event(event: Exclude<ThreadEvent, PeerBytesOut>): void {
    this.toMain.send(CONTROL, encodeMessage(event))
  }

  peer(to: number, bytes: Uint8Array): void {
    const configured = this.configured
    invariant(configured !== null, 'a thread that is not configured speaks to nobody')
    const sibling = to - configured.first
    const isSibling = sibling >= 0 && sibling < configured.threads
    const outbox = isSibling ? this.outboxes[sibling] : this.toMain
    invariant(outbox !== null && outbox !== undefined, `worker ${to} is no other worker`)
    outbox.send(isSibling ? configured.index : to, bytes)
  }

  get outboundBytes(): number {
    let bytes = this.toMain.waitingBytes
    for (const outbox of this.outboxes) if (outbox !== null) bytes += outbox.waitingBytes
    return bytes
  }

  load(): ThreadLoad {
    const now = this.surroundings.monotonic()
    const elapsed = now - this.loadSince
    const busy = elapsed > 0 ? Math.min(1, Math.max(0, 1 - this.restedSince / elapsed)) : 0
    this.loadSince = now
    this.restedSince = 0
    let inboundMessages = this.commands.countWaiting() + this.feeds.length + this.messages.length
    for (const reader of this.siblings) inboundMessages += reader.countWaiting()
    return { busy, inboundMessages, heapBytes: this.surroundings.heapBytes() }
  }

  /** Takes what has come, and works. False if there was nothing to do. */
  private turn(): boolean {
    const { actor } = this
    const idle = actor.idle
    let took = false
    if (idle) {
      took = this.takeDeferred()
      if (this.takeSiblings()) took = true
    }
    if (this.takeCommands(idle)) took = true
    if (this.stopped) return true
    if (!took && idle) return false
    actor.step()
    this.flush()
    return true
  }

  private rest(): void {
    const from = this.surroundings.monotonic()
    this.waiter.wait(this.hasWork, PARK_MILLISECONDS)
    this.restedSince += this.surroundings.monotonic() - from
  }

  private readonly hasWork = (): boolean => {
    if (this.commands.hasMore) return true
    for (const reader of this.siblings) if (reader.hasMore) return true
    return this.flush() || this.messages.length > 0 || (this.feeds.length > 0 && this.actor.wantsFeed)
  }

  /** Returns whether anything has gone that had waited. */
  private flush(): boolean {
    let moved = this.toMain.flush()
    for (const outbox of this.outboxes) if (outbox?.flush()) moved = true
    return moved
  }

  private takeSiblings(): boolean {
    const { actor, siblings } = this
    let took = false
    for (const reader of siblings) {
      for (let bytes = 0; bytes < TAKE_BYTES && reader.next(); bytes += reader.length) {
        actor.takePeer(reader.tag, reader.view())
        reader.release()
        took = true
      }
    }
    return took
  }

  private takeCommands(idle: boolean): boolean {
    const { commands } = this
    let took = false
    for (let bytes = 0; bytes < TAKE_BYTES && !this.stopped && commands.next(); bytes += commands.length) {
      const { tag } = commands
      if (tag >= 0 && idle) {
        this.take(tag, commands.view())
        commands.release()
        took = true
        continue
      }
      // Copied where it is decoded or waits: the decoder is for memory that nobody else writes.
      const message = commands.view().slice()
      commands.release()
      if (tag >= 0) this.messages.push({ tag, bytes: message })
      else if (this.mustWait(tag, idle)) this.feeds.push({ tag, bytes: message })
      else {
        this.take(tag, message)
        took = true
      }
    }
    return took
  }

  private mustWait(tag: number, idle: boolean): boolean {
    if (tag !== FEED && tag !== ADVANCE) return false
    return this.feeds.length > 0 || (tag === FEED && !(idle && this.actor.wantsFeed))
  }

  private takeDeferred(): boolean {
    const messages = this.messages.splice(0)
    for (const { tag, bytes } of messages) this.take(tag, bytes)
    let taken = 0
    for (let bytes = 0; bytes < TAKE_BYTES && taken < this.feeds.length; taken++) {
      const feed = this.feeds[taken]
      if (feed.tag === FEED && !this.actor.wantsFeed) break
      this.take(feed.tag, feed.bytes)
      bytes += feed.bytes.length
    }
    this.feeds.splice(0, taken)
    return messages.length + taken > 0
  }

  private take(tag: number, message: Uint8Array): void {
    if (tag >= 0) this.actor.takePeer(tag, message)
    else this.handle(message)
    this.taken.take(message.length)
  }

  private handle(message: Uint8Array): void {
    const command = decodeMessage<ThreadCommand>(message)
    if (command.kind === 'configure') this.configure(command)
    this.actor.handle(command)
    if (command.kind === 'stop') this.stopped = true
  }

  /** What waits is of the generation before. */
  private configure(command: Configure): void {
    this.configured = command
    for (const { bytes } of [...this.messages, ...this.feeds]) this.taken.take(bytes.length)
    this.messages = []
    this.feeds = []
  }

  /** Waits, within bounds, until the main thread has room for all that this one has to say. */
  private lastWords(): void {
    for (let waits = 0; waits < LAST_WORDS_WAITS; waits++) {
      this.toMain.flush()
      if (this.toMain.waitingBytes === 0) return
      this.waiter.wait(() => this.toMain.flush(), LAST_WORDS_MILLISECONDS)
    }
  }
}
