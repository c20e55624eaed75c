/** The rows of an exchange edge for another worker, as frames: counted, with their strings and times. */
import type { Batch, BatchPool } from '../data/batch.ts'
import { isInterned } from '../data/column-type.ts'
import type { Stream } from '../graph/stream.ts'
import type { Exchanger } from './exchanger.ts'
import { type FrameTimes, OWN_STRINGS, packTimes } from './frame.ts'

const NOTHING: readonly never[] = []

export class FrameSender {
  private readonly exchanger: Exchanger
  private readonly pool: BatchPool
  private readonly inside: FrameTimes | null
  private readonly depth: number
  /** Positions of columns that hold dictionary ids. */
  private readonly interned: readonly number[]

  constructor(stream: Stream, exchanger: Exchanger, pool: BatchPool) {
    this.exchanger = exchanger
    this.pool = pool
    this.inside = stream.region === null ? null : { table: stream.region.times, depth: stream.depth }
    this.depth = stream.depth
    this.interned = stream.schema.types.flatMap((type, column) => (isInterned(type) ? [column] : []))
  }

  /** Takes the batch over. Its strings may be long: then its rows become several frames. */
  send(worker: number, batch: Batch, target: number): void {
    const { interned } = this
    if (interned.length === 0) {
      this.sendRows(worker, batch, target, OWN_STRINGS, NOTHING, NOTHING)
      return
    }
    const strings = this.exchanger.stringsTo(worker)
    for (let from = 0; from < batch.n; ) {
      const end = strings.collect(batch, interned, from)
      const isWhole = from === 0 && end === batch.n
      const part = isWhole ? batch : this.slice(batch, from, end)
      const epoch = strings.number(part, interned)
      this.sendRows(worker, part, target, epoch, strings.ids, strings.strings)
      if (isWhole) return
      from = end
    }
    batch.release()
  }

  private slice(batch: Batch, from: number, end: number): Batch {
    const { widths } = this.pool
    const part = this.pool.take(batch.time, end - from)
    for (let c = 0; c < widths.length; c++) part.columns[c].set(batch.columns[c].subarray(widths[c] * from, widths[c] * end))
    part.differences.set(batch.differences.subarray(from, end))
    if (batch.times !== null) part.useTimes().set(batch.times.subarray(from, end))
    part.n = end - from
    return part
  }

  private sendRows(worker: number, batch: Batch, target: number, epoch: number, ids: readonly number[], strings: readonly string[]): void {
    const { exchanger, interned, inside, depth } = this
    const { shards, dataflow, worker: from } = exchanger
    const { time } = batch
    let times: Float64Array | null = null
    if (inside === null) exchanger.count(target, time, 1)
    else times = this.countTimes(batch, target, inside)
    const { generation } = shards
    exchanger.sendFrame(worker, {
      kind: 'frame',
      generation,
      dataflow,
      target,
      from,
      time,
      depth,
      times,
      batch,
      interned,
      epoch,
      ids,
      strings,
    })
  }

  /** Inside loops a frame counts once at each of its times. */
  private countTimes(batch: Batch, target: number, inside: FrameTimes): Float64Array {
    const seen = new Set((batch.times as Int32Array).subarray(0, batch.n))
    for (const id of seen) this.exchanger.count(target, id, 1)
    return packTimes(batch, inside)
  }
}
