/** Listens to what a worker process and its coordinator say to each other, without changing it. */
import type { Connection, ConnectOptions } from '../runtime/env/connection.ts'
import type { Network } from '../runtime/env/network.ts'
import { decodeMessage } from '../runtime/protocol/codec.ts'
import { CONTROL_PATH, type FromCoordinator, type FromProcess } from '../runtime/protocol/control.ts'

export interface Wiretap {
  onSent(message: FromProcess): void
  onReceived(message: FromCoordinator): void
}

/** The network of a process, with its control connections tapped. */
export function tapped(network: Network, tap: Wiretap): Network {
  return {
    serve: (options, handler) => network.serve(options, handler),
    fetch: (request, options) => network.fetch(request, options),
    connect: async (url: string, options?: ConnectOptions) => {
      const connection = await network.connect(url, options)
      return new URL(url).pathname === CONTROL_PATH ? new TappedConnection(connection, tap) : connection
    },
  }
}

class TappedConnection implements Connection {
  private readonly connection: Connection
  private readonly tap: Wiretap

  constructor(connection: Connection, tap: Wiretap) {
    this.connection = connection
    this.tap = tap
  }

  get remote(): string {
    return this.connection.remote
  }

  get bufferedBytes(): number {
    return this.connection.bufferedBytes
  }

  get isOpen(): boolean {
    return this.connection.isOpen
  }

  send(bytes: Uint8Array): void {
    this.tap.onSent(decodeMessage<FromProcess>(bytes))
    this.connection.send(bytes)
  }

  get onMessage(): ((bytes: Uint8Array) => void) | null {
    return this.connection.onMessage
  }

  set onMessage(listener: ((bytes: Uint8Array) => void) | null) {
    this.connection.onMessage =
      listener === null
        ? null
        : (bytes) => {
            this.tap.onReceived(decodeMessage<FromCoordinator>(bytes))
            listener(bytes)
          }
  }

  get onClose(): ((reason: string) => void) | null {
    return this.connection.onClose
  }

  set onClose(listener: ((reason: string) => void) | null) {
    this.connection.onClose = listener
  }

  get onDrain(): (() => void) | null {
    return this.connection.onDrain
  }

  set onDrain(listener: (() => void) | null) {
    this.connection.onDrain = listener
  }

  close(reason?: string): void {
    this.connection.close(reason)
  }

  terminate(): void {
    this.connection.terminate()
  }
}
