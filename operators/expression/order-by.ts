import type { ExpressionNode } from './node.ts'

/** How rows are ordered by one expression. As in PostgreSQL, null counts as the greatest value unless told otherwise. */
export class OrderBy {
  readonly node: ExpressionNode
  readonly descending: boolean
  readonly nulls: 'first' | 'last'

  constructor(node: ExpressionNode, descending: boolean, nulls: 'first' | 'last' = descending ? 'first' : 'last') {
    this.node = node
    this.descending = descending
    this.nulls = nulls
  }

  nullsFirst(): OrderBy {
    return new OrderBy(this.node, this.descending, 'first')
  }

  nullsLast(): OrderBy {
    return new OrderBy(this.node, this.descending, 'last')
  }
}
