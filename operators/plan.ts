/**
 * The dataflow description: a graph of plan nodes that every worker builds in the same way.
 *
 * A node says what it is (`kind`, `parameters`: data, but for a user's closures), what it reads, what its rows
 * look like, and how a worker builds it. The fluent API and other front ends only make nodes.
 */
import type { Schema } from '../runtime/data/schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Stream } from '../runtime/graph/stream.ts'

/** Rows of an input that are looked up by a key: equal keys of all of a node's lookups get equal key ids. */
export interface Lookup {
  readonly node: PlanNode
  /** Positions in the node's schema. */
  readonly columns: readonly number[]
  /** Positions of the columns that are read from what is found; all of them if absent. The index stores no others. */
  readonly values?: readonly number[]
}

export interface PlanNode {
  readonly kind: string
  readonly inputs: readonly PlanNode[]
  readonly schema: Schema
  /** For display and comparison of plans. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Where the user's program made it, as `file:line`; empty if unknown. */
  readonly origin: string
  /** Lookups whose arrangements share a key table; the common key types are found before anything is built. */
  readonly lookups?: readonly Lookup[]
  /** Loops around this node: 0 outside loops. */
  readonly depth: number
  /** Whether rows are only ever inserted (all differences positive), which lets operators forget more. */
  readonly appendOnly?: boolean
  build(builder: PlanBuilder): Built
}

/** What builds nodes on a worker; the nodes know it as `Builder`. */
export interface PlanBuilder {
  readonly dataflow: Dataflow
  of(node: PlanNode): Built
}

/** What a worker made of a node. */
export interface Built {
  readonly rows: Stream
  /** Streams of errors of this node and all it reads; a set, so that a shared ancestor's errors count once. */
  readonly errors: ReadonlySet<Stream>
}

/** The errors of several inputs. */
export function errorsOf(inputs: readonly Built[], own?: Stream): ReadonlySet<Stream> {
  const errors = new Set<Stream>()
  for (const input of inputs) for (const stream of input.errors) errors.add(stream)
  if (own !== undefined) errors.add(own)
  return errors
}
