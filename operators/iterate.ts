/**
 * iterate: a body that is applied again and again, until nothing changes any more, at every time.
 *
 * Computes: for each variable the fixed point of the body that is reached from its initial rows: iteration i + 1 starts from the
 * results of iteration i. Iterations nest; several variables can depend on each other.
 * State: that of the body's operators, which keep when (in which iteration) each row came and went.
 * Times: partial order; a change at a later outer time runs only what it changes of each iteration.
 * Cost: that of the changes of all iterations. A body that does not settle stops after `maxIterations`, and the rows
 * that would have changed again are errors.
 * Source: differential dataflow (CIDR 2013).
 *
 * @example
 *   iterate(roots, (reached, enter) =>
 *     distinct(concat([enter(roots), innerJoin(enter(edges), reached, [0], [0], { node: edges.dst })])))
 */
import { MillraceError } from '../runtime/error.ts'
import type { Region } from '../runtime/graph/region.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { consolidate } from './consolidate.ts'
import type { ErrorOutlet } from './error-outlet.ts'
import { entered, left } from './loop-border.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { ThresholdOperator } from './threshold-operator.ts'
import { VariableOperator } from './variable.ts'

/** Loops nest at most this deep. */
export const MAX_NESTING = 3
/** Iterations after which a loop is stopped unless it says otherwise. */
export const DEFAULT_MAX_ITERATIONS = 10_000

export interface IterateOptions {
  /** Applications of the body at most; more is an error for each row that still changes. 1 to 2^30. */
  readonly maxIterations?: number
}

/** Brings a collection from outside into the loop. */
export type Enter = (outer: PlanNode) => PlanNode

/** The plan's side of one loop. */
interface Scope {
  readonly depth: number
  readonly maxIterations: number
  readonly origin: string
  /** Inside by outside. */
  readonly entered: Map<PlanNode, PlanNode>
  readonly variables: { readonly node: PlanNode; result: PlanNode | null }[]
  /** What each builder made of the variables, and of all errors of the loop. */
  readonly operators: WeakMap<Builder, Map<PlanNode, VariableOperator>>
  readonly errors: WeakMap<Builder, ReadonlySet<Stream>>
}

/** The scope that a node of kind enter or variable is in, and the one that a leave node comes out of. */
const scopes = new WeakMap<PlanNode, Scope>()

/** Kinds whose output at each time is summed up. */
const CONSOLIDATED = new Set(['distinct', 'threshold', 'aggregate', 'reduce', 'topK', 'consolidate'])

/** One variable; see `iterateAll`. */
export function iterate(
  initial: PlanNode,
  body: (variable: PlanNode, enter: Enter) => PlanNode,
  options: IterateOptions = {},
  origin = '',
): PlanNode {
  return iterateAll({ result: initial }, ({ result }, enter) => ({ result: body(result, enter) }), options, origin).result
}

/**
 * Several variables, by name: their initial rows outside the loop, and a body that gives a result for each. Everything
 * else that the body uses is brought in by its second argument.
 * @returns the final rows by name, outside the loop
 * @throws MillraceError CONFIG if a collection of another scope is used, COLUMN_TYPE if a result has other columns than its variable
 */
export function iterateAll<N extends string>(
  initials: Readonly<Record<N, PlanNode>>,
  body: (variables: Readonly<Record<N, PlanNode>>, enter: Enter) => Readonly<Record<N, PlanNode>>,
  options: IterateOptions = {},
  origin = '',
): Record<N, PlanNode> {
  const { maxIterations = DEFAULT_MAX_ITERATIONS } = options
  const names = Object.keys(initials) as N[]
  if (names.length === 0) throw new MillraceError('CONFIG', 'iterate() needs a variable')
  if (!(Number.isInteger(maxIterations) && maxIterations >= 1 && maxIterations <= 1 << 30))
    throw new MillraceError('CONFIG', `maxIterations is ${maxIterations}`, 'It is a whole number from 1 to 2^30.')
  const outerDepth = initials[names[0]].depth
  if (outerDepth >= MAX_NESTING) throw new MillraceError('CONFIG', `loops nest at most ${MAX_NESTING} deep`)
  const scope: Scope = {
    depth: outerDepth + 1,
    maxIterations,
    origin,
    entered: new Map(),
    variables: [],
    operators: new WeakMap(),
    errors: new WeakMap(),
  }
  const enter = (outer: PlanNode): PlanNode => enterNode(scope, outer)
  const variables = Object.fromEntries(names.map((name) => [name, variableNode(scope, enter(initials[name]), name)])) as Record<N, PlanNode>
  const results = body(variables, enter)
  names.forEach((name, i) => {
    const result = results[name]
    const { schema } = initials[name]
    if (result === undefined) throw new MillraceError('CONFIG', `the body of iterate() gives no ${JSON.stringify(name)}`)
    if (result.schema.signature !== schema.signature) {
      throw new MillraceError(
        'COLUMN_TYPE',
        `an iteration starts with (${schema.signature}) and results in (${result.schema.signature})`,
        'Bring the result of the body to the columns that it started with, in their order.',
      )
    }
    scope.variables[i].result = CONSOLIDATED.has(result.kind) ? result : consolidate(result, origin)
  })
  checkScope(scope)
  return Object.fromEntries(names.map((name, i) => [name, leaveNode(scope, i, name)])) as Record<N, PlanNode>
}

