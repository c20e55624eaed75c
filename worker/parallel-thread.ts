/** A thread's side of `parallel.ts`: a worker, rings to its siblings, and one to the main thread for workers of other processes. */
import { Waiter } from '../runtime/channel/doorbell.ts'
import { type RingAtomics, sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { RingOutbox } from '../runtime/channel/ring-outbox.ts'
import type { RingReader } from '../runtime/channel/ring-reader.ts'
import { ShardTable } from '../runtime/channel/shard-table.ts'
import { WireDecoder, WireEncoder } from '../runtime/channel/wire.ts'
import type { ThreadSurroundings } from '../runtime/env/threads.ts'
import { invariant } from '../runtime/error.ts'
import { encodeMessage } from '../runtime/protocol/codec.ts'
import type { PeerMessage } from '../runtime/protocol/message.ts'
import { CONTROL, MeshEnd, type MeshMemory } from './local-mesh.ts'
import { OUTBOUND_WINDOW_BYTES } from './thread-actor.ts'
import { Worker } from './worker.ts'

/** Bytes that are taken from one ring before the worker gets a turn. */
const TAKE_BYTES = 256 << 10
/** Whoever sleeps is woken: a wakeup that were lost would be a mistake, not to be covered up by looking now and then. */
const UNTIL_WOKEN = Number.POSITIVE_INFINITY

export interface ParallelData {
  readonly mesh: MeshMemory
  /** The number of this worker, of the first one in its process, and how many there are in all processes. */
  readonly index: number
  readonly first: number
  readonly workers: number
  readonly spinAlways: boolean
  readonly data: unknown
}

/** What a thread tells the main thread. */
export type ThreadWord = Reported | { readonly kind: 'ended' }

export interface Reported {
  readonly kind: 'report'
  readonly value: unknown
}

/** What a program has. */
export interface ProgramContext<D> {
  /** Of this worker, from 0 on, and how many there are in all processes. */
  readonly index: number
  readonly workers: number
  readonly data: D
  readonly worker: Worker
  /** False while much waits to be sent: who feeds then steps first. */
  readonly wantsFeed: boolean
  /** Takes what others sent, lets the worker do a bounded amount of work, and sends what it says. Whether there was anything to do. */
  step(): boolean
  /** Steps while the condition holds; while there is nothing to do, spins or sleeps. */
  stepWhile(condition: () => boolean): void
  /** Tells the main thread something that msgpack can write. */
  report(value: unknown): void
}

/**
 * Runs a program in a thread of `runParallel`. When the program returns, the thread goes on stepping until all programs have
 * returned: others may need what is still under way.
 */
export function runProgram<D>(surroundings: ThreadSurroundings, program: (context: ProgramContext<D>) => void): void {
  const thread = new ParallelThread<D>(surroundings.data as ParallelData, sharedAtomics)
  program(thread)
  thread.end()
}

/** A ring that is read, with its memory as words, so that nothing is allocated for a message. */
interface Incoming {
  readonly reader: RingReader
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

class ParallelThread<D> implements ProgramContext<D> {
  readonly index: number
  readonly workers: number
  readonly data: D
  readonly worker: Worker
  private readonly atomics: RingAtomics
  private readonly mesh: MeshEnd
  private readonly first: number
  private readonly toMain: RingOutbox
  private readonly siblings: readonly (RingOutbox | null)[]
  private readonly incoming: readonly Incoming[]
  private readonly waiter: Waiter
  /** For siblings, and for other processes. */
  private readonly encoder = new WireEncoder(false)
  private readonly farEncoder = new WireEncoder(true)
  private readonly decoder = new WireDecoder()
  private inbox: PeerMessage[] = []
  private spare: PeerMessage[] = []
  private sent = 0

  constructor({ mesh, index, first, workers, spinAlways, data }: ParallelData, atomics: RingAtomics) {
    const local = index - first
    const end = new MeshEnd(mesh, local, atomics)
    this.index = index
    this.workers = workers
    this.data = data as D
    this.worker = new Worker(index, ShardTable.even(1, workers))
    this.worker.outlet = (to, message) => this.send(to, message)
    this.atomics = atomics
    this.mesh = end
    this.first = first
    this.toMain = end.outboxes[end.main] as RingOutbox
    this.siblings = end.outboxes.slice(0, end.main)
    this.incoming = end.readers
      .filter((reader) => reader !== null)
      .map((reader) => ({ reader, bytes: reader.source, words: new Int32Array(reader.source.buffer) }))
    const spinning = { words: end.board, index: end.spinning, most: mesh.spinners, always: spinAlways }
    this.waiter = new Waiter(end.doorbells[local], spinning, atomics)
  }

  get wantsFeed(): boolean {
    let bytes = this.toMain.waitingBytes
    for (const outbox of this.siblings) if (outbox !== null) bytes += outbox.waitingBytes
    return bytes <= OUTBOUND_WINDOW_BYTES
  }

  step(): boolean {
    const { worker } = this
    // As in the loop of dataflow threads: who is still at work lets rings fill, so that senders notice.
    if (worker.idle) this.takeMessages()
    const inbox = this.inbox
    this.inbox = this.spare
    this.sent = 0
    worker.step(inbox)
    const worked = inbox.length > 0 || this.sent > 0 || !worker.idle
    inbox.length = 0
    this.spare = inbox
    const moved = this.flush()
    return worked || moved
  }

  stepWhile(condition: () => boolean): void {
    while (condition()) {
      if (this.step()) continue
      invariant(this.workers > 1, 'a program waits for what nothing will bring about')
      this.waiter.wait(this.hasWork, UNTIL_WOKEN)
    }
  }

  report(value: unknown): void {
    this.tell({ kind: 'report', value })
  }

  end(): void {
    const { atomics, mesh } = this
    this.tell({ kind: 'ended' })
    atomics.add(mesh.board, mesh.ended, 1)
    for (let thread = 0; thread < mesh.main; thread++) mesh.doorbells[thread].ring()
    const isLast = () => atomics.load(mesh.board, mesh.ended) === this.workers
    while (!isLast() || this.toMain.isWaiting) if (!this.step()) this.waiter.wait(() => this.hasWork() || isLast(), UNTIL_WOKEN)
  }

  private tell(word: ThreadWord): void {
    this.toMain.send(CONTROL, encodeMessage(word))
    this.toMain.flush()
  }

  private send(to: number, message: PeerMessage): void {
    this.sent++
    const sibling = to - this.first
    if (to === this.index) this.inbox.push(message)
    else if (sibling >= 0 && sibling < this.mesh.main) write(this.encoder, message, this.siblings[sibling] as RingOutbox, this.index)
    else write(this.farEncoder, message, this.toMain, to)
  }

  private takeMessages(): void {
    for (const { reader, words, bytes } of this.incoming) {
      for (let taken = 0; taken < TAKE_BYTES && reader.next(); taken += reader.length) {
        const isInRing = reader.source === bytes
        this.inbox.push(isInRing ? this.decoder.readAt(words, bytes, reader.offset, reader.length) : this.decoder.read(reader.view()))
        reader.release()
      }
    }
  }

  private flush(): boolean {
    let moved = this.toMain.flush()
    for (const outbox of this.siblings) if (outbox?.flush()) moved = true
    return moved
  }

  private readonly hasWork = (): boolean => {
    for (const { reader } of this.incoming) if (reader.hasMore) return true
    return this.flush()
  }
}

/** In place if there is room. */
function write(encoder: WireEncoder, message: PeerMessage, outbox: RingOutbox, tag: number): void {
  const length = encoder.measure(message)
  const offset = outbox.reserve(length)
  if (offset < 0) outbox.send(tag, encoder.encode(message))
  else {
    encoder.write(message, outbox.writer.words, outbox.writer.bytes, offset)
    outbox.commit(tag, length)
  }
}
