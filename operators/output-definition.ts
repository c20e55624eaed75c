/** What a job says about its outputs besides plain collections: indexed by a key, or changes only. */
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