function enterNode(scope: Scope, outer: PlanNode): PlanNode {
  let node = scope.entered.get(outer)
  if (node !== undefined) return node
  if (outer.depth !== scope.depth - 1) throw wrongScope(outer, 'enter() takes a collection of the scope just around the loop.')
  node = {
    kind: 'enter',
    inputs: [outer],
    schema: outer.schema,
    parameters: {},
    origin: scope.origin,
    depth: scope.depth,
    build: (builder: Builder): Built => {
      const { rows, errors } = builder.of(outer)
      return { rows: entered(rows, rows.region ?? builder.regionOf(scope)), errors }
    },
  }
  scope.entered.set(outer, node)
  scopes.set(node, scope)
  return node
}

function variableNode(scope: Scope, source: PlanNode, name: string): PlanNode {
  const { depth, maxIterations, origin } = scope
  const node: PlanNode = {
    kind: 'variable',
    inputs: [source],
    schema: source.schema,
    parameters: { name, maxIterations },
    origin,
    depth,
    build: (builder: Builder): Built => {
      const { rows, errors } = builder.of(source)
      const region = rows.region as Region
      const operator = new VariableOperator(region, source.schema, depth, rows, maxIterations)
      let operators = scope.operators.get(builder)
      if (operators === undefined) {
        operators = new Map()
        scope.operators.set(builder, operators)
      }
      operators.set(node, operator)
      return { rows: streamOf(operator, source.schema, region, depth), errors }
    },
  }
  scope.variables.push({ node, result: null })
  scopes.set(node, scope)
  return node
}

function leaveNode(scope: Scope, variable: number, name: string): PlanNode {
  const results = scope.variables.map(({ result }) => result as PlanNode)
  const node: PlanNode = {
    kind: 'leave',
    inputs: results,
    schema: results[variable].schema,
    parameters: { name },
    origin: scope.origin,
    depth: scope.depth - 1,
    build: (builder: Builder): Built => {
      const errors = closed(scope, builder)
      return { rows: left(builder.of(results[variable]).rows), errors }
    },
  }
  scopes.set(node, scope)
  return node
}

/** Connects the loop's variables with their results, once per builder. Returns the errors of the loop, outside of it. */
function closed(scope: Scope, builder: Builder): ReadonlySet<Stream> {
  const known = scope.errors.get(builder)
  if (known !== undefined) return known
  const outside = new Set<Stream>()
  scope.errors.set(builder, outside)
  for (const { node } of scope.variables) builder.of(node)
  const inside = scope.variables.map(({ result }) => builder.of(result as PlanNode))
  const operators = scope.operators.get(builder) as Map<PlanNode, VariableOperator>
  const errors = new Set(errorsOf(inside))
  scope.variables.forEach(({ node }, i) => {
    const operator = operators.get(node) as VariableOperator
    operator.connect(inside[i].rows)
    errors.add(unfinished(streamOf(operator.beyond, node.schema, inside[i].rows.region, scope.depth), scope, builder))
  })
  for (const stream of errors) outside.add(stream.depth === scope.depth ? left(stream) : stream)
  return outside
}

/**
 * The errors of a loop that did not settle: one for each row that would still have changed after the last iteration, outside all loops.
 * There they cost a commit nothing in which there is none.
 */
function unfinished(beyond: Stream, { maxIterations, origin }: Scope, builder: Builder): Stream {
  let rows = beyond
  while (rows.depth > 0) rows = left(rows)
  const message = `the row still changes after ${maxIterations} iterations (maxIterations); the loop was stopped there`
  const fn = (): number => {
    throw new MillraceError('ITERATION_LIMIT', message)
  }
  const all = rows.schema.names.map((_, column) => column)
  const operator = new ThresholdOperator(builder.exchange(rows, all), 'iterate', { fn }, origin)
  return (operator.errors as ErrorOutlet).stream
}

/** All that the results are made of is of this scope, down to what entered it. */
function checkScope(scope: Scope): void {
  const open = scope.variables.map(({ result }) => result as PlanNode)
  const seen = new Set<PlanNode>(open)
  const follow = (nodes: Iterable<PlanNode>): void => {
    for (const node of nodes) {
      if (seen.has(node)) continue
      seen.add(node)
      open.push(node)
    }
  }
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const own = scopes.get(node)
    if (node.depth !== scope.depth || (own !== undefined && own !== scope && node.kind !== 'leave'))
      throw wrongScope(node, 'Bring it in with enter(collection), the second argument of the body.')
    if (node.kind === 'leave' && own !== undefined) follow(own.entered.keys())
    else if (own === undefined) follow(node.inputs)
  }
}

function wrongScope(node: PlanNode, hint: string): MillraceError {
  const where = node.origin === '' ? '' : `${node.origin}  `
  return new MillraceError('CONFIG', `${where}a collection (${node.kind}) is used in a loop that it does not belong to`, hint)
}
