/** Shows batches as their stream's readers see them: the picked columns in the schema's order, without copying. */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { Stream } from '../runtime/graph/stream.ts'

export class RowView {
  private readonly picks: readonly number[]
  private readonly shell: Batch

  constructor(stream: Stream) {
    this.picks = stream.picks
    this.shell = new BatchPool(stream.schema.widths, true).take(0, 0)
  }

  /** The view; valid until the next call, never released. */
  of(batch: Batch): Batch {
    const { picks, shell } = this
    for (let i = 0; i < picks.length; i++) {
      const column = picks[i] as number
      shell.columns[i] = batch.columns[column] as Int32Array
      shell.floats[i] = batch.floats[column] as Float64Array | null
      shell.longs[i] = batch.longs[column] as BigInt64Array | null
    }
    shell.differences = batch.differences
    shell.n = batch.n
    shell.time = batch.time
    shell.times = batch.times
    return shell
  }
}
