/**
 * Development mode: user functions run twice and must give the same. A retraction evaluates the function again, so
 * one that depends on a clock, on chance or on outside state leaves rows that nothing ever removes.
 */
import type { Dataflow } from '../runtime/graph/dataflow.ts'

const checked = new WeakSet<Dataflow>()

export const NOT_DETERMINISTIC = 'the function gave two different results for the same input: it must depend on nothing else'

/** Turns the check on or off; call it before the dataflow's operators are built. */
export function checkDeterminism(dataflow: Dataflow, on: boolean): void {
  if (on) checked.add(dataflow)
  else checked.delete(dataflow)
}

export function checksDeterminism(dataflow: Dataflow): boolean {
  return checked.has(dataflow)
}
