/** The plan's node of an inner join: rows of two collections with equal keys, side by side or projected. */
import { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { streamOf } from '../runtime/graph/stream.ts'
import type { Arrangement } from './arrangement.ts'
import type { Builder } from './builder.ts'
import type { HasNode } from './expression/compile.ts'
import { columnNode, type ExpressionNode } from './expression/node.ts'
import type { GeneralArrangeOperator } from './general-arrange.ts'
import { GeneralJoinOperator } from './general-join.ts'
import { JoinOperator } from './join.ts'
import type { JoinColumn } from './join-kernel.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { sameDepth } from './plan-columns.ts'
import { select } from './select.ts'

/** A column of a join's output. */
export interface JoinPick {
  readonly name: string
  readonly side: 'left' | 'right'
  /** Position in that side's schema. */
  readonly column: number
}

/**
 * Pairs of rows with equal keys. Without a projection: all columns of the left side, then those of the right that are no keys.
 * @param leftKeys positions of the key columns in the left schema; `rightKeys` those they must equal, in the same order
 * @throws MillraceError DUPLICATE_NAME when both sides have a column of one name that is no key and no projection is given
 */
export function innerJoin(
  left: PlanNode,
  right: PlanNode,
  leftKeys: readonly number[],
  rightKeys: readonly number[],
  projection: Readonly<Record<string, HasNode>> | null,
  origin = '',
): PlanNode {
  if (projection === null) return pickJoin(left, right, leftKeys, rightKeys, allColumns(left, right, rightKeys), origin)
  const picks = plainPicks(left, right, projection)
  if (picks !== null) return pickJoin(left, right, leftKeys, rightKeys, picks, origin)
  const needed = new Map<string, JoinPick>()
  const rewritten: Record<string, HasNode> = {}
  for (const [name, { node }] of Object.entries(projection)) rewritten[name] = { node: onJoined(node, left, right, needed) }
  if (needed.size === 0) needed.set('', { name: '', side: 'left', column: leftKeys[0] })
  return select(pickJoin(left, right, leftKeys, rightKeys, [...needed.values()], origin), rewritten, origin)
}

function allColumns(left: PlanNode, right: PlanNode, rightKeys: readonly number[]): JoinPick[] {
  const picks: JoinPick[] = left.schema.names.map((name, column) => ({ name, side: 'left', column }))
  right.schema.names.forEach((name, column) => {
    if (rightKeys.includes(column)) return
    if (left.schema.indexOf(name) >= 0) {
      throw new MillraceError(
        'DUPLICATE_NAME',
        `Both sides have a column ${JSON.stringify(name)}.`,
        'Say what the rows of the join are: .join(other, keys, (mine, theirs) => ({ ... })).',
      )
    }
    picks.push({ name, side: 'right', column })
  })
  return picks
}

/** The columns of a projection that only picks columns, else null. */
function plainPicks(left: PlanNode, right: PlanNode, projection: Readonly<Record<string, HasNode>>): JoinPick[] | null {
  const picks: JoinPick[] = []
  for (const [name, { node }] of Object.entries(projection)) {
    if (node.op !== 'column') return null
    picks.push({ ...sideOf(node, left, right), name })
  }
  return picks.length === 0 ? null : picks
}

function sideOf(node: ExpressionNode, left: PlanNode, right: PlanNode): JoinPick {
  const side = node.side === 1 ? 'right' : 'left'
  const name = node.name as string
  const column = (side === 'left' ? left : right).schema.indexOf(name)
  if (column < 0) throw new MillraceError('UNKNOWN_COLUMN', `The ${side} side of the join has no column ${JSON.stringify(name)}.`)
  return { name, side, column }
}

/** An expression over both sides as one over the joined rows; notes the columns that it needs. */
function onJoined(node: ExpressionNode, left: PlanNode, right: PlanNode, needed: Map<string, JoinPick>): ExpressionNode {
  if (node.op === 'column') {
    const pick = sideOf(node, left, right)
    const name = `${pick.side}.${pick.name}`
    needed.set(name, { ...pick, name })
    return columnNode(name, node.type)
  }
  if (node.args.length === 0) return node
  return { ...node, args: node.args.map((arg) => onJoined(arg, left, right, needed)) }
}

function pickJoin(
  left: PlanNode,
  right: PlanNode,
  leftKeys: readonly number[],
  rightKeys: readonly number[],
  picks: readonly JoinPick[],
  origin: string,
): PlanNode {
  const schema = new Schema(
    Object.fromEntries(picks.map(({ name, side, column }) => [name, (side === 'left' ? left : right).schema.types[column]])),
  )
  const valuesOf = (wanted: 'left' | 'right') => picks.filter(({ side }) => side === wanted).map(({ column }) => column)
  return {
    kind: 'join',
    inputs: [left, right],
    schema,
    parameters: { leftKeys, rightKeys, picks },
    origin,
    lookups: [
      { node: left, columns: leftKeys, values: valuesOf('left') },
      { node: right, columns: rightKeys, values: valuesOf('right') },
    ],
    depth: sameDepth([left, right]),
    // Never appendOnly: pairs with a batch that a head holds too early are taken back within the same time.
    build: (builder: Builder): Built => {
      const errors = errorsOf([builder.of(left), builder.of(right)])
      const { region, depth } = builder.of(left).rows
      if (region !== null) {
        const sides = { left: builder.generalArrange(left, leftKeys), right: builder.generalArrange(right, rightKeys) }
        const columns = picks.map(({ side, column }) => joinColumn(sides[side], side, column))
        return { rows: streamOf(new GeneralJoinOperator(sides.left, sides.right, schema, columns), schema, region, depth), errors }
      }
      const sides = { left: builder.arrange(left, leftKeys, valuesOf('left')), right: builder.arrange(right, rightKeys, valuesOf('right')) }
      const columns = picks.map(({ side, column }) => joinColumn(sides[side], side, column))
      const operator = new JoinOperator(sides.left, sides.right, schema, columns)
      return { rows: streamOf(operator, schema), errors }
    },
  }
}

/** Where the words of a column are in an arrangement. */
function joinColumn(arrangement: Arrangement | GeneralArrangeOperator, side: 'left' | 'right', column: number): JoinColumn {
  const { valueColumns, keyColumns, keyTypes, input } = arrangement
  const type = input.schema.types[column]
  const wordsFrom = (first: number): number[] => Array.from({ length: type.width }, (_, i) => first + i)
  const value = valueColumns.indexOf(column)
  if (value >= 0) return { side, words: wordsFrom(valueColumns.slice(0, value).reduce((sum, c) => sum + input.schema.widths[c], 0)) }
  const key = keyColumns.indexOf(column)
  const keyType = keyTypes[key]
  const words = wordsFrom(keyTypes.slice(0, key).reduce((sum, { width }) => sum + width, 0))
  // The null flag is the last word of either.
  if (type.nullable) words[type.width - 1] = words[0] + keyType.width - 1
  return { side: 'key', words }
}
