/** An operator as a dataflow, its progress and its garbage collection see it. */
import type { Batch } from '../data/batch.ts'
import type { Dictionary } from '../data/dictionary.ts'
import type { StateStats } from '../log/state-stats.ts'

export interface Schedulable {
  id: number
  readonly name: string
  /** See `Operator.origin`. */
  origin: string | null
  /** No later output has a time below this. */
  readonly frontier: number
  readonly inputs: readonly Inlet[]
  readonly readers: readonly Inlet[]
  step(): void
  /** The least of the input frontiers. */
  inputFrontier(): number
  /** See `Operator.heldTime`. */
  heldTime(): number
  /** See `Operator.stateStats`. */
  stateStats(): StateStats | null
  /** See `Operator.markDictionary`. */
  markDictionary(dictionary: Dictionary): void
}

/** A port of an operator. */
export interface Inlet {
  readonly operator: Schedulable
  readonly frontier: number
  /** Batches in its queue. */
  readonly length: number
  /** The i-th batch of its queue, or null. */
  at(i: number): Batch | null
}
