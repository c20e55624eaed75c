/** The dataflow threads of this process, as its main thread sees them: real threads over shared memory. */
import { sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { Threads } from '../runtime/env/threads.ts'
import { invariant } from '../runtime/error.ts'
import type { ThreadPort, ThreadStarter } from '../runtime/protocol/thread.ts'
import { allocateMesh, MeshEnd, type MeshMemory } from './local-mesh.ts'
import { LocalThread } from './local-thread.ts'
import { MeshPump } from './mesh-pump.ts'
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

interface Mesh {
  readonly memory: MeshMemory
  readonly end: MeshEnd
  readonly pump: MeshPump
}

/** All threads of one starter are siblings: started with one count of threads, each number once. */
export class LocalThreads implements ThreadStarter {
  private readonly options: LocalThreadOptions
  private mesh: Mesh | null = null

  constructor(options: LocalThreadOptions) {
    this.options = options
  }

  /** Set `onEvent` of the port in the same turn. */
  start(local: number, count: number): ThreadPort {
    const { threads, entry, maximumHeapMegabytes, spinAlways = false, settings = null } = this.options
    const { memory, end, pump } = this.allocated(count)
    invariant(memory.threads === count && local < count, `thread ${local} of ${count}, where there are ${memory.threads}`)
    const data: ThreadData = { mesh: memory, local, spinAlways, settings }
    const spawned = threads.spawn(entry, data, {
      name: `dataflow ${local}`,
      ...(maximumHeapMegabytes === undefined ? {} : { maximumHeapMegabytes }),
    })
    const bell = end.doorbells[end.main]
    const port = new LocalThread(spawned, end, local, () => bell.ring())
    pump.add(port)
    return port
  }

  private allocated(count: number): Mesh {
    if (this.mesh === null) {
      const { threads, ringBytes } = this.options
      const memory = allocateMesh(count, threads.cores, ringBytes)
      const end = new MeshEnd(memory, count, sharedAtomics)
      this.mesh = { memory, end, pump: new MeshPump(threads, end) }
    }
    return this.mesh
  }
}
