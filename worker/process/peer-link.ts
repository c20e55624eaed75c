/**
 * An established connection to another process of the generation: frames and service messages in order, each once, or the
 * link is broken for good.
 *
 * What was sent and not yet handed on by the other side to its threads counts as outstanding; whoever admits rows stops while that is
 * above a window. (Credit by acknowledgement, end to end: a socket's own window ends at the other process's main thread,
 * behind which a slow thread's messages would pile up.)
 */
import type { Connection } from '../../runtime/env/connection.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import type { ProcessId } from '../../runtime/protocol/control.ts'
import {
  contentSum,
  ENTRY_BYTES,
  FRAMES,
  HEADER_BYTES,
  HEARTBEAT,
  MAXIMUM_ENTRIES,
  paddedLength,
  readEntries,
  readHeader,
  readTaken,
  SERVICE,
  writeHeader,
} from './peer-wire.ts'

/** Small messages of one turn go together, up to so many bytes. */
export const COALESCE_BYTES = 64 << 10
/** Longer messages go alone; their bytes are copied once, too. */
const LARGE_BYTES = COALESCE_BYTES >> 1
/** So many bytes handed on are acknowledged at once and not with the next heartbeat. */
export const ACKNOWLEDGE_BYTES = 512 << 10

export interface PeerLinkEvents {
  onFrame(from: number, to: number, bytes: Uint8Array): void
  onService(message: PeerServiceMessage): void
  /** The other side has handed on more than before. */
  onAcknowledged(): void
  /** Once; nothing is heard after it. */
  onBroken(reason: string): void
  /** Whether this process's threads are behind in taking what came. */
  isBacklogged(): boolean
}

export type PeerServiceMessage =
  | { readonly kind: 'call'; readonly call: number; readonly message: { readonly kind: string } }
  | { readonly kind: 'reply'; readonly call: number; readonly message: { readonly kind: string } }
  | { readonly kind: 'end'; readonly call: number; readonly error: { readonly code: string; readonly message: string } | null }
  | { readonly kind: 'cancel'; readonly call: number }

export class PeerLink {
  readonly process: ProcessId
  /** Milliseconds of the monotonic clock when the other side was last heard. */
  lastHeard: number
  /** Whether any frame has gone either way. */
  used = false
  private readonly environment: Environment
  private readonly connection: Connection
  private readonly events: PeerLinkEvents
  private open = true
  private sendSequence = 0
  private receiveSequence = 0
  private buffer = new Uint8Array(0)
  private view = new DataView(this.buffer.buffer)
  private filled = 0
  private entries = 0
  private flushing = false
  private lastSent: number
  private sentBytes = 0
  private acknowledgedBytes = 0
  private takenBytes = 0
  private toldTaken = 0

  constructor(environment: Environment, process: ProcessId, connection: Connection, events: PeerLinkEvents) {
    this.environment = environment
    this.process = process
    this.connection = connection
    this.events = events
    this.lastHeard = this.now()
    this.lastSent = this.lastHeard
    connection.onMessage = (bytes) => this.receive(bytes)
    connection.onClose = (reason) => this.breakWith(reason)
    connection.onDrain = () => this.events.onAcknowledged()
  }

  get isOpen(): boolean {
    return this.open
  }

  /** Bytes that wait in this process. */
  get bufferedBytes(): number {
    return this.filled + this.connection.bufferedBytes
  }

  /** Bytes that the other side has not handed on yet, as far as it told. */
  get outstandingBytes(): number {
    return this.sentBytes - this.acknowledgedBytes
  }

  /** Copies the bytes. */
  sendFrame(from: number, to: number, bytes: Uint8Array): void {
    if (!this.open) return
    this.used = true
    this.sentBytes += bytes.length
    const size = ENTRY_BYTES + paddedLength(bytes.length)
    if (this.filled > 0 && (this.filled + size > COALESCE_BYTES || this.entries === MAXIMUM_ENTRIES)) this.flush()
    if (size > LARGE_BYTES) {
      this.flush()
      this.start(HEADER_BYTES + size)
      this.add(from, to, bytes)
      this.flush()
      return
    }
    if (this.filled === 0) this.start(COALESCE_BYTES)
    this.add(from, to, bytes)
    this.flushSoon()
  }

  sendService(message: PeerServiceMessage): void {
    if (!this.open) return
    this.flush()
    const content = encodeMessage(message)
    const bytes = new Uint8Array(HEADER_BYTES + content.length)
    bytes.set(content, HEADER_BYTES)
    this.send(bytes, SERVICE, contentSum(bytes, SERVICE))
  }

