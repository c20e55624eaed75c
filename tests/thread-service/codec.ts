/** Messages between threads of one process without bytes: the number of a message in a table is what is sent. */
import { invariant } from '../../runtime/error.ts'
import type { PeerMessage } from '../../runtime/protocol/message.ts'
import type { Configure } from '../../runtime/protocol/thread.ts'
import type { PeerCodec } from '../../worker/thread/peer-codec.ts'

const messages = new Map<number, PeerMessage>()
let next = 0

export function testCodec({ generation }: Configure): PeerCodec {
  return {
    encode(_, message) {
      messages.set(++next, message)
      return new Uint8Array(Int32Array.of(next).buffer)
    },
    decode(_, bytes) {
      const id = new Int32Array(bytes.buffer, bytes.byteOffset, 1)[0]
      const message = messages.get(id)
      messages.delete(id)
      invariant(message !== undefined, `message ${id} is taken once`)
      return message.generation === generation ? message : null
    },
  }
}
