/**
 * distinct: each different row once.
 *
 * Computes: multiplicity 1 for every row whose multiplicity is positive. Rows are equal if they are identical: -0 and 0 are two.
 * State: the different rows, and a multiplicity each.
 * Times: total order; changes of a time are emitted when the input frontier passes it. (Inside loops: `general-distinct`.)
 * Cost per change: one lookup of a row, 20-60 ns.
 * Source: differential dataflow's distinct.
 *
 * @example
 *   distinct(select(orders, { city: o.city }))
 */
import { Schema } from '../runtime/data/schema.ts'
import type { Operator } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { GeneralDistinctOperator } from './general-distinct.ts'
import { GeneralThresholdOperator } from './general-threshold.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { columnsAt } from './plan-columns.ts'
import { pickColumnsOf } from './select.ts'
import { ThresholdOperator, type ThresholdOptions } from './threshold-operator.ts'

export function distinct(input: PlanNode, origin = ''): PlanNode {
  return thresholdNode('distinct', input, {}, origin)
}

const keysOf = new WeakMap<PlanNode, Map<string, PlanNode>>()

/** The different keys in some columns of a node; the same node for everybody who asks, so that its state is shared. */
export function distinctKeys(input: PlanNode, columns: readonly number[]): PlanNode {
  const nodes = keysOf.get(input) ?? new Map<string, PlanNode>()
  keysOf.set(input, nodes)
  const name = columns.join()
  let node = nodes.get(name)
  if (node === undefined) {
    const keys = pickColumnsOf(input, new Schema(columnsAt(input, columns)), columns, input.origin)
    node = thresholdNode('distinct', keys, { asKeys: true }, input.origin)
    nodes.set(name, node)
  }
  return node
}

export function thresholdNode(kind: string, input: PlanNode, options: ThresholdOptions, origin: string): PlanNode {
  return {
    kind,
    inputs: [input],
    schema: input.schema,
    parameters: { ...options },
    origin,
    depth: input.depth,
    appendOnly: options.fn === undefined && input.appendOnly === true,
    build: (builder: Builder): Built => {
      const source = builder.of(input)
      const rows = builder.exchange(
        source.rows,
        input.schema.names.map((_, i) => i),
      )
      if (rows.region !== null) return insideLoop(rows, source, kind, options, origin)
      const operator = new ThresholdOperator(rows, kind, options, origin)
      return { rows: streamOf(operator, input.schema), errors: errorsOf([source], operator.errors?.stream) }
    },
  }
}

function insideLoop(rows: Stream, source: Built, kind: string, options: ThresholdOptions, origin: string): Built {
  const { asKeys = false, fn } = options
  const built = (operator: Operator): Stream => streamOf(operator, rows.schema, rows.region, rows.depth)
  if (fn === undefined) return { rows: built(new GeneralDistinctOperator(rows, { asKeys, name: kind })), errors: source.errors }
  const operator = new GeneralThresholdOperator(rows, kind, fn, asKeys, origin)
  return { rows: built(operator), errors: errorsOf([source], operator.errors.stream) }
}
