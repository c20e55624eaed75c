/** What a module in a thread has of its surroundings, through Node. */
import { getHeapStatistics } from 'node:v8'
import { workerData } from 'node:worker_threads'
import type { ThreadSurroundings } from './threads.ts'

export function nodeThreadSurroundings(): ThreadSurroundings {
  return {
    data: workerData,
    monotonic: () => performance.now() * 1000,
    heapBytes() {
      const { used_heap_size, external_memory } = getHeapStatistics()
      return used_heap_size + external_memory
    },
  }
}
