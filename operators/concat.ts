/**
 * concat: all rows of several collections.
 *
 * Computes: the sum of the multiplicities.
 * State: none. Outside loops a batch waits in its port while another input may still bring an earlier time.
 * Times: each row keeps its time, and times come out in order; inside loops batches pass as they come.
 * Cost: none a row where columns lie alike (batches pass by reference); else a reference a column and batch.
 * Source: differential dataflow's concat.
 *
 * @example
 *   concat([online, inStore])
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { sameDepth, sameSchema } from './plan-columns.ts'
import { leastTime, nextInTimeOrder } from './time-order.ts'

/** @throws MillraceError COLUMN_TYPE if the inputs' columns differ, CONFIG if there is no input */
export function concat(inputs: readonly PlanNode[], origin = ''): PlanNode {
  if (inputs.length === 0) throw new MillraceError('CONFIG', 'concat() needs a collection')
  if (inputs.length === 1) return inputs[0] as PlanNode
  const schema = sameSchema(inputs)
  return {
    kind: 'concat',
    inputs,
    schema,
    parameters: {},
    origin,
    depth: sameDepth(inputs),
    appendOnly: inputs.every((input) => input.appendOnly === true),
    build: (builder: Builder): Built => {
      const built = inputs.map((input) => builder.of(input))
      const operator = new ConcatOperator(built.map((one) => one.rows))
      const first = (built[0] as Built).rows
      return { rows: streamOf(operator, schema, first.region, first.depth), errors: errorsOf(built) }
    },
  }
}

export class ConcatOperator extends Operator {
  private readonly streams: readonly Stream[]
  /** Whether an input's batches have other columns than the output's, or in another order. */
  private readonly picked: readonly boolean[]
  private readonly shells: BatchPool
  private readonly ordered: boolean

  constructor(streams: readonly Stream[]) {
    super((streams[0] as Stream).operator.dataflow, 'concat')
    this.streams = streams
    this.picked = streams.map(({ picks }) => picks.some((column, i) => column !== i))
    this.ordered = (streams[0] as Stream).region === null
    this.shells = new BatchPool((streams[0] as Stream).schema.widths, true)
    for (const stream of streams) this.listen(stream.operator)
  }

  step(): void {
    for (let i = this.next(); i >= 0; i = this.next()) this.pass((this.inputs[i] as Port).pop() as Batch, i)
    this.advance(leastTime(this.inputs))
  }

  /** The input whose oldest batch comes next, or -1 if nothing may pass yet. */
  private next(): number {
    return this.ordered ? nextInTimeOrder(this.inputs) : this.inputs.findIndex((port) => port.length > 0)
  }

  private pass(batch: Batch, i: number): void {
    if (!this.picked[i]) {
      this.send(batch)
      return
    }
    const { picks } = this.streams[i] as Stream
    const out = this.shells.take(batch.time, 0)
    for (let c = 0; c < picks.length; c++) {
      const column = picks[c] as number
      out.columns[c] = batch.columns[column] as Int32Array
      out.floats[c] = batch.floats[column] as Float64Array | null
      out.longs[c] = batch.longs[column] as BigInt64Array | null
    }
    out.differences = batch.differences
    out.times = batch.times
    out.n = batch.n
    out.parent = batch
    this.send(out)
  }
}
