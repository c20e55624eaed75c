/**
 * threshold: each different row, as often as a function of its multiplicity says.
 *
 * Computes: multiplicity fn(m) for every row of multiplicity m other than 0; fn is not asked about rows that are not there. A row at
 * which fn throws, or gives no int32, becomes an error.
 * State: the different rows, and a multiplicity each.
 * Times: total order; changes of a time are emitted when the input frontier passes it.
 * Cost per change: one lookup of a row, 20-60 ns, and two calls.
 * Source: differential dataflow's threshold.
 *
 * @example
 *   threshold(orders, (multiplicity) => (multiplicity > 1 ? 1 : 0))   // the rows that are there more than once
 */
import { thresholdNode } from './distinct.ts'
import type { PlanNode } from './plan.ts'
import { checkFunction } from './user-function.ts'

export function threshold(input: PlanNode, fn: (multiplicity: number) => number, origin = ''): PlanNode {
  checkFunction(fn)
  return thresholdNode('threshold', input, { fn }, origin)
}
