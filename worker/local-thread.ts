/** One dataflow thread of this process, as the main thread sees it. */
import { sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { RingOutbox } from '../runtime/channel/ring-outbox.ts'
import type { RingReader } from '../runtime/channel/ring-reader.ts'
import type { SpawnedThread } from '../runtime/env/threads.ts'
import { decodeMessage, encodeMessage } from '../runtime/protocol/codec.ts'
import { FEED_WINDOW_BYTES, type ThreadCommand, type ThreadEvent, type ThreadPort } from '../runtime/protocol/thread.ts'
import { SentCommands } from './command-count.ts'
import { ADVANCE, CONTROL, FEED, type MeshEnd } from './local-mesh.ts'
import type { Pumped } from './mesh-pump.ts'

export class LocalThread implements ThreadPort, Pumped {
  onEvent: ((event: ThreadEvent) => void) | null = null
  onDrain: (() => void) | null = null
  private readonly spawned: SpawnedThread
  private readonly outbox: RingOutbox
  private readonly reader: RingReader
  private readonly sent: SentCommands
  private readonly awake: () => void
  /** More than the window waits, or has waited and not yet fallen to its half. */
  private above = false
  /** Told to end, or known to have ended: nothing is sent any more. */
  private ending = false

  /** `awake` makes sure that `pump` is called. */
  constructor(spawned: SpawnedThread, end: MeshEnd, local: number, awake: () => void) {
    this.spawned = spawned
    this.outbox = end.outboxes[local] as RingOutbox
    this.reader = end.readers[local] as RingReader
    this.sent = new SentCommands(end.board, end.taken(local), sharedAtomics)
    this.awake = awake
    spawned.onExit = (error) => this.exited(error)
  }

  send(command: ThreadCommand): void {
    if (this.ending) return
    if (command.kind === 'stop') this.ending = true
    if (command.kind === 'peer') this.put(command.from, command.bytes)
    else this.put(command.kind === 'feed' ? FEED : command.kind === 'advance' ? ADVANCE : CONTROL, encodeMessage(command))
  }

  get waitingBytes(): number {
    return this.ending ? 0 : this.sent.waitingBytes
  }

  async terminate(): Promise<void> {
    this.ending = true
    await this.spawned.terminate()
  }

  pump(sliceBytes: number): void {
    this.outbox.flush()
    for (let bytes = 0; bytes < sliceBytes && this.reader.next(); bytes += this.reader.length) this.takeEvent()
    if (!this.above || !this.fell()) return
    this.above = false
    this.onDrain?.()
  }

  hasWork(): boolean {
    const moved = this.outbox.flush()
    return this.reader.hasMore || moved || (this.above && this.fell())
  }

  private put(tag: number, message: Uint8Array): void {
    this.outbox.send(tag, message)
    this.outbox.flush()
    this.sent.send(message.length)
    if (this.above || this.sent.waitingBytes <= FEED_WINDOW_BYTES) return
    this.above = true
    if (this.fell()) this.awake()
  }

  private fell(): boolean {
    return this.ending || this.sent.fellTo(FEED_WINDOW_BYTES / 2)
  }

  private takeEvent(): void {
    const { reader } = this
    const { tag } = reader
    const message = reader.view().slice()
    reader.release()
    if (tag >= 0) this.onEvent?.({ kind: 'peer', to: tag, bytes: message })
    else this.tell(decodeMessage<ThreadEvent>(message))
  }

  private tell(event: ThreadEvent): void {
    if (event.kind === 'broken') this.ending = true
    this.onEvent?.(event)
  }

  /** Nothing comes any more but what is in the ring. */
  private exited(error: Error | null): void {
    while (this.reader.next()) this.takeEvent()
    if (!this.ending) this.tell({ kind: 'broken', message: error === null ? 'the thread ended' : (error.stack ?? error.message) })
    this.ending = true
  }
}
