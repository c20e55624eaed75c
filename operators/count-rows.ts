/** The plan's node of counts per key: what `groupBy(...).aggregate(() => ({ n: count() }))` becomes. */
import { int64 } from '../runtime/data/column-type.ts'
import { Schema } from '../runtime/data/schema.ts'
import { streamOf } from '../runtime/graph/stream.ts'
import { AccumulateOperator } from './accumulate.ts'
import { RowCount } from './accumulator.ts'
import type { Builder } from './builder.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { columnsAt } from './plan-columns.ts'

/** Rows of each different tuple of key columns, as int64. */
export function countRows(input: PlanNode, keys: readonly number[], names: readonly string[], origin = ''): PlanNode {
  const schema = new Schema({ ...columnsAt(input, keys), ...Object.fromEntries(names.map((name) => [name, int64])) })
  return {
    kind: 'aggregate',
    inputs: [input],
    schema,
    parameters: { keys, names },
    origin,
    depth: input.depth,
    build: (builder: Builder): Built => {
      const source = builder.of(input)
      const table = builder.dataflow.keyTable(keys.map((column) => input.schema.types[column]))
      const rows = builder.exchange(source.rows, keys)
      const operator = new AccumulateOperator(
        rows,
        schema,
        keys,
        table,
        names.map(() => new RowCount()),
      )
      return { rows: streamOf(operator, schema), errors: errorsOf([source]) }
    },
  }
}
