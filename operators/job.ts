/** A job: typed inputs, a dataflow over them, typed outputs. It is a description; hosts run it, any number of times. */
import { type Columns, Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { Collection } from './collection.ts'
import { ImportedDefinition } from './import-definition.ts'
import { type ImportNode, importNode } from './import-node.ts'
import { IndexedOutput } from './indexed-output.ts'
import type { InputDefinition, InputDefinitions, KeyedTableDefinition, StreamDefinition, TableDefinition } from './input-definition.ts'
import { type InputNode, inputNode } from './input-node.ts'
import { originOf } from './origin.ts'
import { Changelog, Probed } from './output-definition.ts'
import type { Lookup, PlanNode } from './plan.ts'

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
  const wrong = (what: string, hint: string): MillraceError =>
    new MillraceError('CONFIG', `${origin}  job('${String(name)}')\n  ${what}`, hint)
  if (typeof name !== 'string' || typeof inputs !== 'object' || inputs === null || typeof define !== 'function')
    throw wrong('A job is a name, inputs, and a function.', "Write job('name', { orders: table(...) }, ({ orders }) => ({ ... })).")
  const nodes: Record<string, InputNode> = {}
  const imports: Record<string, ImportNode> = {}
  const collections: Record<string, Collection<Columns>> = {}
  for (const [inputName, definition] of Object.entries<InputDefinition>(inputs)) {
    if (!(definition?.schema instanceof Schema))
      throw wrong(`Input ${JSON.stringify(inputName)} is no table and no stream.`, 'Write table({ ... }).')
    if (definition instanceof ImportedDefinition) imports[inputName] = importNode(inputName, definition, origin)
    else nodes[inputName] = inputNode(inputName, definition, origin)
    collections[inputName] = new Collection(imports[inputName] ?? nodes[inputName], inputName)
  }
  const outputs = define(guarded(collections, 'input') as InputCollections<I>)
  if (typeof outputs !== 'object' || outputs === null || outputs instanceof Promise || OUTPUTS.some((kind) => outputs instanceof kind))
    throw wrong('What the function returns are no outputs by name.', 'Return an object of collections: ({ orders }) => ({ orders }).')
  const own = new Set<PlanNode>([...Object.values(nodes), ...Object.values(imports)])
  for (const [outputName, output] of Object.entries<unknown>(outputs)) {
    const named = `Output ${JSON.stringify(outputName)}`
    if (!OUTPUTS.some((kind) => output instanceof kind))
      throw wrong(`${named} is no collection.`, 'Return collections, what keyBy(), changelog() or probe() gives, and nothing else.')
    const { node } = output as OutputDefinition
    if (node.depth > 0) throw wrong(`${named} is inside a loop.`, 'Return what iterate() gives.')
    const foreign = foreignInput(node, own)
    if (foreign !== null)
      throw wrong(`${named} reads ${JSON.stringify(foreign)}, an input of another job.`, 'Make it an input of this job.')
  }
  return new Job(name, inputs, outputs, nodes, imports)
}

/** The name of an input that is not among a job's own. */
function foreignInput(node: PlanNode, own: ReadonlySet<PlanNode>, seen = new Set<PlanNode>()): string | null {
  if (own.has(node) || seen.has(node)) return null
  seen.add(node)
  if (node.kind === 'input' || node.kind === 'import') return (node as InputNode | ImportNode).name
  for (const input of node.inputs) {
    const foreign = foreignInput(input, own, seen)
    if (foreign !== null) return foreign
  }
  return null
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
