/** A job: typed inputs, a dataflow over them, typed outputs. It is a description; hosts run it, any number of times. */
import type { Columns } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { Collection } from './collection.ts'
import { ImportedDefinition } from './import-definition.ts'
import { type ImportNode, importNode } from './import-node.ts'
import { IndexedOutput } from './indexed-output.ts'
import type { InputDefinition, InputDefinitions, KeyedTableDefinition, StreamDefinition, TableDefinition } from './input-definition.ts'
import { type InputNode, inputNode } from './input-node.ts'
import { originOf } from './origin.ts'
import { Changelog, Probed } from './output-definition.ts'
import type { Lookup } from './plan.ts'

/** A result of a job: kept as rows, kept by a key, given away as changes, or only how far it is. */
export type OutputDefinition = Collection<Columns> | IndexedOutput<Columns, string> | Changelog<Columns> | Probed
export type OutputDefinitions = { readonly [name: string]: OutputDefinition }

/** The columns that an output's rows are kept by; null if it keeps none. */
export function keptBy(output: OutputDefinition): readonly number[] | null {
  if (output instanceof Changelog || output instanceof Probed) return null
  return output instanceof IndexedOutput ? output.keyColumns : output.node.schema.names.map((_, column) => column)
}

/** The lookups that the readers of a job's outputs make. */
export function outputLookups(outputs: OutputDefinitions): Lookup[] {
  return Object.values<OutputDefinition>(outputs).flatMap((output) => {
    const columns = keptBy(output)
    return columns === null ? [] : [{ node: output.node, columns }]
  })
}

/** The columns of an input's rows. */
type ColumnsOf<D> = D extends TableDefinition<infer C> | StreamDefinition<infer C>
  ? C
  : D extends KeyedTableDefinition<infer C, string>
    ? C
    : D extends ImportedDefinition<infer C, string>
      ? C
      : never

/** What `define` gets: a collection for each input. */
export type InputCollections<I extends InputDefinitions> = { readonly [N in keyof I]: Collection<ColumnsOf<I[N]>> }

export class Job<I extends InputDefinitions, O extends OutputDefinitions> {
  readonly name: string
  readonly inputs: I
  readonly outputs: O
  readonly inputNodes: Readonly<Record<string, InputNode>>
  /** Indexes of other jobs. */
  readonly importNodes: Readonly<Record<string, ImportNode>>

  constructor(
    name: string,
    inputs: I,
    outputs: O,
    inputNodes: Readonly<Record<string, InputNode>>,
    importNodes: Readonly<Record<string, ImportNode>> = {},
  ) {
    this.name = name
    this.inputs = inputs
    this.outputs = outputs
    this.inputNodes = inputNodes
    this.importNodes = importNodes
  }
}

const OUTPUTS = [Collection, IndexedOutput, Changelog, Probed]

/**
 * Describes a job. `define` is called once, now; mistakes in it throw here.
 * @param inputs tables and streams by name
 * @param define makes the outputs, by name, from the inputs' collections
 * @throws MillraceError naming the line and the call
 */
export function job<I extends InputDefinitions, O extends OutputDefinitions>(
  name: string,
  inputs: I,
  define: (inputs: InputCollections<I>) => O,
): Job<I, O> {
  const origin = originOf(job)
  const nodes: Record<string, InputNode> = {}
  const imports: Record<string, ImportNode> = {}
  const collections: Record<string, Collection<Columns>> = {}
  for (const [inputName, definition] of Object.entries<InputDefinition>(inputs)) {
    if (definition instanceof ImportedDefinition) imports[inputName] = importNode(inputName, definition, origin)
    else nodes[inputName] = inputNode(inputName, definition, origin)
    collections[inputName] = new Collection(imports[inputName] ?? nodes[inputName], inputName)
  }
  const outputs = define(guarded(collections, 'input') as InputCollections<I>)
  for (const [outputName, output] of Object.entries<unknown>(outputs)) {
    if (OUTPUTS.some((kind) => output instanceof kind)) continue
    throw new MillraceError('CONFIG', `${origin}  output ${JSON.stringify(outputName)} of job ${name} is no collection.`)
  }
  return new Job(name, inputs, outputs, nodes, imports)
}

/** A record that says which names it has when asked for another. */
export function guarded<T extends object>(record: T, what: string): T {
  return new Proxy(record, {
    get(target, name, receiver) {
      if (typeof name === 'symbol' || name in target || PROBED.has(name)) return Reflect.get(target, name, receiver)
      throw new MillraceError('UNKNOWN_NAME', `There is no ${what} ${JSON.stringify(name)} (${Object.keys(target).join(', ')}).`)
    },
  })
}

/** Names that JavaScript itself and tools look up on any object. */
const PROBED = new Set(['then', 'toJSON', 'asymmetricMatch', '$$typeof', 'nodeType'])
