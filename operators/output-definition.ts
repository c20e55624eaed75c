/** What a job says about its outputs besides plain collections and those with a key: changes only, or only how far they are. */
import type { Columns } from '../runtime/data/schema.ts'
import type { PlanNode } from './plan.ts'

/** An output whose changes are given away and that is not kept. */
export class Changelog<C extends Columns> {
  readonly kind = 'changelog'
  readonly node: PlanNode
  /** The columns of its rows; for types. */
  declare readonly columns: C

  constructor(node: PlanNode) {
    this.node = node
  }
}

/** An output of which only one thing counts: up to which time it is complete. */
export class Probed {
  readonly kind = 'probe'
  readonly node: PlanNode

  constructor(node: PlanNode) {
    this.node = node
  }
}
