/**
 * aggregate: for each group of rows with equal keys, one row of the key and its aggregates.
 *
 * Computes: count, sum, avg, min, max, countDistinct and users' aggregates, over multiplicities of any sign; a group is there
 * while its multiplicities do not add up to 0. Nulls are one group; aggregates leave null values out.
 * State: see `accumulate`; for min, max and users' aggregates also an arrangement of the group's values.
 * Times: total order; changes of a time are emitted when the input frontier passes it.
 * Cost: count, sum, avg 10-40 ns a change; min and max read a group again only if the extreme was removed from it, and
 * never where rows are only inserted; users' aggregates read every group that changed.
 * Source: accumulator columns as in column stores; reduce of differential dataflow for the rest.
 *
 * @example
 *   aggregate(orders, ['city'], { n: count().spec, most: max(o.cents).spec })
 */
import type { ColumnType } from '../runtime/data/column-type.ts'
import { Schema } from '../runtime/data/schema.ts'
import { streamOf } from '../runtime/graph/stream.ts'
import { AccumulateOperator } from './accumulate.ts'
import { type Accumulator, RowCount } from './accumulator.ts'
import { AggregateRule } from './aggregate-rule.ts'
import type { Arrangement } from './arrangement.ts'
import type { Builder } from './builder.ts'
import { CONSTANT_KEY, withConstantKey, withoutConstantKey } from './constant-key.ts'
import { checksDeterminism } from './determinism.ts'
import { DistinctAccumulator } from './distinct-accumulator.ts'
import type { AggregateSpec } from './expression/aggregate.ts'
import { columnNode, type ExpressionNode } from './expression/node.ts'
import { ExtremeAccumulator } from './extreme-accumulator.ts'
import { GeneralReduceOperator } from './general-reduce.ts'
import { GroupReader, type Groups } from './group-reader.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { columnsAt, joinedColumns, positionsOf } from './plan-columns.ts'
import { pickColumnsOf, select } from './select.ts'
import { AverageAccumulator, PresentCount, SumAccumulator } from './sum-accumulator.ts'
import { UserAccumulator } from './user-accumulator.ts'

/**
 * One row a group.
 * @throws MillraceError UNKNOWN_COLUMN, DUPLICATE_NAME if an aggregate has a key's name
 */
export function aggregate(
  input: PlanNode,
  keyColumns: readonly string[],
  aggregates: Readonly<Record<string, AggregateSpec>>,
  origin = '',
): PlanNode {
  if (keyColumns.length === 0) return withoutConstantKey(aggregate(withConstantKey(input), [CONSTANT_KEY], aggregates, origin), origin)
  const names = Object.keys(aggregates)
  const specs = Object.values(aggregates)
  const keys = columnsAt(input, positionsOf(input, keyColumns))
  const schema = new Schema(joinedColumns(keys, Object.fromEntries(names.map((name, i) => [name, (specs[i] as AggregateSpec).type]))))
  const { node, inputs } = withArguments(input, keyColumns, specs, origin)
  const keyPositions = keyColumns.map((_, i) => i)
  const groups = groupsOf(node, keyColumns.length, specs, inputs)
  return {
    kind: 'aggregate',
    inputs: groups === null ? [node] : [node, groups.node],
    schema,
    parameters: { keyColumns, aggregates },
    origin,
    depth: input.depth,
    ...(groups === null ? {} : { lookups: [{ node: groups.node, columns: keyPositions }] }),
    build: (builder: Builder): Built => {
      const source = builder.of(node)
      if (source.rows.region !== null) {
        const { dictionary } = builder.dataflow
        const all = node.schema.names.map((_, i) => i)
        const make = (whole: Groups) => specs.map((spec, i) => accumulatorOf(spec, names[i], inputs[i], all, builder, () => whole, false))
        const rule = new AggregateRule(dictionary, make, schema.widths.slice(keyColumns.length))
        const operator = new GeneralReduceOperator(builder.generalArrange(node, keyPositions), 'aggregate', schema, rule, origin)
        const { region, depth } = source.rows
        return { rows: streamOf(operator, schema, region, depth), errors: errorsOf([source], operator.errors?.stream) }
      }
      const arrangement = groups === null ? null : builder.arrange(groups.node, keyPositions)
      const rows = builder.exchange(source.rows, keyPositions)
      const keyTable = arrangement === null ? builder.dataflow.keyTable(keyPositions.map((i) => node.schema.types[i])) : arrangement.keys
      const accumulators = specs.map((spec, i) =>
        accumulatorOf(
          spec,
          names[i] as string,
          inputs[i] as number[],
          groups?.columns ?? [],
          builder,
          () => new GroupReader(arrangement as Arrangement),
          node.appendOnly === true,
        ),
      )
      const operator = new AccumulateOperator(rows, schema, keyPositions, keyTable, accumulators, origin, arrangement)
      return { rows: streamOf(operator, schema), errors: errorsOf([source], operator.errors?.stream) }
    },
  }
}

