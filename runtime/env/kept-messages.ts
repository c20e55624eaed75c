/** What an end of a connection tells its owner: in order, and kept while nobody listens. Both networks have this half in common. */
import { KEPT_BYTES } from './connection.ts'

type MessageHandler = (bytes: Uint8Array) => void
type CloseHandler = (reason: string) => void

export class KeptMessages {
  private handler: MessageHandler | null = null
  private closeHandler: CloseHandler | null = null
  private kept: Uint8Array[] = []
  private keptBytes = 0
  private delivering = false
  private reason: string | null = null
  private told = false
  private readonly defer: (work: () => void) => void
  private readonly onRoom: () => void

  /** `defer` runs work in a turn of its own; `onRoom` is called when `full` has become false. */
  constructor(defer: (work: () => void) => void, onRoom: () => void) {
    this.defer = defer
    this.onRoom = onRoom
  }

  /** Whether no more should be read from the other end for now. */
  get full(): boolean {
    return this.keptBytes >= KEPT_BYTES
  }

  get onMessage(): MessageHandler | null {
    return this.handler
  }

  set onMessage(handler: MessageHandler | null) {
    this.handler = handler
    if (handler !== null && this.kept.length > 0) this.resume()
  }

  get onClose(): CloseHandler | null {
    return this.closeHandler
  }

  set onClose(handler: CloseHandler | null) {
    this.closeHandler = handler
    if (handler !== null && this.reason !== null && !this.told) this.resume()
  }

  message(bytes: Uint8Array): void {
    if (this.handler !== null && this.kept.length === 0) {
      this.handler(bytes)
      return
    }
    this.kept.push(bytes)
    this.keptBytes += bytes.length
  }

  /** Behind all messages so far; only the first reason counts. */
  close(reason: string): void {
    if (this.reason !== null) return
    this.reason = reason
    this.resume()
  }

  /** This end ended it: what was kept is of no interest any more, and what still comes neither. */
  discard(): void {
    this.kept = []
    this.keptBytes = 0
    this.handler = ignore
  }

  private resume(): void {
    if (this.delivering) return
    this.delivering = true
    this.defer(() => {
      this.delivering = false
      this.deliver()
    })
  }

  private deliver(): void {
    const wasFull = this.full
    let next = 0
    // A handler may take itself away, or throw: what it did not see stays.
    try {
      while (next < this.kept.length && this.handler !== null) {
        const bytes = this.kept[next++]
        this.keptBytes -= bytes.length
        this.handler(bytes)
      }
    } finally {
      this.kept.splice(0, next)
    }
    if (wasFull && !this.full) this.onRoom()
    if (this.reason === null || this.told || this.kept.length > 0 || this.closeHandler === null) return
    this.told = true
    this.closeHandler(this.reason)
  }
}

function ignore(): void {}
