/**
 * consolidate inside a loop: the same collection with the changes of each time summed up.
 *
 * Computes: per time one change a different row.
 * State: the changes of times that are not complete yet.
 * Times: partial order; changes of a time are sent when it is complete.
 * Cost per change: one copy and one lookup in a hash table of the time's changes.
 * Source: differential dataflow's consolidate.
 *
 * @example
 *   consolidate(concat([left, negate(right)]))   // inside iterate
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { consolidate } from '../runtime/data/consolidate.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { markBatch } from '../runtime/graph/garbage.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { PendingTimes } from '../runtime/graph/pending-times.ts'
import type { Region } from '../runtime/graph/region.ts'
import type { Stream } from '../runtime/graph/stream.ts'

/** Changes of one time are summed up whenever they have doubled, beyond this many. */
const SUMMED_ROWS = 1 << 13

interface OpenTime {
  readonly batch: Batch
  /** Rows after the last summing up. */
  summed: number
}

export class GeneralConsolidateOperator extends Operator {
  private readonly port: Port
  private readonly picks: readonly number[]
  private readonly types: readonly ColumnType[]
  private readonly pool: BatchPool
  private readonly pending: PendingTimes
  private readonly open = new Map<number, OpenTime>() // not state: only rows of times that are not complete yet

  constructor(input: Stream) {
    super(input.operator.dataflow, 'consolidate')
    this.picks = input.picks
    this.types = input.schema.types
    this.pool = new BatchPool(input.schema.widths)
    this.pending = new PendingTimes(input.region as Region, this)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port, pending, open } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.take(batch)
      batch.release()
    }
    for (let list = pending.takeClosed(); list !== null; list = pending.takeClosed()) {
      const { batch } = open.get(list.time) as OpenTime
      open.delete(list.time)
      consolidate(batch)
      this.send(batch)
      pending.done(list)
    }
  }

  override markDictionary(dictionary: Dictionary): void {
    for (const { batch } of this.open.values()) markBatch(dictionary, batch, this.types)
  }

  private take(batch: Batch): void {
    const { times } = batch
    for (let from = 0, to = 0; from < batch.n; from = to) {
      if (times === null) to = batch.n
      else for (to = from + 1; to < batch.n && times[to] === times[from]; ) to++
      this.append(batch, from, to, times === null ? batch.time : times[from])
    }
  }

  private append(from: Batch, begin: number, end: number, time: number): void {
    let entry = this.open.get(time)
    if (entry === undefined) {
      entry = { batch: this.pool.take(time, end - begin), summed: 0 }
      this.open.set(time, entry)
      this.pending.at(time)
    }
    const { batch } = entry
    const count = end - begin
    batch.reserve(batch.n + count)
    for (let c = 0; c < this.picks.length; c++) {
      const width = batch.widths[c]
      const source = from.columns[this.picks[c]]
      const target = batch.columns[c]
      for (let i = begin * width, j = batch.n * width; i < end * width; i++, j++) target[j] = source[i]
    }
    for (let i = begin, j = batch.n; i < end; i++, j++) batch.differences[j] = from.differences[i]
    batch.n += count
    if (batch.n > SUMMED_ROWS && batch.n > 2 * entry.summed) {
      consolidate(batch)
      entry.summed = batch.n
    }
  }
}
