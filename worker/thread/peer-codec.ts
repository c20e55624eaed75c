/** Messages between workers as bytes. One codec lives for one generation of one worker; it may remember what each other worker knows. */
import type { PeerMessage } from '../../runtime/protocol/message.ts'

export interface PeerCodec {
  /** The bytes are read before the next call, and belong to the codec. */
  encode(to: number, message: PeerMessage): Uint8Array
  /**
   * The message that the bytes are, which are valid during the call only; null if it is one of another generation.
   * @throws MillraceError PROTOCOL
   */
  decode(from: number, bytes: Uint8Array): PeerMessage | null
}
