/** Messages between workers as bytes, for one worker in one generation. Between threads of a process there are no checksums. */
import { hasChecksum, WireDecoder, WireEncoder } from '../../runtime/channel/wire.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { PeerMessage } from '../../runtime/protocol/message.ts'
import type { Configure } from '../../runtime/protocol/thread.ts'

export class PeerCodec {
  private readonly configuration: Configure
  private readonly plain = new WireEncoder(false)
  private readonly checked = new WireEncoder(true)
  private readonly decoder = new WireDecoder()

  constructor(configuration: Configure) {
    this.configuration = configuration
  }

  /** The bytes are valid until the next call; the rows of a frame go back to their pool. */
  encode(to: number, message: PeerMessage): Uint8Array {
    return (this.isRemote(to) ? this.checked : this.plain).encode(message)
  }

  /**
   * Null for a message of another generation.
   * @throws MillraceError PROTOCOL for what is no message, or not of that worker
   */
  decode(from: number, bytes: Uint8Array): PeerMessage | null {
    const message = this.decoder.read(bytes)
    // First of all: in another generation `from` was somebody else.
    if (message.generation !== this.configuration.generation) {
      if (message.kind === 'frame') message.batch.release()
      return null
    }
    if (this.isRemote(from) && !hasChecksum(bytes)) throw new MillraceError('PROTOCOL', `a message of worker ${from} has no checksum`)
    if (message.from !== from) throw new MillraceError('PROTOCOL', `a message of worker ${message.from} came from worker ${from}`)
    return message
  }

  /** Whether a worker is in another process. */
  isRemote(worker: number): boolean {
    const { first, threads } = this.configuration
    return worker < first || worker >= first + threads
  }
}
