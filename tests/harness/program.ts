/** A scenario's program: the job, and what each of its collections is by definition. */
import { Collection } from '../../operators/collection.ts'
import { stream, table } from '../../operators/input-definition.ts'
import { type InputNode, inputNode } from '../../operators/input-node.ts'
import { Job } from '../../operators/job.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { add, type Multiset, type Row } from '../oracle/multiset.ts'
import { Numbers, nameOfColumn, type Source, TooLarge } from './family.ts'
import { keyedFamilies, keyText } from './keyed-families.ts'
import { loopFamilies } from './loop-families.ts'
import { relationalFamilies } from './relational-families.ts'
import type { ChangeSpec, InputSpec, Scenario } from './scenario.ts'
import { statelessFamilies } from './stateless-families.ts'
import { paletteOf, rowOf } from './values.ts'

export const families = { ...statelessFamilies, ...keyedFamilies, ...loopFamilies, ...relationalFamilies }

/** Contents with more rows or higher multiplicities than these say nothing more, and take long. */
const MAX_ROWS = 3_000
const MAX_MULTIPLICITY = 1_000_000

export interface Program {
  readonly job: Job<never, never>
  readonly sources: readonly Source[]
  /** Positions of the outputs. */
  readonly outputs: readonly number[]
}

export function inputName(position: number): string {
  return `in${position}`
}

export function outputName(position: number): string {
  return `out${position}`
}

function definitionOf({ kind, types }: InputSpec) {
  const columns: Columns = Object.fromEntries(types.map((type, i) => [nameOfColumn(i), paletteOf(type).type]))
  if (kind === 'stream') return stream(columns)
  return kind === 'table' ? table(columns) : table(columns, { key: nameOfColumn(0) })
}

export function programOf(scenario: Scenario): Program {
  const nodes: Record<string, InputNode> = {}
  const definitions: Record<string, unknown> = {}
  const sources: Source[] = scenario.inputs.map((input, at) => {
    const definition = definitionOf(input)
    const name = inputName(at)
    definitions[name] = definition
    nodes[name] = inputNode(name, definition)
    return { at, node: nodes[name], proper: true, define: (contents) => ({ rows: contents[at], errors: 0 }) }
  })
  for (const { family, args } of scenario.operators) {
    const at = sources.length
    const last = sources[at - 1]
    const made = families[family as keyof typeof families](new Numbers(args), sources)
    // A family that can make nothing of what there is passes its predecessor on, so that positions stay what they are.
    sources.push(made === null ? { ...last, at, define: (contents) => ({ rows: contents[last.at], errors: 0 }) } : { ...made, at })
  }
  const outputs: Record<string, unknown> = {}
  const used = scenario.outputs.map((output) => output % sources.length)
  used.forEach((at, i) => {
    const { node } = sources[at]
    const collection = new Collection(node, outputName(i))
    outputs[outputName(i)] = i % 3 === 0 ? collection : i % 3 === 1 ? collection.keyBy(node.schema.names[0]) : collection.changelog()
  })
  return { job: new Job('random', definitions as never, outputs as never, nodes) as Job<never, never>, sources, outputs: used }
}

/** What the inputs hold, change by change. */
export class Inputs {
  readonly contents: Multiset[]
  private readonly specs: readonly InputSpec[]
  private readonly byKey: Map<string, Row>[]

  constructor(specs: readonly InputSpec[]) {
    this.specs = specs
    this.contents = specs.map(() => new Map())
    this.byKey = specs.map(() => new Map())
  }

  apply({ input, values, diff }: ChangeSpec): void {
    const { kind, types } = this.specs[input]
    const row = rowOf(types, values)
    const content = this.contents[input]
    if (kind !== 'keyed') {
      add(content, row, diff)
      return
    }
    const rows = this.byKey[input]
    const key = keyText(row[nameOfColumn(0)], paletteOf(types[0]).type)
    const old = rows.get(key)
    if (old !== undefined) add(content, old, -1)
    rows.delete(key)
    if (diff <= 0) return
    rows.set(key, row)
    add(content, row, 1)
  }
}

/** The contents of the outputs by definition, and how many errors there are on the way to them. Throws TooLarge. */
export function evaluate(
  { sources, outputs }: Program,
  inputs: readonly Multiset[],
  time: number,
): { outputs: Multiset[]; errors: number } {
  const known: (Multiset | undefined)[] = inputs.map((input) => new Map(input))
  let errors = 0
  const contentOf = (at: number): Multiset => {
    const content = known[at]
    if (content !== undefined) return content
    const defined = sources[at].define(contents, time)
    known[at] = defined.rows
    errors += defined.errors
    if (defined.rows.size > MAX_ROWS) throw new TooLarge()
    for (const { count } of defined.rows.values()) if (Math.abs(count) > MAX_MULTIPLICITY) throw new TooLarge()
    return defined.rows
  }
  // Only what the outputs need is built, so only that is evaluated.
  const contents = new Proxy([], { get: (_, at) => contentOf(Number(at)) }) as readonly Multiset[]
  return { outputs: outputs.map(contentOf), errors }
}
