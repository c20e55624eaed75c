/** Threads through Node. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { SpawnedThread, SpawnOptions, Threads } from './threads.ts'

export class NodeThreads implements Threads {
  readonly cores = availableParallelism()

  spawn(entry: URL, data: unknown, options: SpawnOptions = {}): SpawnedThread {
    const limits = options.maximumHeapMegabytes === undefined ? {} : { maxOldGenerationSizeMb: options.maximumHeapMegabytes }
    return new NodeThread(new Worker(entry, { workerData: data, resourceLimits: limits, ...(options.name ? { name: options.name } : {}) }))
  }

  sleep(words: Int32Array, index: number, value: number): Promise<unknown> | null {
    const sleeping = asyncAtomics.waitAsync(words, index, value)
    return sleeping.async ? sleeping.value : null
  }

  later(callback: () => void): void {
    setImmediate(callback)
  }
}

/** In Node since 16, and newer than the library of types that we compile with. */
interface AsyncAtomics {
  waitAsync(words: Int32Array, index: number, value: number): { async: false; value: string } | { async: true; value: Promise<string> }
}

const asyncAtomics = Atomics as unknown as AsyncAtomics

class NodeThread implements SpawnedThread {
  onExit: ((error: Error | null) => void) | null = null
  private readonly worker: Worker
  private error: Error | null = null

  constructor(worker: Worker) {
    this.worker = worker
    worker.once('error', (error) => {
      this.error = error instanceof Error ? error : new Error(String(error))
    })
    worker.once('exit', () => this.onExit?.(this.error))
  }

  async terminate(): Promise<void> {
    await this.worker.terminate()
  }
}
