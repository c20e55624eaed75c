/** A connection for messages between simulated hosts. */
import type { Connection } from './connection.ts'
import { KeptMessages } from './kept-messages.ts'
import type { Fate } from './simulated-link.ts'
import type { SimulatedEnd } from './simulated-session.ts'

/** Bytes that kernels and wires hold: what is sent beyond counts as buffered. */
export const SIMULATED_WINDOW_BYTES = 64 << 10
/** After `close`, how long the other end's answer is waited for. */
const CLOSE_MILLISECONDS = 30_000
/** Received bytes start at any offset below this, as those of a socket do. */
const OFFSETS = 8

export type ConnectionParcel = Uint8Array | { readonly closed: string }

export class SimulatedConnection implements Connection {
  readonly remote: string
  onDrain: (() => void) | null = null
  private readonly end: SimulatedEnd
  private readonly maximumMessageBytes: number
  private readonly inbound: KeptMessages
  private filled = false
  private open = true
  private finished = false
  /** Why this end ended it. */
  private ended: string | null = null
  /** Called when the connection is over for this end. */
  onOver: () => void = () => undefined

  constructor(remote: string, end: SimulatedEnd, maximumMessageBytes: number) {
    const { life } = end
    this.remote = remote
    this.end = end
    this.maximumMessageBytes = maximumMessageBytes
    this.inbound = new KeptMessages(
      (work) => void life.world.events.at(0, life, work),
      () => this.end.hold(false),
    )
    end.onParcel = (parcel) => this.receive(parcel as ConnectionParcel)
    end.onLost = (reason) => this.finish(reason)
    end.onTaken = () => this.taken()
  }

  get bufferedBytes(): number {
    return this.end.over ? 0 : Math.max(0, this.end.bytes - SIMULATED_WINDOW_BYTES)
  }

  get isOpen(): boolean {
    return this.open
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
    if (!this.open) return
    this.end.send(bytes, bytes.length)
    this.filled = this.bufferedBytes > 0
  }

  close(reason = ''): void {
    if (this.ended !== null || this.end.over) return
    this.open = false
    this.ended = reason
    this.inbound.discard()
    this.end.hold(false)
    this.end.send({ closed: reason })
    const { life } = this.end
    life.world.events.at(life.world.events.time + CLOSE_MILLISECONDS * 1000, life, () => this.end.lose(reason))
  }

  terminate(): void {
    if (this.end.over) return
    this.open = false
    this.ended ??= 'terminated here'
    this.inbound.discard()
    this.end.reset()
    this.finish(this.ended)
  }

  private receive(parcel: ConnectionParcel): void {
    if (parcel instanceof Uint8Array) this.receiveBytes(parcel)
    else if (this.ended !== null) {
      this.end.finish()
      this.finish(this.ended)
    } else {
      this.end.send({ closed: '' })
      this.end.finish()
      this.finish(parcel.closed === '' ? 'the other end closed the connection' : parcel.closed)
    }
  }

  private receiveBytes(sent: Uint8Array): void {
    if (this.ended !== null) return
    const link = this.end.incoming
    const fate: Fate = link === null ? 'deliver' : link.fate()
    if (link !== null && this.end.life.world.trace !== null)
      this.end.life.world.note(`${link.from}>${link.to} ${fate} ${sent.length} bytes`)
    if (fate === 'lose') {
      this.end.break()
      return
    }
    if (sent.length > this.maximumMessageBytes) {
      this.end.reset('the other end takes no messages as long as the one sent')
      this.finish(`a message came that is longer than the maximum of ${this.maximumMessageBytes} bytes`)
      return
    }
    const random = link?.random
    for (let copies = fate === 'duplicate' ? 2 : 1; copies > 0; copies--) {
      // Copied, and only now, so that a sender that changes what it sent, or a receiver that relies on alignment, is found out.
      const offset = random?.below(OFFSETS) ?? 0
      const bytes = new Uint8Array(sent.length + offset).subarray(offset)
      bytes.set(sent)
      if (fate === 'corrupt' && random !== undefined && bytes.length > 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8)
      if (this.ended === null) this.inbound.message(bytes)
    }
    if (this.inbound.full) this.end.hold(true)
  }

  private taken(): void {
    if (!this.filled || this.bufferedBytes > 0) return
    this.filled = false
    const { life } = this.end
    life.world.events.at(0, life, () => {
      if (this.open) this.onDrain?.()
    })
  }

  private finish(reason: string): void {
    if (this.finished) return
    this.finished = true
    this.open = false
    const { life, peerHost } = this.end
    life.world.note(`${peerHost}>${life.host} over: ${this.ended ?? reason}`)
    this.onOver()
    this.inbound.close(this.ended ?? reason)
  }
}
