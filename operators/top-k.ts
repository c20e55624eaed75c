/**
 * topK: the first k rows of each group of rows with equal keys, or of all rows.
 *
 * Computes: rows, not values: a row of multiplicity 3 takes three places. Rows that the order leaves equal are ordered by all their
 * columns, or, with ties, shown as long as they equal the last one. Rows of negative multiplicity take no place.
 * State: an arrangement of the rows (shared), and the rows shown for each key.
 * Times: total order; each key that changed is computed once a time.
 * Cost: a change behind the last row shown costs a compare; a key that is changed within reads its group again. One int32 column
 * ordered with nothing but keys beside it takes a faster way (`top-words`).
 * Source: TopK as in Materialize, by group instead of by hierarchy.
 *
 * @example
 *   topK(orders, ['city'], 3, [o.cents.desc()])
 */
import { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { pick, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { CONSTANT_KEY, withConstantKey, withoutConstantKey } from './constant-key.ts'
import { columnNode } from './expression/node.ts'
import type { OrderBy } from './expression/order-by.ts'
import { GeneralArrangeOperator } from './general-arrange.ts'
import { GeneralReduceOperator } from './general-reduce.ts'
import { GroupOperator } from './group-operator.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { positionsOf } from './plan-columns.ts'
import { select } from './select.ts'
import { type TopOrder, TopRule } from './top-rule.ts'
import { MOST_WORDS, TopWordsOperator } from './top-words.ts'

export interface TopOptions {
  /** Rows left out before the first one shown; 0 unless given. */
  readonly offset?: number
  /** Whether rows equal to the last one by the order are shown, too. */
  readonly ties?: boolean
}

/** Rows that may be asked for. */
const MOST_ROWS = 1 << 24

/** @throws MillraceError CONFIG for a k or an offset that is no whole number in range, UNKNOWN_COLUMN */
export function topK(
  input: PlanNode,
  keyColumns: readonly string[],
  k: number,
  orders: readonly OrderBy[],
  options: TopOptions = {},
  origin = '',
): PlanNode {
  const { offset = 0, ties = false } = options
  if (!(Number.isInteger(k) && k > 0 && Number.isInteger(offset) && offset >= 0 && k + offset <= MOST_ROWS)) {
    throw new MillraceError(
      'CONFIG',
      `topK takes whole numbers, k from 1 and offset from 0, to ${MOST_ROWS} together; got ${k} and ${offset}`,
    )
  }
  if (keyColumns.length === 0) {
    return withoutConstantKey(topK(withConstantKey(input), [CONSTANT_KEY], k, orders, options, origin), origin)
  }
  const { node, columns } = withOrderColumns(input, orders, origin)
  const keys = positionsOf(node, keyColumns)
  const tops = orders.map(({ descending, nulls }, i) => ({ column: columns[i], descending, nullsFirst: nulls === 'first' }))
  return {
    kind: 'topK',
    inputs: [node],
    schema: input.schema,
    parameters: { keyColumns, k, orders: tops, offset, ties },
    origin,
    depth: input.depth,
    lookups: [{ node, columns: keys }],
    build: (builder: Builder): Built => {
      const source = builder.of(node)
      const { region, depth } = source.rows
      const errors = errorsOf([source])
      const arrangement = region === null ? builder.arrange(node, keys) : builder.generalArrange(node, keys)
      // The operators put the key's columns first; a key that does not give its column back is among the values.
      const values = arrangement.valueColumns.filter((column) => column < input.schema.names.length)
      const onlyKeys = keys.filter((column) => !values.includes(column))
      const shown = [...keys, ...values]
      const schema = new Schema(Object.fromEntries(shown.map((column, i) => [`${i}`, node.schema.types[column]])))
      const rule = () => new TopRule(node.schema, keys, values, k, tops, { offset, ties }, builder.dataflow.dictionary)
      const operator =
        arrangement instanceof GeneralArrangeOperator
          ? new GeneralReduceOperator(arrangement, 'topK', schema, rule(), origin)
          : isWords(node.schema, keys, values, tops, k, offset, ties)
            ? new TopWordsOperator(arrangement, schema, k, tops[0].descending)
            : new GroupOperator(arrangement, 'topK', schema, rule(), origin)
      const back = input.schema.names.map((_, column) =>
        onlyKeys.includes(column) ? keys.indexOf(column) : keys.length + values.indexOf(column),
      )
      return { rows: pick(streamOf(operator, schema, region, depth), input.schema, back), errors }
    },
  }
}

/** Whether rows are a key and one int32, which the order is by. */
function isWords(
  schema: Schema,
  keys: readonly number[],
  values: readonly number[],
  orders: readonly TopOrder[],
  k: number,
  offset: number,
  ties: boolean,
): boolean {
  const [value] = values
  if (values.length !== 1 || keys.length + 1 !== schema.names.length || keys.includes(value)) return false
  const type = schema.types[value]
  return (
    type.kind === 'int32' && !type.nullable && orders.length === 1 && orders[0].column === value && k <= MOST_WORDS && offset === 0 && !ties
  )
}

/** The input with a column for each order that is not one yet, and the orders' columns. */
function withOrderColumns(input: PlanNode, orders: readonly OrderBy[], origin: string): { node: PlanNode; columns: number[] } {
  const computed: OrderBy[] = []
  const { names, types } = input.schema
  const columns = orders.map((order) => {
    if (order.node.op === 'column') return positionsOf(input, [order.node.name as string])[0]
    computed.push(order)
    return names.length + computed.length - 1
  })
  if (computed.length === 0) return { node: input, columns }
  const all = Object.fromEntries(names.map((name, i) => [name, { node: columnNode(name, types[i]) }]))
  const extra = Object.fromEntries(computed.map((order, i) => [`\u0000order${i}`, order]))
  return { node: select(input, { ...all, ...extra }, origin), columns }
}
