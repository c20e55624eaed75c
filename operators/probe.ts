/**
 * probe: tells how far a collection is complete.
 *
 * Computes: its input.
 * State: none.
 * Times: the probe's frontier is that of the input: no change at a time below it comes any more.
 * Cost: none a row.
 * Source: timely dataflow's probe.
 *
 * @example
 *   const done = new Probe()
 *   probe(joined, done)           // later: done.isComplete(time)
 */
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import { passing } from './inspect.ts'
import type { PlanNode } from './plan.ts'

/** Looks at one place of a plan, on all workers of this process that built it. */
export class Probe {
  private readonly operators: Operator[] = []

  /** No change at a time below comes any more; Infinity while nothing is built. */
  get frontier(): number {
    return this.operators.reduce((least, operator) => Math.min(least, operator.frontier), Number.POSITIVE_INFINITY)
  }

  /** Whether all changes up to a time, and at it, have passed. */
  isComplete(time: number): boolean {
    return this.frontier > time
  }

  watch(operator: Operator): void {
    this.operators.push(operator)
  }
}

export function probe(input: PlanNode, handle: Probe, origin = ''): PlanNode {
  return passing('probe', input, origin, (rows) => {
    const operator = new ProbeOperator(rows)
    handle.watch(operator)
    return operator
  })
}

export class ProbeOperator extends Operator {
  private readonly port: Port

  constructor(input: Stream) {
    super(input.operator.dataflow, 'probe')
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) this.send(batch)
    this.advance(port.frontier)
  }
}
