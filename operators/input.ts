/**
 * input: where rows enter a dataflow: sessions of row objects or columns, in chunks that are flushed downstream before the commit.
 *
 * State: the chunk that is being filled, and those that wait: of the call under way, since a call is taken as a whole or not at all
 * and a reader may take no removals; while the dataflow runs; and until their time is known where there is no timeline.
 * Times: gives the current time of the timeline, or the one it is told, to what it flushes; a commit ends that time.
 * Cost: one generated loop per chunk; about 10 ns a row of two int32 columns. Memory for the rows of one call.
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
  /** Chunks that are complete and wait, in order. */
  private readonly full: Batch[] = []
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
    return this.begun || this.full.length > 0 || (this.open !== null && this.open.n > 0)
  }

  /** Whether rows of the time under way have gone downstream. */
  get flushed(): boolean {
    return this.begun
  }

  /** Adds `difference` to the multiplicity of each row: of all, or of none when it throws BAD_ROW for a wrong one. */
  changeRows(rows: readonly object[], difference: number): void {
    const { codec, dataflow } = this
    const n = rows.length
    const batch = this.chunkFor(n)
    if (n <= CHUNK_ROWS) {
      codec.writeRows(rows, 0, n, batch, difference, dataflow.dictionary)
      if (batch.n === CHUNK_ROWS) this.flush()
    } else this.fillChunks(n, (from, to, chunk) => codec.writeRows(rows, from, to, chunk, difference, dataflow.dictionary))
  }

  /** The same for columns of values. */
  changeColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>, n: number, differences: number | ArrayLike<number>): void {
    const { codec, dataflow } = this
    const batch = this.chunkFor(n)
    if (n <= CHUNK_ROWS) {
      codec.writeColumns(columns, 0, n, batch, differences, dataflow.dictionary)
      if (batch.n === CHUNK_ROWS) this.flush()
    } else this.fillChunks(n, (from, to, chunk) => codec.writeColumns(columns, from, to, chunk, differences, dataflow.dictionary))
  }

  /** A chunk with room for a call of n rows or, if they do not fit one, an empty chunk: what other calls wrote is sent before. */
  private chunkFor(n: number): Batch {
    if (this.open !== null && this.open.n + n > CHUNK_ROWS) this.flush()
    return this.chunk()
  }

  /** Writes n rows to new chunks, or none if that throws. Only then they are sent. */
  private fillChunks(n: number, write: (from: number, to: number, chunk: Batch) => void): void {
    const { full } = this
    const waiting = full.length
    try {
      for (let from = 0; from < n; from += CHUNK_ROWS) {
        const chunk = this.chunk()
        write(from, Math.min(n, from + CHUNK_ROWS), chunk)
        if (chunk.n === CHUNK_ROWS) this.setAside()
      }
    } catch (error) {
      for (const chunk of full.splice(waiting)) chunk.release()
      throw error
    }
    this.sendWaiting()
  }

  /** Sends what was written at the time that a commit closes. */
  seal(time: number): void {
    this.begun = false
    this.setAside()
    this.sendAll(time)
    this.advance(time + 1)
  }

  override markDictionary(dictionary: Dictionary): void {
    for (const batch of this.full) markBatch(dictionary, batch, this.schema.types)
    if (this.open !== null) markBatch(dictionary, this.open, this.schema.types)
  }

  protected chunk(): Batch {
    this.open ??= this.pool.take(0, CHUNK_ROWS)
    return this.open
  }

  /** Sends what is written, if the time under way is known; while the dataflow runs (a subscriber writes) it waits for the commit. */
  flush(): void {
    this.setAside()
    this.sendWaiting()
  }

  /** Sends what is written at a time that is known before it is sealed. Whoever calls it runs the dataflow. */
  flushAt(time: number): void {
    this.begun = true
    this.setAside()
    this.sendAll(time)
  }

  private setAside(): void {
    if (this.open === null || this.open.n === 0) return
    this.full.push(this.open)
    this.open = null
  }

  private sendWaiting(): void {
    const { dataflow, timeline, full } = this
    if (full.length === 0 || timeline === null || dataflow.isRunning) return
    const time = timeline.current()
    this.begun = true
    // One chunk at a time through the whole dataflow: it is still in the cache.
    while (full.length > 0) {
      this.sendNext(time)
      dataflow.run()
    }
  }

  private sendAll(time: number): void {
    while (this.full.length > 0) this.sendNext(time)
  }

  private sendNext(time: number): void {
    const batch = this.full.shift() as Batch
    batch.time = time
    this.send(batch)
  }
}
