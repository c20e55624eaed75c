/**
 * Joins on equal keys, as SQL has them: inner, semi, anti, and left, right and full outer joins.
 *
 * Computes: pairs of rows with equal keys, where null equals nothing, not even null. An outer join adds the rows without a match,
 * with nulls for the other side. Outer joins are made of an inner join and an antijoin, an antijoin of a semijoin, and a semijoin is an
 * inner join with the different keys of the other side, so that all of them share the arrangements of both sides.
 * State: arrangements of both sides by key (shared); for semijoins and what is made of them also the different keys.
 * Times: total order.
 * Cost: see `join`; an outer join costs about three lookups a changed row.
 * Source: differential dataflow's join, semijoin and antijoin.
 *
 * @example
 *   leftJoin(accounts, perOwner, [['ownerId', 'ownerId']])
 */
import { bool, type ColumnType, nullable } from '../runtime/data/column-type.ts'
import { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { concat } from './concat.ts'
import { distinctKeys } from './distinct.ts'
import * as build from './expression/build.ts'
import type { HasNode } from './expression/compile.ts'
import { columnNode, type ExpressionNode, literalNode } from './expression/node.ts'
import { filter } from './filter.ts'
import { innerJoin } from './inner-join.ts'
import { negate } from './negate.ts'
import type { PlanNode } from './plan.ts'
import { positionsOf } from './plan-columns.ts'
import { select } from './select.ts'

/** Pairs of a left and a right column that must be equal. */
export type KeyPairs = readonly (readonly [string, string])[]
/** Expressions over both sides: column nodes have side 0 or 1. */
export type JoinProjection = Readonly<Record<string, HasNode>>

/**
 * Pairs of rows with equal keys. Without a projection: all columns of the left side, then those of the right that are no keys.
 * @throws MillraceError UNKNOWN_COLUMN, COLUMN_TYPE if keys can't be compared, DUPLICATE_NAME, CONFIG if there are no keys
 */
export function join(left: PlanNode, right: PlanNode, keys: KeyPairs, project: JoinProjection | null = null, origin = ''): PlanNode {
  const on = positions(left, right, keys)
  return innerJoin(left, matchable(left, right, on), on.left, on.right, project, origin)
}

/** The rows of the left side that some row of the right side matches, with their own multiplicities. */
export function semijoin(left: PlanNode, right: PlanNode, keys: KeyPairs, origin = ''): PlanNode {
  const on = positions(left, right, keys)
  const others = distinctKeys(matchable(left, right, on), on.right)
  const all = left.schema.names.map((name, i) => [name, { node: columnNode(name, left.schema.types[i]) }] as const)
  return innerJoin(
    left,
    others,
    on.left,
    on.right.map((_, i) => i),
    Object.fromEntries(all),
    origin,
  )
}

/** The rows of the left side that no row of the right side matches; those with a null key are among them. */
export function antijoin(left: PlanNode, right: PlanNode, keys: KeyPairs, origin = ''): PlanNode {
  return concat([left, negate(semijoin(left, right, keys, origin), origin)], origin)
}

/**
 * All rows of the left side, each with its matches or with nulls. The columns of the right side are nullable in the projection
 * (`nullableSchema`).
 */
export function leftJoin(left: PlanNode, right: PlanNode, keys: KeyPairs, project: JoinProjection | null = null, origin = ''): PlanNode {
  return outer(left, right, keys, project, { left: true, right: false }, origin)
}

/** All rows of the right side, each with its matches or with nulls. */
export function rightJoin(left: PlanNode, right: PlanNode, keys: KeyPairs, project: JoinProjection | null = null, origin = ''): PlanNode {
  return outer(left, right, keys, project, { left: false, right: true }, origin)
}

/** All rows of both sides, each with its matches or with nulls. */
export function outerJoin(left: PlanNode, right: PlanNode, keys: KeyPairs, project: JoinProjection | null = null, origin = ''): PlanNode {
  return outer(left, right, keys, project, { left: true, right: true }, origin)
}

/** The columns as the side of an outer join has them that may be missing. */
export function nullableSchema(schema: Schema): Schema {
  return new Schema(Object.fromEntries(schema.names.map((name, i) => [name, nullable(schema.types[i])])))
}

/** Which sides' rows are kept without a match; the other side's columns are null then. */
interface Kept {
  readonly left: boolean
  readonly right: boolean
}

function outer(left: PlanNode, right: PlanNode, keys: KeyPairs, project: JoinProjection | null, kept: Kept, origin: string): PlanNode {
  const nodes = Object.entries(project ?? usingKeys(left, right, keys, kept)).map(([name, { node }]) => [name, node] as const)
  const mapped = (fn: (node: ExpressionNode) => ExpressionNode) =>
    Object.fromEntries(nodes.map(([name, node]) => [name, { node: onColumns(node, fn) }]))
  const missing = [kept.right, kept.left]
  const widen = (node: ExpressionNode) => (missing[node.side ?? 0] ? widened(node, (node.side ?? 0) === 0 ? left : right) : node)
  const parts = [join(left, right, keys, mapped(widen), origin)]
  const alone = (node: PlanNode, side: 0 | 1) =>
    select(
      node,
      mapped((column) => {
        if ((column.side ?? 0) !== side) return literalNode(null, column.type)
        const own = missing[side] ? widened(column, node) : column
        return onColumns(own, ({ name, type }) => columnNode(name as string, type))
      }),
      origin,
    )
  if (kept.left) parts.push(alone(antijoin(left, right, keys, origin), 0))
  const turned = keys.map(([mine, theirs]) => [theirs, mine] as const)
  if (kept.right) parts.push(alone(antijoin(right, left, turned, origin), 1))
  return concat(parts, origin)
}

/** The columns of SQL's `using`: the keys that are there, then what is no key of both sides. */
function usingKeys(left: PlanNode, right: PlanNode, keys: KeyPairs, kept: Kept): JoinProjection {
  const column = (node: PlanNode, side: 0 | 1, name: string): ExpressionNode => {
    const type = node.schema.types[node.schema.indexOf(name)]
    return columnNode(name, (side === 0 ? kept.right : kept.left) ? nullable(type) : type, side)
  }
  const columns: Record<string, HasNode> = {}
  for (const name of left.schema.names) {
    const pair = keys.find(([mine]) => mine === name)
    const mine = column(left, 0, name)
    columns[name] = { node: pair === undefined || !kept.right ? mine : build.orElse(mine, { node: column(right, 1, pair[1]) }) }
  }
  for (const name of right.schema.names) {
    if (keys.some(([, theirs]) => theirs === name)) continue
    if (Object.hasOwn(columns, name)) {
      throw new MillraceError(
        'DUPLICATE_NAME',
        `Both sides have a column ${JSON.stringify(name)}.`,
        'Say with a projection what the rows of the join are.',
      )
    }
    columns[name] = { node: column(right, 1, name) }
  }
  return columns
}

/** A column that the projection takes for nullable, over a side where it may not be. */
function widened(column: ExpressionNode, side: PlanNode): ExpressionNode {
  const type = side.schema.types[side.schema.indexOf(column.name as string)] as ColumnType | undefined
  if (type === undefined || type.nullable || !column.type.nullable) return column
  const present = columnNode(column.name as string, type, column.side ?? 0)
  return { op: 'when', args: [literalNode(true, bool), present, literalNode(null, column.type)], type: column.type }
}

/** An expression with each of its columns replaced. */
function onColumns(node: ExpressionNode, fn: (column: ExpressionNode) => ExpressionNode): ExpressionNode {
  if (node.op === 'column') return fn(node)
  return node.args.length === 0 ? node : { ...node, args: node.args.map((arg) => onColumns(arg, fn)) }
}

interface Positions {
  readonly left: readonly number[]
  readonly right: readonly number[]
}

function positions(left: PlanNode, right: PlanNode, keys: KeyPairs): Positions {
  if (keys.length === 0) throw new MillraceError('CONFIG', 'A join needs a key.', 'Name the columns that must be equal.')
  return {
    left: positionsOf(
      left,
      keys.map(([mine]) => mine),
    ),
    right: positionsOf(
      right,
      keys.map(([, theirs]) => theirs),
    ),
  }
}

const withoutNulls = new WeakMap<PlanNode, Map<string, PlanNode>>()

/**
 * The right side without rows whose key is null, as far as the left side could match those; the same node for all joins, so
 * that they share its arrangement.
 */
export function matchable(left: PlanNode, right: PlanNode, on: Positions): PlanNode {
  const columns = on.right.filter((column, k) => right.schema.types[column].nullable && left.schema.types[on.left[k]].nullable)
  if (columns.length === 0) return right
  const nodes = withoutNulls.get(right) ?? new Map<string, PlanNode>()
  withoutNulls.set(right, nodes)
  const name = columns.join()
  const known = nodes.get(name)
  if (known !== undefined) return known
  const tests = columns.map((column) => build.nullTest('isNotNull', columnNode(right.schema.names[column], right.schema.types[column])))
  const node = filter(right, { node: tests.reduce((a, b) => build.logic('and', a, { node: b })) }, right.origin)
  nodes.set(name, node)
  return node
}