/** The input with the keys first, then the aggregates' arguments; and for each aggregate the positions of its arguments. */
function withArguments(
  input: PlanNode,
  keyColumns: readonly string[],
  specs: readonly AggregateSpec[],
  origin: string,
): { node: PlanNode; inputs: number[][] } {
  const nodes: ExpressionNode[] = keyColumns.map((name) => columnNode(name, input.schema.types[input.schema.indexOf(name)] as ColumnType))
  const texts = nodes.map((node) => JSON.stringify(node))
  const inputs = specs.map((spec) =>
    spec.inputs.map((node) => {
      const text = JSON.stringify(node)
      const at = texts.indexOf(text)
      if (at >= 0) return at
      nodes.push(node)
      return texts.push(text) - 1
    }),
  )
  const named = nodes.map((node, i) => [i < keyColumns.length ? (keyColumns[i] as string) : `\u0000${i}`, { node }] as const)
  return { node: select(input, Object.fromEntries(named), origin), inputs }
}

/** The keys and those arguments that some aggregate reads whole groups of; null if none does. */
function groupsOf(node: PlanNode, keyCount: number, specs: readonly AggregateSpec[], inputs: readonly (readonly number[])[]) {
  const whole = specs.flatMap((spec, i) => (readsGroups(spec, node.appendOnly === true) ? (inputs[i] as number[]) : []))
  if (!specs.some((spec) => readsGroups(spec, node.appendOnly === true))) return null
  const columns = [...new Set([...node.schema.names.slice(0, keyCount).map((_, i) => i), ...whole])]
  return { node: pickColumnsOf(node, new Schema(columnsAt(node, columns)), columns, node.origin), columns }
}

function readsGroups(spec: AggregateSpec, appendOnly: boolean): boolean {
  return spec.op === 'user' || ((spec.op === 'min' || spec.op === 'max') && !appendOnly)
}

/** `columns` are the positions, in the stream, of the arrangement's columns. */
function accumulatorOf(
  spec: AggregateSpec,
  name: string,
  inputs: readonly number[],
  columns: readonly number[],
  builder: Builder,
  groupsOfRows: () => Groups,
  appendOnly: boolean,
): Accumulator {
  const { dictionary } = builder.dataflow
  const column = inputs[0] ?? -1
  const type = spec.inputs[0]?.type as ColumnType
  switch (spec.op) {
    case 'count':
      return new RowCount()
    case 'countNotNull':
      return type.nullable ? new PresentCount(column, type) : new RowCount()
    case 'sum':
      return new SumAccumulator(column, type, name, dictionary)
    case 'avg':
      return new AverageAccumulator(column, type)
    case 'countDistinct':
      return new DistinctAccumulator(column, type, dictionary)
    case 'user': {
      const within = inputs.map((input) => columns.indexOf(input))
      return new UserAccumulator(spec, within, groupsOfRows(), dictionary, checksDeterminism(builder.dataflow))
    }
    default: {
      const groups = appendOnly ? null : groupsOfRows()
      return new ExtremeAccumulator(column, type, spec.op === 'max' ? 1 : -1, groups, columns.indexOf(column), dictionary)
    }
  }
}
