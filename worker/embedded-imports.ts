/** How an embedded job gets at the indexes of the apps beside which it runs. */
import type { Arrangement } from '../operators/arrangement.ts'
import type { ArrangementReader } from '../operators/arrangement-reader.ts'
import { ImportArrangementOperator } from '../operators/import-arrangement.ts'
import type { ImportedDefinition } from '../operators/import-definition.ts'
import { type ImportErrorsOperator, importErrors } from '../operators/import-errors.ts'
import { type ImportNode, notGiven } from '../operators/import-node.ts'
import type { PlanNode } from '../operators/plan.ts'
import { type RowOf, type Schema, typeName } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { KeyedOutput } from './embedded-outputs.ts'
import type { EnginePart } from './engine-part.ts'

type ImportOf<D> = D extends ImportedDefinition<infer C, infer K> ? KeyedOutput<RowOf<C>, Pick<RowOf<C>, K>> : never

/** For each import of a job the output that it is: of the same columns, and kept by the same key. */
export type ImportsOf<I> = {
  readonly [N in keyof I as I[N] extends { readonly kind: 'imported' } ? N : never]: ImportOf<I[N]>
}

/** What another job can import. */
export interface Exported {
  readonly part: EnginePart
  readonly name: string
  readonly arrangement: Arrangement
  /** With the names of the output. */
  readonly schema: Schema
  /** Where the output's errors come from, and the index of those that are there. */
  readonly errors: ReadonlySet<Stream>
  readonly told: ArrangementReader
}

const exportsOf = new WeakMap<object, Exported>()

export function registerExport(handle: object, exported: Exported): void {
  exportsOf.set(handle, exported)
}

export function withdrawExport(handle: object): void {
  exportsOf.delete(handle)
}

/**
 * Ties a part to those from which it imports, as of the last complete time; -1 if there is none.
 * @throws MillraceError CONFIG for an import that is missing, or an output of another engine or key; COLUMN_TYPE; UNKNOWN_NAME
 */
export function linkImports(
  part: EnginePart,
  nodes: Readonly<Record<string, ImportNode>>,
  given: Readonly<Record<string, object>>,
  beside: readonly EnginePart[],
  time: number,
): Map<PlanNode, ImportArrangementOperator> {
  const { dataflow } = part
  const linked = new Map<PlanNode, ImportArrangementOperator>()
  const errors = new Map<Stream, ImportErrorsOperator>()
  for (const name of Object.keys(given)) {
    if (name in nodes) continue
    throw new MillraceError(
      'UNKNOWN_NAME',
      `The job ${part.name} has no import ${JSON.stringify(name)} (${Object.keys(nodes).join(', ')}).`,
    )
  }
  for (const [name, node] of Object.entries(nodes)) {
    const handle = given[name]
    if (handle === undefined) throw notGiven(name)
    const exported = exportsOf.get(handle)
    if (exported === undefined || !beside.includes(exported.part)) {
      throw new MillraceError(
        'CONFIG',
        `The import ${JSON.stringify(name)} of ${part.name} is no output of an app beside it that is kept by a key.`,
        'Make the output with .keyBy(...), and name its app as `beside`, or one that runs beside that.',
      )
    }
    checkColumns(`The import ${JSON.stringify(name)} of ${part.name}`, node, exported)
    const made = errors.size
    if (time >= 0) exported.part.completeErrors(time)
    const streams = importErrors(dataflow, exported.errors, time < 0 ? null : exported.told.readAll(time), errors)
    part.importedErrors.push(...[...errors.values()].slice(made))
    const operator = new ImportArrangementOperator(dataflow, exported.arrangement, exported.schema.names, name, node.schema, streams)
    part.imports.push(operator)
    part.exporters.add(exported.part)
    linked.set(node, operator)
  }
  return linked
}

function checkColumns(what: string, node: ImportNode, { part, name, arrangement, schema }: Exported): void {
  const described = (schema: Schema): string => schema.names.map((column, i) => `${column}: ${typeName(schema.types[i])}`).join(', ')
  const sorted = (schema: Schema): string =>
    schema.names
      .map((column, i) => JSON.stringify([column, typeName(schema.types[i])]))
      .sort()
      .join()
  if (sorted(node.schema) !== sorted(schema)) {
    throw new MillraceError(
      'COLUMN_TYPE',
      `${what} has the columns { ${described(node.schema)} }, but ${part.name}.outputs.${name} has { ${described(schema)} }.`,
      'Declare the import with the columns of the output.',
    )
  }
  const key = arrangement.keyColumns.map((column) => schema.names[column])
  if (key.join() === node.definition.key.join()) return
  throw new MillraceError(
    'CONFIG',
    `${what} has the key [${node.definition.key.join(', ')}], but ${part.name}.outputs.${name} is kept by [${key.join(', ')}].`,
    'Declare the import with the key of the output; a join on other columns makes an index of its own.',
  )
}
