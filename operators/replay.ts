/**
 * replay: a collection that does again what was captured, at the captured times.
 *
 * Computes: the captured changes.
 * State: how far the log is read.
 * Times: the captured ones; the frontier follows the log.
 * Cost: as an input of row objects. Yields after each event.
 * Source: timely dataflow's capture and replay.
 *
 * @example
 *   replay({ city: text }, log)
 */
import { BatchPool } from '../runtime/data/batch.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import { type Columns, Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator } from '../runtime/graph/operator.ts'
import { streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import type { CaptureLog } from './capture.ts'
import type { Built, PlanNode } from './plan.ts'

export function replay(columns: Columns, log: CaptureLog, origin = ''): PlanNode {
  const schema = new Schema(columns)
  return {
    kind: 'replay',
    inputs: [],
    schema,
    parameters: {},
    origin,
    depth: 0,
    build: (builder: Builder): Built => ({ rows: streamOf(new ReplayOperator(builder.dataflow, schema, log), schema), errors: new Set() }),
  }
}

export class ReplayOperator extends Operator {
  private readonly log: CaptureLog
  private readonly codec: RowCodec
  private readonly pool: BatchPool
  private read = 0

  constructor(dataflow: Dataflow, schema: Schema, log: CaptureLog) {
    super(dataflow, 'replay')
    this.log = log
    this.codec = rowCodec(schema)
    this.pool = new BatchPool(schema.widths)
    log.onEvent(() => this.activate())
    if (log.events.length > 0) this.activate()
  }

  step(): void {
    const event = this.log.events[this.read]
    if (event === undefined) return
    this.read++
    if (event.kind === 'frontier') this.advance(event.frontier)
    else {
      if (event.time < this.frontier) {
        throw new MillraceError(
          'BAD_TIME',
          `the log has a change at time ${event.time} behind the frontier ${this.frontier}`,
          'A log is replayed as it was captured.',
        )
      }
      const { changes } = event
      const batch = this.pool.take(event.time, changes.length)
      const rows = changes.map(({ row }) => row)
      this.codec.writeRows(rows, 0, rows.length, batch, 1, this.dataflow.dictionary)
      for (let i = 0; i < rows.length; i++) batch.differences[i] = changes[i].diff
      this.send(batch)
    }
    if (this.read < this.log.events.length) this.yield()
  }
}
