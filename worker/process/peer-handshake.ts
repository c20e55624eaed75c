/** How two worker processes make sure that they mean each other, and the same generation, before a frame goes either way. */
import type { Connection } from '../../runtime/env/connection.ts'
import type { Timers } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import type { ProcessId } from '../../runtime/protocol/control.ts'

/** From the one who connects. */
export interface PeerHello {
  readonly kind: 'peer-hello'
  /** What all members of the generation speak. */
  readonly protocol: number
  readonly cluster: string
  readonly generation: number
  readonly process: ProcessId
  /** Whom it means: an address may have been given to another process meanwhile. */
  readonly to: ProcessId
}

export interface PeerWelcome {
  readonly kind: 'peer-welcome'
}

export interface PeerRefused {
  readonly kind: 'peer-refused'
  readonly reason: string
  /** The generation is not known here yet. */
  readonly retry: boolean
}

/** An answer, or a first message, must come within so long. */
export const HANDSHAKE_MILLISECONDS = 3000

/** Says hello and waits for the answer; with any other answer than welcome, or none, the connection is gone. */
export function greet(timers: Timers, connection: Connection, hello: PeerHello): Promise<PeerWelcome | PeerRefused> {
  connection.send(encodeMessage(hello))
  return firstMessage<PeerWelcome | PeerRefused>(timers, connection)
}

/** The first message. What comes behind it is kept until somebody listens, which must be within the same turn. */
export function firstMessage<M extends { readonly kind: string }>(timers: Timers, connection: Connection): Promise<M> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      timer.clear()
      connection.onMessage = null
      connection.onClose = null
    }
    const fail = (error: MillraceError): void => {
      settle()
      connection.terminate()
      reject(error)
    }
    const timer = timers.setTimeout(() => {
      fail(new MillraceError('UNREACHABLE', `${connection.remote} said nothing for ${HANDSHAKE_MILLISECONDS} ms`))
    }, HANDSHAKE_MILLISECONDS)
    connection.onClose = (reason) => fail(new MillraceError('UNREACHABLE', `${connection.remote} closed the connection: ${reason}`))
    connection.onMessage = (bytes) => {
      settle()
      try {
        resolve(decodeMessage<M>(bytes))
      } catch (error) {
        connection.terminate()
        reject(error)
      }
    }
  })
}
