/** Changes of an input as a source gives them: runs of rows with one operation, in order. */
export type ChangeRun =
  | { readonly op: 'insert' | 'remove' | 'upsert' | 'delete'; readonly rows: readonly object[]; readonly origin?: RowsOrigin }
  | { readonly op: 'reject'; readonly rows: readonly RejectedRow[] }

/** Where rows come from, for people: row i from `before`, the number `first + i`, and `after`, as in `line 17`. */
export interface RowsOrigin {
  readonly source: string
  readonly before: string
  readonly first: number
  readonly after: string
}

/** A source's row that gives no row of the input; it goes into the error collection. */
export interface RejectedRow {
  readonly source: string
  readonly position: string
  readonly excerpt: string
  readonly message: string
}
