/** Batches that show another's rows at other times. */
import type { Batch, BatchPool } from '../runtime/data/batch.ts'

/** A batch of a shell pool with the rows and times of `batch`, over which it takes the caller's claim. */
export function shellOf(pool: BatchPool, batch: Batch): Batch {
  const shell = pool.take(batch.time, 0)
  shell.parent = batch
  shell.n = batch.n
  shell.capacity = batch.capacity
  shell.columns = batch.columns
  shell.floats = batch.floats
  shell.longs = batch.longs
  shell.differences = batch.differences
  shell.times = batch.times
  return shell
}

/** Gives `out` the times of `batch`, each mapped. */
export function mapTimes(batch: Batch, out: Batch, map: (time: number) => number): void {
  const { times } = batch
  if (times === null) {
    out.time = map(batch.time)
    return
  }
  const to = out.useTimes()
  let last = 0
  let mapped = 0
  for (let i = 0; i < batch.n; i++) {
    if (times[i] !== last) {
      last = times[i]
      mapped = map(last)
    }
    to[i] = mapped
  }
}
