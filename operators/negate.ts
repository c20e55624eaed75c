/**
 * negate: every row with its multiplicity negated; `a.concat(b.negate())` is the difference of a and b.
 *
 * Computes: -m for each multiplicity m.
 * State: none.
 * Times: each row keeps its time; inside loops too.
 * Cost: one write a row; columns are shared with the input batch, not copied.
 * Source: differential dataflow's negate.
 *
 * @example
 *   negate(orders)
 */
import { BatchPool, powerOfTwo } from '../runtime/data/batch.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import type { Built, PlanNode } from './plan.ts'

export function negate(input: PlanNode, origin = ''): PlanNode {
  return {
    kind: 'negate',
    inputs: [input],
    schema: input.schema,
    parameters: {},
    origin,
    depth: input.depth,
    build: (builder: Builder): Built => {
      const { rows, errors } = builder.of(input)
      return { rows: { ...rows, operator: new NegateOperator(rows) }, errors }
    },
  }
}

export class NegateOperator extends Operator {
  private readonly port: Port
  private readonly pool: BatchPool

  constructor(input: Stream) {
    super(input.operator.dataflow, 'negate')
    this.pool = new BatchPool([], true)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port, pool } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const out = pool.take(batch.time, 0)
      out.columns = batch.columns
      out.floats = batch.floats
      out.longs = batch.longs
      out.times = batch.times
      out.n = batch.n
      if (out.differences.length < batch.n) out.differences = new Int32Array(powerOfTwo(batch.n))
      negateAll(batch.differences, out.differences, batch.n)
      out.parent = batch
      this.send(out)
    }
    this.advance(port.frontier)
  }
}

function negateAll(from: Int32Array, to: Int32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const difference = from[i] as number
    if (difference === -0x80000000)
      throw new MillraceError('OVERFLOW', 'the multiplicity -2^31 has no negation', 'Sum such rows with a column instead.')
    to[i] = -difference
  }
}
