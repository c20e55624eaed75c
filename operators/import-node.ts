/** The plan's node of an imported index. */

import type { Columns } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Builder } from './builder.ts'
import type { ImportedDefinition } from './import-definition.ts'
import type { Built, PlanNode } from './plan.ts'

export interface ImportNode extends PlanNode {
  readonly kind: 'import'
  readonly name: string
  readonly definition: ImportedDefinition<Columns, string>
}

export function importNode(name: string, definition: ImportedDefinition<Columns, string>, origin = ''): ImportNode {
  const node: ImportNode = {
    kind: 'import',
    name,
    definition,
    inputs: [],
    schema: definition.schema,
    parameters: { name, key: definition.key },
    origin,
    depth: 0,
    build: (builder: Builder): Built => {
      const found = builder.imports.get(node)
      if (found === undefined) throw notGiven(name)
      return { rows: found.rows(), errors: found.errors }
    },
  }
  return node
}

export function notGiven(name: string): MillraceError {
  return new MillraceError(
    'CONFIG',
    `The job imports ${JSON.stringify(name)}, which it is not given.`,
    `Name the app beside which it runs, and its output: embed(job, { beside: app, imports: { ${name}: app.outputs.x } }).`,
  )
}
