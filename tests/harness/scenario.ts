/** A whole run as plain data: a program, its input, and what happens to the workers. It can be printed, kept and made smaller. */

export interface InputSpec {
  readonly kind: 'table' | 'keyed' | 'stream'
  /** Positions in the list of types, one a column. A keyed table's key is its first column. */
  readonly types: readonly number[]
}

/** One operator. What the numbers mean, its family says; any numbers mean something, so that parts can be left out. */
export interface OperatorSpec {
  readonly family: string
  readonly args: readonly number[]
}

export interface ChangeSpec {
  readonly input: number
  /** Positions in the list of values of each column's type. */
  readonly values: readonly number[]
  /** Of a keyed table: a positive one puts the row, another deletes the key. */
  readonly diff: number
}

/** What happens to the workers after a commit. */
export type FaultSpec =
  /** All workers lose everything, and go on from the last cut with so many workers. */
  { readonly kind: 'crash'; readonly workers: number } | { readonly kind: 'cut' } | { readonly kind: 'evict'; readonly seed: number }

export interface CommitSpec {
  readonly changes: readonly ChangeSpec[]
  /** Actions of the scheduler after it. */
  readonly actions: number
  /** By how much the time moves on. */
  readonly step: number
  readonly faults: readonly FaultSpec[]
}

export interface Scenario {
  readonly inputs: readonly InputSpec[]
  readonly operators: readonly OperatorSpec[]
  /** Positions among inputs and operators, in this order. */
  readonly outputs: readonly number[]
  readonly commits: readonly CommitSpec[]
  readonly workers: number
  /** Of the scheduler. */
  readonly seed: number
  /** Every key table and word table in its worst case; expressions interpreted; garbage collected at every rest. */
  readonly forceHash: boolean
  readonly interpret: boolean
  readonly collect: boolean
}
