/** Changes of an input as a source gives them: runs of rows with one operation, in order. */
export type ChangeRun =
  | { readonly op: 'insert' | 'remove' | 'upsert' | 'delete'; readonly rows: readonly object[] }
  | { readonly op: 'reject'; readonly rows: readonly RejectedRow[] }

/** A source's row that gives no row of the input; it goes into the error collection. */
export interface RejectedRow {
  readonly source: string
  readonly position: string
  readonly excerpt: string
  readonly message: string
}
