/** Names of columns in a plan to positions and schemas, with errors that help. */
import type { ColumnType } from '../runtime/data/column-type.ts'
import { type Columns, Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { unknownColumn } from './expression/proxy-row.ts'
import type { PlanNode } from './plan.ts'

/**
 * Positions of columns by name.
 * @throws MillraceError UNKNOWN_COLUMN, DUPLICATE_NAME
 */
export function positionsOf(node: PlanNode, names: readonly string[]): number[] {
  return names.map((name, i) => {
    const position = node.schema.indexOf(name)
    if (position < 0) throw unknownColumn(node.schema, 'the rows here', name)
    if (names.indexOf(name) !== i) throw new MillraceError('DUPLICATE_NAME', `column ${JSON.stringify(name)} is named twice`)
    return position
  })
}

/** Some columns of a node, as a record of types. */
export function columnsAt(node: PlanNode, positions: readonly number[]): Columns {
  return Object.fromEntries(positions.map((at) => [node.schema.names[at] as string, node.schema.types[at] as ColumnType]))
}

/**
 * Columns side by side.
 * @throws MillraceError DUPLICATE_NAME if two have one name
 */
export function joinedColumns(left: Columns, right: Columns): Columns {
  for (const name of Object.keys(right)) {
    if (Object.hasOwn(left, name)) {
      throw new MillraceError('DUPLICATE_NAME', `both sides have a column ${JSON.stringify(name)}`, 'Give one of them another name.')
    }
  }
  return { ...left, ...right }
}

/** The schema that all nodes have in common; names, order and types must be the same. */
export function sameSchema(nodes: readonly PlanNode[]): Schema {
  const first = (nodes[0] as PlanNode).schema
  for (const node of nodes) {
    if (node.schema.signature !== first.signature) {
      throw new MillraceError(
        'COLUMN_TYPE',
        `collections of different columns are put together: (${first.signature}) and (${node.schema.signature})`,
        'Bring them to the same columns in the same order with select() first.',
      )
    }
  }
  return first
}

/** The depth of all nodes. */
export function sameDepth(nodes: readonly PlanNode[]): number {
  const depth = (nodes[0] as PlanNode).depth
  for (const node of nodes) {
    if (node.depth === depth) continue
    throw new MillraceError('CONFIG', 'collections inside and outside a loop meet', 'Bring those from outside in with enter(collection).')
  }
  return depth
}

export function schemaOf(columns: Columns): Schema {
  return new Schema(columns)
}
