/**
 * One program on several threads at a time, each with a worker of its own, as `execute` of timely dataflow runs one: no coordinator
 * and no commands; the program builds its dataflows, feeds its share and steps. For measurements above all.
 */
import { sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { RingReader } from '../runtime/channel/ring-reader.ts'
import type { SpawnedThread, Threads } from '../runtime/env/threads.ts'
import { decodeMessage } from '../runtime/protocol/codec.ts'
import { allocateMesh, MeshEnd } from './local-mesh.ts'
import { MeshPump } from './mesh-pump.ts'
import type { ParallelData, Reported } from './parallel-thread.ts'

export interface ParallelOptions {
  readonly threads: Threads
  /** The module that each thread runs: it calls `runProgram`. */
  readonly module: URL
  readonly workers: number
  /** Copied to each thread. */
  readonly data?: unknown
  /** Threads never sleep. */
  readonly spinAlways?: boolean
  /** Hears each report when it comes. */
  readonly onReport?: (worker: number, value: unknown) => void
}

/** What the programs reported, by worker, once all have ended. Rejects with what a program throws; the others are terminated then. */
export async function runParallel(options: ParallelOptions): Promise<unknown[][]> {
  const { threads, module, workers, data = null, spinAlways = false, onReport } = options
  const mesh = allocateMesh(workers, threads.cores)
  const end = new MeshEnd(mesh, workers, sharedAtomics)
  const pump = new MeshPump(threads, end)
  const reports: unknown[][] = []
  const running: SpawnedThread[] = []
  const ended = Array.from({ length: workers }, (_, index) => {
    const own: unknown[] = []
    reports.push(own)
    const reader = end.readers[index] as RingReader
    const take = (bytes: number): void => {
      for (let taken = 0; taken < bytes && reader.next(); taken += reader.length) {
        const { value } = decodeMessage<Reported>(reader.view().slice())
        reader.release()
        own.push(value)
        onReport?.(index, value)
      }
    }
    const threadData: ParallelData = { mesh, index, spinAlways, data }
    const thread = threads.spawn(module, threadData, { name: `program ${index}` })
    running.push(thread)
    pump.add({ pump: take, hasWork: () => reader.hasMore })
    return new Promise<void>((resolve, reject) => {
      thread.onExit = (error) => {
        take(Number.POSITIVE_INFINITY)
        if (error === null) resolve()
        else reject(error)
      }
    })
  })
  try {
    await Promise.all(ended)
  } finally {
    await Promise.all(running.map((thread) => thread.terminate()))
  }
  return reports
}
