/**
 * A connection between two processes: whole messages of bytes, in order, each exactly once, until it breaks. It never
 * repairs itself: when it is gone, whoever owns it decides what that means. (A half-open connection is found out by the
 * heartbeats of the protocol above.)
 */
export interface Connection {
  /** The other end's address, for messages to people. */
  readonly remote: string
  /** Bytes that were sent and have not left this process. A sender that sees too many stops producing. */
  readonly bufferedBytes: number
  readonly isOpen: boolean
  /**
   * Takes the bytes over: the caller does not change them any more. Does nothing once the connection is closed. What is sent
   * within one turn leaves together at its end.
   */
  send(bytes: Uint8Array): void
  /**
   * Set at once, in the same turn in which the connection was received; what arrives before is kept for it. The bytes are
   * the receiver's, but may start at any offset of a larger buffer, which they keep in memory. While it is null, up to
   * `KEPT_BYTES` are kept and the rest waits at the sender, so that a receiver can hold a sender back. Not called
   * any more after `close` or `terminate`.
   */
  onMessage: ((bytes: Uint8Array) => void) | null
  /**
   * Called once, whichever end it was that ended it, behind the messages, and never from within a call of this interface.
   * `reason` is for people.
   */
  onClose: ((reason: string) => void) | null
  /** Called when `bufferedBytes` has fallen to 0 after it was above. */
  onDrain: (() => void) | null
  /** Ends it; what was sent before is delivered if the other end lives. */
  close(reason?: string): void
  /** Ends it at once, with what was sent lost. */
  terminate(): void
}

export interface ConnectOptions {
  /** Sent when connecting; never logged. */
  readonly token?: string
  /** Milliseconds until an attempt is given up. Default `CONNECT_TIMEOUT_MILLISECONDS`. */
  readonly timeoutMilliseconds?: number
  readonly tls?: TlsIdentity
  /** Longer messages break the connection. Default `MAXIMUM_MESSAGE_BYTES`. */
  readonly maximumMessageBytes?: number
}

/** PEM texts. With a `ca`, the other side's certificate must come from it, in place of the system's authorities. */
export interface TlsIdentity {
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

export const CONNECT_TIMEOUT_MILLISECONDS = 3000
export const MAXIMUM_MESSAGE_BYTES = 64 << 20
/** Bytes kept for an `onMessage` that is not set; a message that goes beyond is the last one kept. */
export const KEPT_BYTES = 1 << 20
