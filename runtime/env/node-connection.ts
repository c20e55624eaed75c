/** A connection over a WebSocket of `ws` (RFC 6455): one binary message for each of ours, nothing compressed. */
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Connection } from './connection.ts'
import { KeptMessages } from './kept-messages.ts'

/** What one turn sends is written with one system call, but more than this goes out at once, so that the kernel has something to do. */
const CORKED_BYTES = 256 << 10
/** Between packets that ask whether the other end's host is there. */
const KEEP_ALIVE_MILLISECONDS = 30_000
/** How long an end that broke the protocol has to say goodbye. */
const VIOLATION_MILLISECONDS = 500
/** RFC 6455, section 5.5: a control frame holds 125 bytes, two of them the code. */
const REASON_BYTES = 123

const TOO_LONG = 1009
const NORMAL = 1000
const ONLY_BYTES = 1003

export class NodeConnection implements Connection {
  readonly remote: string
  onDrain: (() => void) | null = null
  private readonly maximumMessageBytes: number
  private readonly inbound = new KeptMessages(queueMicrotask, () => this.webSocket?.resume())
  private webSocket: WebSocket | null = null
  private socket: Socket | null = null
  /** Sent before the WebSocket was there. */
  private early: Uint8Array[] = []
  private earlyBytes = 0
  private corked = false
  private corkedBytes = 0
  /** Whether `bufferedBytes` was above 0 since `onDrain` was called. */
  private filled = false
  /** Why this end ended it, null while it has not. */
  private ended: string | null = null
  private terminated = false
  private violation = false

  constructor(remote: string, maximumMessageBytes: number) {
    this.remote = remote
    this.maximumMessageBytes = maximumMessageBytes
  }

  get bufferedBytes(): number {
    return this.webSocket === null ? this.earlyBytes : this.webSocket.bufferedAmount
  }

  get isOpen(): boolean {
    return this.ended === null && (this.webSocket === null || this.webSocket.readyState === WebSocket.OPEN)
  }

  get onMessage(): ((bytes: Uint8Array) => void) | null {
    return this.inbound.onMessage
  }

  set onMessage(handler: ((bytes: Uint8Array) => void) | null) {
    if (this.ended === null) this.inbound.onMessage = handler
  }

  get onClose(): ((reason: string) => void) | null {
    return this.inbound.onClose
  }

  set onClose(handler: ((reason: string) => void) | null) {
    this.inbound.onClose = handler
  }

  send(bytes: Uint8Array): void {
    if (!this.isOpen) return
    if (this.webSocket === null || this.socket === null) {
      this.early.push(bytes)
      this.earlyBytes += bytes.length
      return
    }
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
      process.nextTick(this.uncork)
    }
    this.filled = true
    this.webSocket.send(bytes, this.written)
    this.corkedBytes += bytes.length
    if (this.corkedBytes >= CORKED_BYTES) {
      this.socket.uncork()
      this.socket.cork()
      this.corkedBytes = 0
    }
  }

  close(reason = ''): void {
    if (this.ended !== null) return
    this.ended = reason
    this.inbound.discard()
    // What holds the other end's messages back would hold back its goodbye, too.
    this.webSocket?.resume()
    this.webSocket?.close(NORMAL, shortened(reason))
  }

  terminate(): void {
    this.ended ??= 'terminated here'
    this.terminated = true
    this.inbound.discard()
    this.early = []
    this.earlyBytes = 0
    this.webSocket?.terminate()
  }

  /** The connection is established: `webSocket` is open, over `socket`. */
  attach(webSocket: WebSocket, socket: Socket): void {
    this.webSocket = webSocket
    this.socket = socket
    socket.setKeepAlive?.(true, KEEP_ALIVE_MILLISECONDS)
    webSocket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) this.violated('text came where only bytes are understood', ONLY_BYTES)
      else if (this.ended === null) this.inbound.message(data)
      if (this.inbound.full) webSocket.pause()
    })
    let problem = ''
    socket.on('error', (error) => {
      problem = error.message
    })
    webSocket.on('error', (error: Error & { code?: string }) => {
      const tooLong = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
      this.violated(tooLong ? `a message came that is longer than the maximum of ${this.maximumMessageBytes} bytes` : error.message)
    })
    webSocket.on('close', (code, reason) => this.inbound.close(this.ended ?? explain(code, reason.toString(), problem)))
    if (this.terminated) webSocket.terminate()
    else this.sendEarly(webSocket)
  }

  /** It was never established. */
  abandon(reason: string): void {
    this.ended ??= reason
    this.inbound.close(this.ended)
  }

  private sendEarly(webSocket: WebSocket): void {
    for (const bytes of this.early) webSocket.send(bytes, this.written)
    this.filled = this.early.length > 0
    this.early = []
    this.earlyBytes = 0
    if (this.ended !== null) webSocket.close(NORMAL, shortened(this.ended))
  }

  /** The other end does what it must not: it is told, but not waited for. */
  private violated(reason: string, code?: number): void {
    if (this.violation) return
    this.violation = true
    this.ended ??= reason
    this.inbound.close(this.ended)
    this.inbound.discard()
    if (code !== undefined) this.webSocket?.close(code)
    setTimeout(() => this.webSocket?.terminate(), VIOLATION_MILLISECONDS).unref()
  }

  private readonly uncork = (): void => {
    this.corked = false
    this.corkedBytes = 0
    this.socket?.uncork()
  }

  private readonly written = (): void => {
    if (!this.filled || this.bufferedBytes > 0) return
    this.filled = false
    if (this.isOpen) this.onDrain?.()
  }
}

function explain(code: number, reason: string, problem: string): string {
  if (reason !== '') return reason
  if (code === NORMAL || code === 1005) return 'the other end closed the connection'
  if (code === TOO_LONG) return 'the other end takes no messages as long as the one sent'
  if (code === 1006) return problem === '' ? 'the connection was lost' : `the connection was lost: ${problem}`
  return `the other end closed the connection with code ${code}`
}

/** At most as many bytes as a close frame holds, without half a character at its end. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= REASON_BYTES) return reason
  let end = REASON_BYTES
  while ((bytes[end] & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
