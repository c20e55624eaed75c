/**
 * input: where rows enter a dataflow: sessions of row objects or columns, flushed downstream in chunks before the commit.
 *
 * State: the chunk that is being filled.
 * Times: gives the current time of the timeline to what it flushes; a commit ends that time.
 * Cost: one generated loop per chunk; about 10 ns a row of two int32 columns.
 *
 * @example
 *   input.changeRows([{ src: 1, dst: 2 }], 1)
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Schema } from '../runtime/data/schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { markBatch } from '../runtime/graph/garbage.ts'
import { Operator } from '../runtime/graph/operator.ts'
import type { Timeline } from '../runtime/time/timeline.ts'

/** Rows a chunk: what fits the second-level cache together with what the next operators touch. */
const CHUNK_ROWS = 2048

export class InputOperator extends Operator {
  readonly schema: Schema
  protected readonly codec: RowCodec
  private timeline: Timeline | null
  private readonly pool: BatchPool
  protected open: Batch | null = null
  private begun = false

  /** Without a timeline rows are taken once `start` has given one. `widths` has words for more columns than the schema. */
  constructor(dataflow: Dataflow, name: string, schema: Schema, timeline: Timeline | null = null, widths = schema.widths) {
    super(dataflow, name)
    this.schema = schema
    this.codec = rowCodec(schema)
    this.timeline = timeline
    this.pool = new BatchPool(widths)
  }

  start(timeline: Timeline): void {
    this.timeline = timeline
  }

  step(): void {}

  /** Whether rows wait for the commit. */
  get pending(): boolean {
    return this.begun || this.open !== null
  }

  /** Whether rows of the time under way have gone downstream. */
  get flushed(): boolean {
    return this.begun
  }

  /** Adds `difference` to the multiplicity of each row: of all, or of none when it throws BAD_ROW for a wrong one. */
  changeRows(rows: readonly object[], difference: number): void {
    const n = rows.length
    const before = this.open?.n ?? 0
    let isHere = true
    let i = 0
    try {
      while (i < n) {
        const batch = this.chunk()
        const take = Math.min(n - i, batch.n < CHUNK_ROWS ? CHUNK_ROWS - batch.n : CHUNK_ROWS)
        batch.reserve(batch.n + take)
        this.codec.writeRows(rows, i, i + take, batch, difference, this.dataflow.dictionary)
        i += take
        if (batch.n >= CHUNK_ROWS && this.flush()) isHere = false
      }
    } catch (error) {
      if (isHere && this.open !== null) this.open.n = before
      else if (i > 0) this.changeRows(rows.slice(0, i), -difference)
      throw error
    }
  }

  /** The same for columns of values. */
  changeColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>, n: number, differences: number | ArrayLike<number>): void {
    const before = this.open?.n ?? 0
    let isHere = true
    let i = 0
    try {
      while (i < n) {
        const batch = this.chunk()
        const take = Math.min(n - i, batch.n < CHUNK_ROWS ? CHUNK_ROWS - batch.n : CHUNK_ROWS)
        batch.reserve(batch.n + take)
        this.codec.writeColumns(columns, i, i + take, batch, differences, this.dataflow.dictionary)
        i += take
        if (batch.n >= CHUNK_ROWS && this.flush()) isHere = false
      }
    } catch (error) {
      const back = typeof differences === 'number' ? -differences : Array.from({ length: i }, (_, j) => -differences[j])
      if (isHere && this.open !== null) this.open.n = before
      else if (i > 0) this.changeColumns(columns, i, back)
      throw error
    }
  }

  /** Sends what was written at the time that a commit closes. */
  seal(time: number): void {
    const batch = this.open
    this.begun = false
    if (batch !== null) {
      this.open = null
      batch.time = time
      this.send(batch)
    }
    this.advance(time + 1)
  }

  override markDictionary(dictionary: Dictionary): void {
    if (this.open !== null) markBatch(dictionary, this.open, this.schema.types)
  }

  protected chunk(): Batch {
    this.open ??= this.pool.take(0, CHUNK_ROWS)
    return this.open
  }

  /** Sends the chunk at the current time, and returns true; while the dataflow runs (a subscriber writes) it waits for the commit. */
  flush(): boolean {
    const { open, timeline } = this
    if (open === null || timeline === null || this.dataflow.isRunning) return false
    this.open = null
    this.begun = true
    open.time = timeline.current()
    this.send(open)
    this.dataflow.run()
    return true
  }
}
