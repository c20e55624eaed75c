/**
 * What runs in a dataflow thread, without the thread: an actor that takes commands and messages of other workers and has an
 * outlet for what it says. A thread's loop drives it over rings (`thread-loop.ts`); a simulation drives it as one of many.
 */
import type { ThreadCommand, ThreadEvent } from '../runtime/protocol/thread.ts'

/** While more than this waits at a worker to be sent, the worker takes no fed rows; other commands and messages it does take. */
export const OUTBOUND_WINDOW_BYTES = 8 << 20

export interface ThreadActor {
  /**
   * Any command but `peer`, which is `takePeer`. `stop` comes last. A feed that was not wanted comes later, and so does what must
   * stay behind it; so after a `drop` there may be feeds and advances of what was dropped, to be ignored.
   */
  handle(command: ThreadCommand): void
  /**
   * A message of another worker, as `wire` encodes it. From threads of this process they come only while `idle` holds. The bytes start at a multiple of 8 within their buffer, which may be a
   * shared one; they are valid only during the call.
   */
  takePeer(from: number, bytes: Uint8Array): void
  /** A bounded amount of work. What it throws breaks the thread: `broken` is told for it. */
  step(activations?: number): void
  /** Another step without commands and messages would do nothing. */
  readonly idle: boolean
  /** False while more than `OUTBOUND_WINDOW_BYTES` wait in the outlet, or for a reason of its own. Feeds come only while it and `idle` hold. */
  readonly wantsFeed: boolean
}

/** Where an actor puts what it has to say. Nothing here waits, and nothing is refused. */
export interface ThreadOutlet {
  event(event: Exclude<ThreadEvent, { readonly kind: 'peer' }>): void
  /** An encoded message for another worker, never for this one; the bytes are copied before it returns. */
  peer(to: number, bytes: Uint8Array): void
  /** Bytes of messages and events that no ring had room for yet. */
  readonly outboundBytes: number
  /** For statistics. */
  load(): ThreadLoad
}

export interface ThreadLoad {
  /** Share of the time since the last call in which the thread worked, 0 to 1. */
  readonly busy: number
  /** Commands and messages that wait to be taken. */
  readonly inboundMessages: number
  readonly heapBytes: number
}

/** Makes the actor of a thread. It is configured by its first command. */
export type CreateActor = (outlet: ThreadOutlet) => ThreadActor
