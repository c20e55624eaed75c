/** A thread's side of `parallel.ts`: a worker, and rings to its siblings. */
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
import { Worker } from './worker.ts'

/** Bytes that are taken from one ring before the worker gets a turn. */
const TAKE_BYTES = 256 << 10
const PARK_MILLISECONDS = 1000

export interface ParallelData {
  readonly mesh: MeshMemory
  readonly index: number
  readonly spinAlways: boolean
  readonly data: unknown
}

export interface Reported {
  readonly kind: 'report'
  readonly value: unknown
}

/** What a program has. */
export interface ProgramContext<D> {
  /** Of this worker, from 0 on, and how many there are. */
  readonly index: number
  readonly workers: number
  readonly data: D
  readonly worker: Worker
  /** Takes what siblings sent, lets the worker do a bounded amount of work, and sends what it says. Whether there was anything to do. */
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

class ParallelThread<D> implements ProgramContext<D> {
  readonly index: number
  readonly workers: number
  readonly data: D
  readonly worker: Worker
  private readonly atomics: RingAtomics
  private readonly mesh: MeshEnd
  private readonly toMain: RingOutbox
  private readonly outboxes: readonly (RingOutbox | null)[]
  private readonly siblings: readonly RingReader[]
  private readonly waiter: Waiter
  private readonly encoder = new WireEncoder(false)
  private readonly decoder = new WireDecoder()
  private inbox: PeerMessage[] = []
  private spare: PeerMessage[] = []

  constructor({ mesh, index, spinAlways, data }: ParallelData, atomics: RingAtomics) {
    const end = new MeshEnd(mesh, index, atomics)
    this.index = index
    this.workers = mesh.threads
    this.data = data as D
    this.worker = new Worker(index, ShardTable.even(1, mesh.threads))
    this.atomics = atomics
    this.mesh = end
    this.toMain = end.outboxes[end.main] as RingOutbox
    this.outboxes = end.outboxes.slice(0, end.main)
    this.siblings = end.readers.slice(0, end.main).filter((reader) => reader !== null)
    const spinning = { words: end.board, index: end.spinning, most: mesh.spinners, always: spinAlways }
    this.waiter = new Waiter(end.doorbells[index], spinning, atomics)
  }

  step(): boolean {
    const { worker } = this
    // As in the loop of dataflow threads: who is still at work lets rings fill, so that senders notice.
    if (worker.idle) this.takeMessages()
    const inbox = this.inbox
    this.inbox = this.spare
    const outbox = worker.step(inbox)
    const worked = inbox.length > 0 || outbox.length > 0 || !worker.idle
    inbox.length = 0
    this.spare = inbox
    for (let i = 0; i < outbox.length; i++) this.send(outbox[i].to, outbox[i].message)
    const moved = this.flush()
    return worked || moved
  }

  stepWhile(condition: () => boolean): void {
    while (condition()) {
      if (this.step()) continue
      invariant(this.workers > 1, 'a program waits for what nothing will bring about')
      this.waiter.wait(this.hasWork, PARK_MILLISECONDS)
    }
  }

  report(value: unknown): void {
    const reported: Reported = { kind: 'report', value }
    this.toMain.send(CONTROL, encodeMessage(reported))
    this.toMain.flush()
  }

  end(): void {
    const { atomics, mesh } = this
    atomics.add(mesh.board, mesh.ended, 1)
    for (let thread = 0; thread < this.workers; thread++) mesh.doorbells[thread].ring()
    const isLast = () => atomics.load(mesh.board, mesh.ended) === this.workers
    while (!isLast() || this.toMain.isWaiting) if (!this.step()) this.waiter.wait(() => this.hasWork() || isLast(), PARK_MILLISECONDS)
  }

  private send(to: number, message: PeerMessage): void {
    if (to === this.index) {
      this.inbox.push(message)
      return
    }
    const outbox = this.outboxes[to] as RingOutbox
    const length = this.encoder.measure(message)
    const offset = outbox.reserve(length)
    if (offset < 0) outbox.send(this.index, this.encoder.encode(message))
    else {
      this.encoder.write(message, outbox.writer.words, outbox.writer.bytes, offset)
      outbox.commit(this.index, length)
    }
  }

  private takeMessages(): void {
    for (const reader of this.siblings) {
      for (let bytes = 0; bytes < TAKE_BYTES && reader.next(); bytes += reader.length) {
        this.inbox.push(this.decoder.read(reader.view()))
        reader.release()
      }
    }
  }

  private flush(): boolean {
    let moved = this.toMain.flush()
    for (const outbox of this.outboxes) if (outbox?.flush()) moved = true
    return moved
  }

  private readonly hasWork = (): boolean => {
    for (const reader of this.siblings) if (reader.hasMore) return true
    return this.flush()
  }
}
