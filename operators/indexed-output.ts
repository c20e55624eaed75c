/** An output that is kept and looked up by a key. */
import type { Columns } from '../runtime/data/schema.ts'
import type { PlanNode } from './plan.ts'

export class IndexedOutput<C extends Columns, K extends keyof C & string> {
  readonly kind = 'indexed'
  readonly node: PlanNode
  readonly key: readonly K[]
  /** Positions of the key in the node's schema. */
  readonly keyColumns: readonly number[]
  /** The columns of its rows; for types. */
  declare readonly columns: C

  constructor(node: PlanNode, key: readonly K[], keyColumns: readonly number[]) {
    this.node = node
    this.key = key
    this.keyColumns = keyColumns
  }
}
