/** Whether the passing of time alone changes what a plan gives. */
import type { PlanNode } from '../operators/plan.ts'

const TEMPORAL_KINDS = new Set(['validFor', 'validBetween'])

export function isTemporal(node: PlanNode, seen = new Set<PlanNode>()): boolean {
  if (TEMPORAL_KINDS.has(node.kind)) return true
  if (seen.has(node)) return false
  seen.add(node)
  return node.inputs.some((input) => isTemporal(input, seen))
}
