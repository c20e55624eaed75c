/** A workload's streams in memory that all threads of a process share. */
import type { ProgramData } from './parallel-options.ts'
import { parametersOf } from './runner.ts'
import { type Streams, type Workload, workloads } from './workloads.ts'

/** Null if they are not of whole numbers only. */
export function sharedStreams({ workload, args, seed, warm }: ProgramData): Streams[Workload] | null {
  if (workload === 'words' || workload === 'wide') return null
  return shared(workloads[workload].draw(parametersOf(workload, args, warm), seed)) as Streams[Workload]
}

/** Every array of an object, or of the objects in it. */
function shared(streams: object): object {
  return Object.fromEntries(
    Object.entries(streams).map(([name, value]) => [name, value instanceof Int32Array ? copy(value) : shared(value)]),
  )
}

function copy(column: Int32Array): Int32Array {
  const words = new Int32Array(new SharedArrayBuffer(column.byteLength))
  words.set(column)
  return words
}
