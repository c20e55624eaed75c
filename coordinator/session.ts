/** One control connection. It comes and goes; the process that it belongs to may have another one later. */
import type { Connection } from '../runtime/env/connection.ts'
import { encodeMessage } from '../runtime/protocol/codec.ts'
import type { FromCoordinator, FromProcess } from '../runtime/protocol/control.ts'
import { messageOf } from './error-code.ts'
import { decodeFromProcess } from './from-process.ts'

export interface SessionEvents {
  message(session: Session, message: FromProcess): void
  closed(session: Session, reason: string): void
}

export class Session {
  readonly remote: string
  private readonly connection: Connection
  private readonly maximumBacklog: number
  private readonly events: SessionEvents
  private over = false

  constructor(connection: Connection, maximumBacklogBytes: number, events: SessionEvents) {
    this.connection = connection
    this.remote = connection.remote
    this.maximumBacklog = maximumBacklogBytes
    this.events = events
    connection.onMessage = (bytes) => this.receive(bytes)
    connection.onClose = (reason) => this.end(reason)
  }

  send(message: FromCoordinator): void {
    if (this.over) return
    this.connection.send(encodeMessage(message))
    if (this.connection.bufferedBytes <= this.maximumBacklog) return
    this.connection.terminate()
    this.end('it takes no messages')
  }

  /** Ends it; what was sent before arrives. */
  close(reason: string): void {
    if (this.over) return
    this.over = true
    this.connection.close(reason)
  }

  /** As if the network had: the process connects again, or is lost. */
  break(reason: string): void {
    if (this.over) return
    this.connection.close(reason)
    this.end(reason)
  }

  private receive(bytes: Uint8Array): void {
    if (this.over) return
    let message: FromProcess | null
    try {
      message = decodeFromProcess(bytes)
    } catch (error) {
      this.break(messageOf(error))
      return
    }
    if (message !== null) this.events.message(this, message)
  }

  private end(reason: string): void {
    if (this.over) return
    this.over = true
    this.events.closed(this, reason)
  }
}
