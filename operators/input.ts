/**
 * input: where rows enter a dataflow: sessions of row objects or columns, flushed downstream in chunks before the commit.
 *
 * State: the chunk that is being filled.
 * Times: gives the current time of the timeline to what it flushes; a commit ends that time.
 * Cost: one generated loop per chunk; about 10 ns a row of two int32 columns.
 *
 * @example
 *   input.insertMany([{ src: 1, dst: 2 }])
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Schema } from '../runtime/data/schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator } from '../runtime/graph/operator.ts'
import type { Timeline } from '../runtime/time/timeline.ts'

/** Rows a chunk: what fits the second-level cache together with what the next operators touch. */
const CHUNK_ROWS = 2048

export class InputOperator extends Operator {
  readonly schema: Schema
  private readonly codec: RowCodec
  private readonly timeline: Timeline
  private readonly pool: BatchPool
  private open: Batch | null = null

  constructor(dataflow: Dataflow, name: string, schema: Schema, timeline: Timeline) {
    super(dataflow, name)
    this.schema = schema
    this.codec = rowCodec(schema)
    this.timeline = timeline
    this.pool = new BatchPool(schema.widths)
  }

  step(): void {}

  /** Adds `difference` to the multiplicity of each row. Throws BAD_ROW at the first wrong row; those before it stay. */
  changeRows(rows: readonly object[], difference: number): void {
    const n = rows.length
    let i = 0
    while (i < n) {
      const batch = this.chunk()
      const take = Math.min(n - i, batch.n < CHUNK_ROWS ? CHUNK_ROWS - batch.n : CHUNK_ROWS)
      batch.reserve(batch.n + take)
      this.codec.writeRows(rows, i, i + take, batch, difference, this.dataflow.dictionary)
      i += take
      if (batch.n >= CHUNK_ROWS) this.flush()
    }
  }

  /** The same for columns of values. */
  changeColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>, n: number, differences: number | ArrayLike<number>): void {
    let i = 0
    while (i < n) {
      const batch = this.chunk()
      const take = Math.min(n - i, batch.n < CHUNK_ROWS ? CHUNK_ROWS - batch.n : CHUNK_ROWS)
      batch.reserve(batch.n + take)
      this.codec.writeColumns(columns, i, i + take, batch, differences, this.dataflow.dictionary)
      i += take
      if (batch.n >= CHUNK_ROWS) this.flush()
    }
  }

  /** Sends what was written at the time that a commit closes. */
  seal(time: number): void {
    const batch = this.open
    if (batch !== null) {
      this.open = null
      batch.time = time
      this.send(batch)
    }
    this.advance(time + 1)
  }

  private chunk(): Batch {
    this.open ??= this.pool.take(0, CHUNK_ROWS)
    return this.open
  }

  private flush(): void {
    const batch = this.open as Batch
    if (this.dataflow.isRunning) return
    this.open = null
    batch.time = this.timeline.current()
    this.send(batch)
    this.dataflow.run()
  }
}
