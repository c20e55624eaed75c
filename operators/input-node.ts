/** The plan's node of an input: its rows, and the rows of its source that could not be decoded. */
import { errorSchema } from '../runtime/data/error-schema.ts'
import { invariant } from '../runtime/error.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { ArrangeOperator } from './arrange.ts'
import type { Builder } from './builder.ts'
import { identifyErrors } from './error-identity.ts'
import { InputOperator } from './input.ts'
import { type InputDefinition, KeyedTableDefinition } from './input-definition.ts'
import type { Built, PlanNode } from './plan.ts'
import { checksRemovals, RemovalCheckOperator } from './removal-check.ts'
import { KeyedInputOperator, UpsertOperator } from './upsert.ts'

export interface InputNode extends PlanNode {
  readonly kind: 'input'
  readonly name: string
  readonly definition: InputDefinition
}

/** What a worker made of an input: where rows enter, and where what could not be decoded does. */
export interface BuiltInput extends Built {
  readonly input: InputOperator | KeyedInputOperator
  readonly rejected: InputOperator
}

export function inputNode(name: string, definition: InputDefinition, origin = ''): InputNode {
  return {
    kind: 'input',
    name,
    definition,
    inputs: [],
    schema: definition.schema,
    parameters: { name, kind: definition.kind },
    origin,
    depth: 0,
    appendOnly: definition.kind === 'stream',
    build: (builder: Builder): BuiltInput => {
      const { dataflow } = builder
      const rejected = new InputOperator(dataflow, `${name} rejected`, errorSchema)
      identifyErrors(rejected, { operator: 'input', origin: name })
      const errors = new Set([streamOf(rejected, errorSchema)])
      if (!(definition instanceof KeyedTableDefinition)) {
        const input = new InputOperator(dataflow, name, definition.schema)
        const rows = streamOf(input, definition.schema)
        if (definition.kind === 'table' && checksRemovals(dataflow)) errors.add(removals(name, rows))
        return { rows, errors, input, rejected }
      }
      const input = new KeyedInputOperator(dataflow, name, definition.schema)
      const columns = definition.key.map((column: string) => definition.schema.indexOf(column))
      const commands = builder.exchange(streamOf(input, input.commandSchema), columns)
      const rows = new UpsertOperator(commands, `${name} upsert`, definition.schema, columns)
      return { rows: streamOf(rows, definition.schema), errors, input, rejected }
    },
  }
}

/** The errors of rows that are removed more often than inserted. */
function removals(name: string, rows: Stream): Stream {
  const all = rows.schema.types.map((_, column) => column)
  const { types } = rows.schema
  const arrangement = new ArrangeOperator(rows, all, types, rows.operator.dataflow.keyTable(types))
  return new RemovalCheckOperator(arrangement, name, rows).errors.stream
}

/** What `builder` made of an input. */
export function builtInput(builder: Builder, node: InputNode): BuiltInput {
  const built = builder.of(node)
  invariant('input' in built, `input ${node.name} was built as an input`)
  return built as BuiltInput
}
