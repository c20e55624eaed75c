/**
 * One program on several threads at a time, each with a worker of its own, as `execute` of timely dataflow runs one: no coordinator
 * and no commands; the program builds its dataflows, feeds its share and steps. Several processes may run one program
 * together, each with as many threads; their main threads carry what goes between them. For measurements above all.
 */
import { sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { RingOutbox } from '../runtime/channel/ring-outbox.ts'
import type { RingReader } from '../runtime/channel/ring-reader.ts'
import type { SpawnedThread, Threads } from '../runtime/env/threads.ts'
import { invariant, MillraceError } from '../runtime/error.ts'
import { decodeMessage } from '../runtime/protocol/codec.ts'
import { allocateMesh, MeshEnd, type MeshMemory } from './local-mesh.ts'
import { MeshPump, type Pumped } from './mesh-pump.ts'
import type { GroupWord, ProcessGroup } from './parallel-group.ts'
import type { ParallelData, ThreadWord } from './parallel-thread.ts'

/** While more than this waits for room on its way to threads, other processes hear nothing of what was handed on. */
const BACKLOG_BYTES = 1 << 20

export interface ParallelOptions {
  readonly threads: Threads
  /** The module that each thread runs: it calls `runProgram`. */
  readonly module: URL
  /** Threads of this process, each a worker. */
  readonly workers: number
  /** Copied to each thread. */
  readonly data?: unknown
  /** Threads never sleep. */
  readonly spinAlways?: boolean
  /** That the threads may count on, in deciding how many may spin; default all. With 0 nobody spins. */
  readonly cores?: number
  /** Hears each report when it comes: in the first process of workers of all processes. */
  readonly onReport?: (worker: number, value: unknown) => void
  /** All processes that run the program; default only this one. */
  readonly group?: ProcessGroup
}

/**
 * What the programs reported, by worker, once all have ended; in other processes than the first one only those of their own. Rejects
 * with what a program throws, or if a process is gone; the others are terminated then.
 */
export async function runParallel(options: ParallelOptions): Promise<unknown[][]> {
  const run = new ParallelRun(options)
  try {
    await run.ended
  } catch (error) {
    options.group?.tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    throw error
  } finally {
    await run.end()
  }
  return run.reports
}

class ParallelRun {
  readonly reports: unknown[][]
  readonly ended: Promise<unknown>
  private readonly options: ParallelOptions
  private readonly group: ProcessGroup | null
  private readonly first: number
  private readonly mesh: MeshMemory
  private readonly meshEnd: MeshEnd
  private readonly running: SpawnedThread[] = []
  /** By process, programs of it that have not returned. */
  private readonly open: number[]
  private fail: (error: Error) => void = () => {}

  constructor(options: ParallelOptions) {
    const { threads, workers, cores = threads.cores, group = null } = options
    const processes = group?.processes ?? 1
    this.options = options
    this.group = group
    this.first = (group?.index ?? 0) * workers
    this.mesh = allocateMesh(workers, cores)
    this.meshEnd = new MeshEnd(this.mesh, workers, sharedAtomics)
    this.reports = Array.from({ length: processes * workers }, () => [])
    this.open = new Array<number>(processes).fill(workers)
    const failed = new Promise<void>((_, reject) => {
      this.fail = reject
    })
    group?.start({
      onFrame: (from, to, bytes) => this.deliver(from, to, bytes),
      onWord: (process, word) => this.hear(process, word),
      onRelief: () => this.meshEnd.doorbells[workers].ring(),
      onBroken: (process, reason) => {
        if (this.open[process] > 0) this.fail(new MillraceError('UNREACHABLE', `process ${process} of a parallel run is gone: ${reason}`))
      },
      isBacklogged: () => this.isBacklogged,
    })
    const pump = new MeshPump(threads, this.meshEnd)
    const exits = Array.from({ length: workers }, (_, local) => this.spawn(local, pump))
    this.ended = Promise.race([Promise.all(exits), failed])
  }

  async end(): Promise<void> {
    await Promise.all(this.running.map((thread) => thread.terminate()))
    await this.group?.close()
  }

  private spawn(local: number, pump: MeshPump): Promise<void> {
    const { threads, module, data = null, spinAlways = false } = this.options
    const index = this.first + local
    const threadData: ParallelData = { mesh: this.mesh, index, first: this.first, workers: this.reports.length, spinAlways, data }
    const thread = threads.spawn(module, threadData, { name: `program ${index}` })
    this.running.push(thread)
    const port = new ProgramPort(this, index, this.meshEnd.readers[local] as RingReader, this.meshEnd.outboxes[local] as RingOutbox)
    pump.add(port)
    return new Promise((resolve, reject) => {
      thread.onExit = (error) => {
        port.takeAll()
        if (error === null) resolve()
        else reject(error)
      }
    })
  }

  /** Whether threads may hand on more for other processes. */
  get isOpen(): boolean {
    return this.group === null || !this.group.congested
  }

  send(from: number, to: number, bytes: Uint8Array): void {
    this.group?.sendFrame(Math.floor(to / this.options.workers), from, to, bytes)
  }

  /** A thread of this process says something. */
  heed(worker: number, word: ThreadWord): void {
    if (word.kind === 'ended') this.group?.tell({ kind: 'ended' })
    else if (this.first === 0) this.keep(worker, word.value)
    else {
      this.reports[worker].push(word.value)
      this.group?.tell({ kind: 'report', worker, value: word.value }, 0)
    }
  }

  /** Room was made on the way to a thread. */
  relieve(): void {
    if (!this.isBacklogged) this.group?.relieve()
  }

  private get isBacklogged(): boolean {
    let bytes = 0
    for (const outbox of this.meshEnd.outboxes) bytes += outbox?.waitingBytes ?? 0
    return bytes > BACKLOG_BYTES
  }

  private deliver(from: number, to: number, bytes: Uint8Array): void {
    const outbox = this.meshEnd.outboxes[to - this.first]
    if (outbox === null || outbox === undefined)
      throw new MillraceError('PROTOCOL', `a frame for worker ${to}, which is not in this process`)
    outbox.send(from, bytes)
    outbox.flush()
  }

  private hear(process: number, word: GroupWord): void {
    if (word.kind === 'report') this.keep(word.worker, word.value)
    else if (word.kind === 'failed') this.fail(new MillraceError('JOB', `in process ${process} of a parallel run: ${word.message}`))
    else {
      const { board, ended, doorbells, main } = this.meshEnd
      invariant(this.open[process] > 0, `more programs of process ${process} end than there are`)
      this.open[process]--
      sharedAtomics.add(board, ended, 1)
      for (let thread = 0; thread < main; thread++) doorbells[thread].ring()
    }
  }

  private keep(worker: number, value: unknown): void {
    this.reports[worker].push(value)
    this.options.onReport?.(worker, value)
  }
}

/** A thread of this process as the main thread sees it. */
class ProgramPort implements Pumped {
  private readonly run: ParallelRun
  private readonly worker: number
  private readonly reader: RingReader
  private readonly outbox: RingOutbox

  constructor(run: ParallelRun, worker: number, reader: RingReader, outbox: RingOutbox) {
    this.run = run
    this.worker = worker
    this.reader = reader
    this.outbox = outbox
  }

  pump(sliceBytes: number): void {
    this.flush()
    for (let bytes = 0; bytes < sliceBytes && this.run.isOpen && this.reader.next(); bytes += this.reader.length) this.take()
  }

  hasWork(): boolean {
    return this.flush() || (this.reader.hasMore && this.run.isOpen)
  }

  /** The thread has come to its end. */
  takeAll(): void {
    while (this.reader.next()) this.take()
  }

  private flush(): boolean {
    const moved = this.outbox.flush()
    if (moved) this.run.relieve()
    return moved
  }

  private take(): void {
    const { reader, run, worker } = this
    const { tag } = reader
    if (tag >= 0) run.send(worker, tag, reader.view())
    else run.heed(worker, decodeMessage<ThreadWord>(reader.view().slice()))
    reader.release()
  }
}