  /** Says that we are there, if nothing else did for so long; call it now and then. */
  heartbeat(milliseconds: number): void {
    if (!this.open) return
    if (this.now() - this.lastSent >= milliseconds || this.unacknowledged > 0) this.acknowledge()
  }

  /** Tells what was handed on, unless this process's threads are behind. */
  acknowledgeIfDue(): void {
    if (this.open && this.unacknowledged >= ACKNOWLEDGE_BYTES && !this.events.isBacklogged()) this.acknowledge()
  }

  close(reason: string): void {
    if (!this.open) return
    this.flush()
    this.open = false
    this.connection.close(reason)
  }

  /** Ends it, and tells the owner. */
  breakWith(reason: string): void {
    if (!this.open) return
    this.open = false
    this.connection.terminate()
    this.events.onBroken(reason)
  }

  private get unacknowledged(): number {
    return this.takenBytes - this.toldTaken
  }

  private acknowledge(): void {
    this.flush()
    if (!this.events.isBacklogged()) this.toldTaken = this.takenBytes
    const bytes = new Uint8Array(HEADER_BYTES + 8)
    new DataView(bytes.buffer).setFloat64(HEADER_BYTES, this.toldTaken, true)
    this.send(bytes, HEARTBEAT, contentSum(bytes, HEARTBEAT))
  }

  private start(size: number): void {
    if (this.buffer.length !== size) {
      this.buffer = new Uint8Array(size)
      this.view = new DataView(this.buffer.buffer)
    }
    this.filled = HEADER_BYTES
    this.entries = 0
  }

  private add(from: number, to: number, bytes: Uint8Array): void {
    const at = this.filled
    this.view.setUint16(at, from, true)
    this.view.setUint16(at + 2, to, true)
    this.view.setUint32(at + 4, bytes.length, true)
    this.buffer.set(bytes, at + ENTRY_BYTES)
    this.filled = at + ENTRY_BYTES + paddedLength(bytes.length)
    this.entries++
  }

  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    void Promise.resolve().then(() => {
      this.flushing = false
      if (this.open) this.flush()
    })
  }

  private flush(): void {
    const { filled } = this
    if (filled === 0) return
    this.filled = 0
    // A buffer that is mostly empty is copied and used again; else the connection takes it over.
    let bytes: Uint8Array
    if (2 * filled < this.buffer.length) bytes = this.buffer.slice(0, filled)
    else {
      bytes = this.buffer.subarray(0, filled)
      this.buffer = new Uint8Array(0)
    }
    this.send(bytes, FRAMES, this.entries)
  }

  private send(bytes: Uint8Array, type: typeof FRAMES | typeof SERVICE | typeof HEARTBEAT, count: number): void {
    writeHeader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), this.sendSequence, type, count)
    this.sendSequence = (this.sendSequence + 1) >>> 0
    this.lastSent = this.now()
    this.connection.send(bytes)
  }

  private receive(bytes: Uint8Array): void {
    if (!this.open) return
    this.lastHeard = this.now()
    try {
      this.take(bytes)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'PROTOCOL') throw error
      this.breakWith(error.message)
    }
  }

  private take(bytes: Uint8Array): void {
    const { sequence, type, count } = readHeader(bytes)
    if (sequence !== this.receiveSequence)
      throw new MillraceError(
        'PROTOCOL',
        `message ${sequence} came where message ${this.receiveSequence} was due: some were lost or doubled`,
      )
    this.receiveSequence = (sequence + 1) >>> 0
    if (type !== FRAMES && count !== contentSum(bytes, type))
      throw new MillraceError('PROTOCOL', `message ${sequence} was damaged on its way`)
    if (type === FRAMES) {
      this.used = true
      readEntries(bytes, count, (from, to, content) => {
        this.takenBytes += content.length
        this.events.onFrame(from, to, content)
      })
      this.acknowledgeIfDue()
    } else if (type === SERVICE) this.events.onService(decodeMessage<PeerServiceMessage>(bytes.subarray(HEADER_BYTES)))
    else if (type === HEARTBEAT) {
      this.acknowledgedBytes = Math.min(this.sentBytes, Math.max(this.acknowledgedBytes, readTaken(bytes)))
      this.events.onAcknowledged()
    }
    // Other types come from a later version: nothing here depends on them.
  }

  private now(): number {
    return this.environment.clock.monotonic() / 1000
  }
}
