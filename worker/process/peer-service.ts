/**
 * Questions and streams between the processes of one generation, over the connections that carry frames. Messages are plain
 * data (msgpack: int64 as bigint, bytes as they are) with a `kind`.
 *
 * A call begins with one message, gets any number of replies, in order, and ends once: by the one who answers, by the one
 * who asked, or with UNREACHABLE when the connection breaks or the generation ends. Nothing is repeated: whoever asked decides.
 */
import type { MillraceError } from '../../runtime/error.ts'
import type { ProcessId } from '../../runtime/protocol/control.ts'

export interface ServiceMessage {
  readonly kind: string
}

export interface PeerService {
  /**
   * Asks a process of the current generation; this one, too, which then answers itself without a copy being made. Replies
   * come in a later turn, never within the call.
   */
  call(process: ProcessId, message: ServiceMessage, replies: Replies): Call
  /** Answers questions of all processes. Without a handler they end with UNREACHABLE. */
  onService(handler: ServiceHandler | null): void
}

/** What the one who asked hears. */
export interface Replies {
  onReply(message: ServiceMessage): void
  /** Once, the last that is heard. Null: all was said. Not called after `cancel`. */
  onEnd(error: MillraceError | null): void
}

export interface Call {
  readonly process: ProcessId
  /** Nothing is heard any more, and the other side is told. */
  cancel(): void
}

export type ServiceHandler = (message: ServiceMessage, answer: Answer) => void

/** The way back to whoever asked. */
export interface Answer {
  /** Who asked. */
  readonly process: ProcessId
  readonly isOpen: boolean
  /**
   * Bytes that wait for the connection to take them, of all that goes to that process. A stream that sees more than
   * `ANSWER_WINDOW_BYTES` stops or ends itself (OVERFLOW); 0 for a call from the same process.
   */
  readonly bufferedBytes: number
  /** Does nothing when the call is over. */
  reply(message: ServiceMessage): void
  /** The last word; with an error the other side's `onEnd` gets it. */
  end(error?: MillraceError): void
  /** Set in the handler: called once if the other side cancels, or can no longer be reached. Not after `end`. */
  onCancel: (() => void) | null
}

export const ANSWER_WINDOW_BYTES = 4 << 20
