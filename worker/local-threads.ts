/** The dataflow threads of this process, as its main thread sees them: real threads over shared memory. */
import { PARKED_VALUE } from '../runtime/channel/doorbell.ts'
import { sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { Threads } from '../runtime/env/threads.ts'
import { invariant } from '../runtime/error.ts'
import type { ThreadPort, ThreadStarter } from '../runtime/protocol/thread.ts'
import { allocateMesh, MeshEnd, type MeshMemory } from './local-mesh.ts'
import { LocalThread } from './local-thread.ts'
import type { ThreadData } from './thread-loop.ts'

export interface LocalThreadOptions {
  readonly threads: Threads
  /** The module that a thread runs; it calls `runDataflowThread`. */
  readonly entry: URL
  /** Copied to each thread, for that module: see there. */
  readonly settings?: unknown
  readonly maximumHeapMegabytes?: number
  /** Threads never sleep: for measurements. */
  readonly spinAlways?: boolean
  /** Of each ring; a power of two. */
  readonly ringBytes?: number
}

/** Bytes of events that are taken from one thread before the event loop gets a turn. */
const SLICE_BYTES = 256 << 10

interface Mesh {
  readonly memory: MeshMemory
  readonly end: MeshEnd
}

/** All threads of one starter are siblings: started with one count of threads, each number once. */
export class LocalThreads implements ThreadStarter {
  private readonly options: LocalThreadOptions
  private mesh: Mesh | null = null
  private readonly ports: LocalThread[] = []

  constructor(options: LocalThreadOptions) {
    this.options = options
  }

  /** Set `onEvent` of the port in the same turn. */
  start(local: number, count: number): ThreadPort {
    const { threads, entry, maximumHeapMegabytes, spinAlways = false, settings = null } = this.options
    const { memory, end } = this.allocated(count)
    invariant(memory.threads === count && local < count, `thread ${local} of ${count}, where there are ${memory.threads}`)
    const data: ThreadData = { mesh: memory, local, spinAlways, settings }
    const spawned = threads.spawn(entry, data, {
      name: `dataflow ${local}`,
      ...(maximumHeapMegabytes === undefined ? {} : { maximumHeapMegabytes }),
    })
    const bell = end.doorbells[end.main]
    const port = new LocalThread(spawned, end, local, () => bell.ring())
    this.ports.push(port)
    if (this.ports.length === 1) threads.later(this.pump)
    return port
  }

  private allocated(count: number): Mesh {
    if (this.mesh === null) {
      const memory = allocateMesh(count, this.options.threads.cores, this.options.ringBytes)
      this.mesh = { memory, end: new MeshEnd(memory, count, sharedAtomics) }
    }
    return this.mesh
  }

  /** Takes events in slices, so that sockets and timers get their turns, until there are none; then sleeps. */
  private readonly pump = (): void => {
    for (const port of this.ports) port.pump(SLICE_BYTES)
    const { end } = this.mesh as Mesh
    const bell = end.doorbells[end.main]
    const asleep = bell.announce(this.hasWork) ? this.options.threads.sleep(bell.words, bell.index, PARKED_VALUE) : null
    if (asleep === null) this.options.threads.later(this.pump)
    else void asleep.then(this.pump)
  }

  private readonly hasWork = (): boolean => {
    let work = false
    for (const port of this.ports) if (port.hasWork()) work = true
    return work
  }
}
