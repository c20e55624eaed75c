/**
 * removal check: in development mode, an input's rows that were removed more often than they were inserted are errors.
 *
 * Computes: one error for each row whose multiplicity is negative, for as long as it is.
 * State: the arrangement of the input by all its columns, which it reads.
 * Times: total order.
 * Cost: an index of the whole input; therefore not always.
 */
import type { Batch } from '../runtime/data/batch.ts'
import { grown } from '../runtime/data/batch.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { ArrangeOperator } from './arrange.ts'
import { ArrangementReader } from './arrangement-reader.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'

const checked = new WeakSet<Dataflow>()

/** Whether inputs that are built into a dataflow from now on are checked. */
export function checkRemovals(dataflow: Dataflow, on: boolean): void {
  if (on) checked.add(dataflow)
  else checked.delete(dataflow)
}

export function checksRemovals(dataflow: Dataflow): boolean {
  return checked.has(dataflow)
}

export class RemovalCheckOperator extends Operator {
  readonly errors: ErrorOutlet
  private readonly port: Port
  private readonly arrangement: ArrangeOperator
  private readonly reader: ArrangementReader
  private readonly input: string
  /** Per key id, while a batch is looked at, the sum of its differences. */
  private sums: Int32Array

  constructor(arrangement: ArrangeOperator, input: string, stream: Stream) {
    super(arrangement.dataflow, `${input} removals`)
    this.arrangement = arrangement
    this.input = input
    this.reader = new ArrangementReader(arrangement)
    this.errors = new ErrorOutlet(this.dataflow, 'input', input, stream)
    this.sums = new Int32Array(arrangement.keys.capacity)
    this.port = this.listen(arrangement)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.check(batch)
      batch.release()
    }
    this.errors.advance(port.frontier)
    this.advance(port.frontier)
  }

  private check(batch: Batch): void {
    const { trace, keys } = this.arrangement
    if (this.sums.length < keys.capacity) this.sums = grown(this.sums, keys.capacity)
    const { sums } = this
    const ids = batch.columns[0]
    const { n, time, differences } = batch
    trace.ensure(time)
    for (let i = 0; i < n; i++) sums[ids[i]] += differences[i]
    for (let i = 0; i < n; i++) {
      const key = ids[i]
      const value = batch.columns[1][i]
      const change = sums[key]
      if (change === 0) continue
      sums[key] = 0
      let now = 0
      trace.segments.forEach(key, (_, multiplicity) => {
        now += multiplicity
      })
      const before = now - change
      if (before < 0) this.add(key, value, before, -1, time)
      if (now < 0) this.add(key, value, now, 1, time)
    }
  }

  private add(key: number, value: number, multiplicity: number, difference: number, time: number): void {
    const row = rowText(this.reader.row(key, value))
    const times = multiplicity === -1 ? 'once' : `${-multiplicity} times`
    this.errors.add(row, `removed from ${this.input} ${times} more than it was inserted`, difference, time)
  }
}
