/**
 * Compiles expressions over the rows of a batch to one loop: a filter, a projection, or both fused. Operators of one shape share
 * the loop's code (HyPer compiles a pipeline to one loop likewise: Neumann, VLDB 2011). Where code cannot be generated
 * the interpreter runs; it also takes over single rows that leave the range of the fast path.
 *
 * One compiled expression serves one worker: it is not reentrant.
 */
import type { Batch } from '../../runtime/data/batch.ts'
import { canGenerate } from '../../runtime/data/kernel.ts'
import type { Schema } from '../../runtime/data/schema.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { ColumnViews, EvaluateRow, OnRowError, TextTable } from './frame.ts'
import { Frame } from './frame.ts'
import type { Resolve } from './generate.ts'
import type { Parameter } from './generate-code.ts'
import { generateLoop, type Loop } from './generate-kernel.ts'
import { type Evaluate, interpret, RowFailure, writer } from './interpret.ts'
import type { ExpressionNode } from './node.ts'
import { unknownColumn } from './proxy-row.ts'

/** Anything with an expression's node. */
export interface HasNode {
  readonly node: ExpressionNode
}

/** The schema of the rows, or of both sides of a join, whose columns then stand one after the other. */
export type InputSchema = Schema | readonly [Schema, Schema]

class Compiled {
  protected readonly frame: Frame
  protected readonly loop: Loop
  /** Positions and contents of the literals that become ids. */
  private readonly interned: readonly { readonly at: number; readonly text: string }[]

  constructor(predicate: ExpressionNode | null, projection: readonly ExpressionNode[] | null, input: InputSchema) {
    const resolve = resolver(input)
    let rows: EvaluateRow | null = null
    const evaluate: EvaluateRow = (frame, row, at) => {
      rows ??= rowEvaluator(predicate, projection, resolve)
      return rows(frame, row, at)
    }
    let parameters: readonly Parameter[] = []
    if (canGenerate()) {
      const generated = generateLoop(predicate, projection, resolve)
      parameters = generated.parameters
      this.loop = generated.loop
      this.frame = new Frame(
        generated.slots,
        parameters.map((parameter) => parameter.value),
        evaluate,
      )
    } else {
      rows = rowEvaluator(predicate, projection, resolve)
      this.loop = interpretedLoop
      this.frame = new Frame([], [], evaluate)
    }
    this.interned = parameters.flatMap(({ value, intern }, at) => (intern ? [{ at, text: value as string }] : []))
  }

  protected prepare(views: ColumnViews, dictionary: TextTable, onError: OnRowError): Frame {
    const { frame } = this
    frame.read(views, dictionary, onError)
    // Interned anew each time: between runs the dictionary may have dropped an id that no row holds.
    for (const { at, text } of this.interned) frame.parameters[at] = dictionary.intern(text)
    return frame
  }
}

/** A compiled list of expressions. */
export class Projection extends Compiled {
  constructor(predicate: ExpressionNode | null, projection: readonly ExpressionNode[], input: InputSchema) {
    super(predicate, projection, input)
  }

  /**
   * Appends the results for rows `from` to before `to` to `output`, with the rows' differences, and their times if they
   * have times of their own. A row whose expression has no result is left out and reported.
   * @param views the input's columns, after column picks
   */
  run(input: Batch, views: ColumnViews, from: number, to: number, output: Batch, dictionary: TextTable, onError: OnRowError): void {
    const frame = this.prepare(views, dictionary, onError)
    frame.write(input, output, to - from)
    output.n = this.loop(frame, from, to)
  }
}

/** A compiled condition. */
export class Predicate extends Compiled {
  constructor(predicate: ExpressionNode, input: InputSchema) {
    super(predicate, null, input)
  }

  /**
   * Writes the indices of the rows from `from` to before `to` where the condition is true to `selection`, and returns
   * how many. `selection` has room for `to - from`. A row whose condition has no result is left out and reported.
   */
  run(views: ColumnViews, from: number, to: number, selection: Int32Array, dictionary: TextTable, onError: OnRowError): number {
    const frame = this.prepare(views, dictionary, onError)
    frame.at = 0
    frame.selection = selection
    return this.loop(frame, from, to)
  }
}

export function compileProjection(expressions: readonly HasNode[], input: InputSchema): Projection {
  return new Projection(
    null,
    expressions.map((expression) => expression.node),
    input,
  )
}

/** A projection of the rows where the condition is true, in one loop. */
export function compileFilterProjection(predicate: HasNode, expressions: readonly HasNode[], input: InputSchema): Projection {
  return new Projection(
    predicate.node,
    expressions.map((expression) => expression.node),
    input,
  )
}

/** @throws MillraceError COLUMN_TYPE if the expression is not a condition */
export function compilePredicate(predicate: HasNode, input: InputSchema): Predicate {
  const { kind } = predicate.node.type
  if (kind !== 'bool')
    throw new MillraceError(
      'COLUMN_TYPE',
      `A filter takes a condition, not a value of kind ${kind}.`,
      'Compare it with something, for example .gt(0).',
    )
  return new Predicate(predicate.node, input)
}

/** The input column that an expression merely picks, or -1. */
export function pickedColumn(expression: HasNode, input: InputSchema): number {
  return expression.node.op === 'column' ? resolver(input)(expression.node) : -1
}

/** @throws MillraceError UNKNOWN_COLUMN, COLUMN_TYPE if an expression is over other columns than the input's */
export function checkColumns(nodes: readonly ExpressionNode[], input: InputSchema): void {
  const resolve = resolver(input)
  const check = (node: ExpressionNode): void => {
    if (node.op === 'column') resolve(node)
    else node.args.forEach(check)
  }
  nodes.forEach(check)
}

function resolver(input: InputSchema): Resolve {
  const sides: readonly Schema[] = Array.isArray(input) ? input : [input as Schema]
  return (node) => {
    const side = node.side ?? 0
    const schema = sides[side]
    const name = node.name as string
    if (schema === undefined)
      throw new MillraceError(
        'UNKNOWN_COLUMN',
        `Column ${JSON.stringify(name)} is of the other side of a join.`,
        'Use the row that this callback receives.',
      )
    const index = schema.indexOf(name)
    if (index < 0) throw unknownColumn(schema, 'the rows here', name)
    const type = schema.types[index]
    if (type?.kind !== node.type.kind || type.nullable !== node.type.nullable) {
      throw new MillraceError(
        'COLUMN_TYPE',
        `Column ${JSON.stringify(name)} has another type here.`,
        'Use the row that this callback receives.',
      )
    }
    return side === 0 ? index : index + (sides[0] as Schema).names.length
  }
}

function interpretedLoop(frame: Frame, from: number, to: number): number {
  let { at } = frame
  for (let row = from; row < to; row++) at = frame.slow(row, at)
  return at
}

function rowEvaluator(predicate: ExpressionNode | null, projection: readonly ExpressionNode[] | null, resolve: Resolve): EvaluateRow {
  const passes: Evaluate = predicate === null ? () => true : interpret(predicate, resolve)
  const values = (projection ?? []).map((node) => interpret(node, resolve))
  const writers = (projection ?? []).map((node, k) => writer(node.type, k))
  return (frame, row, at) => {
    try {
      if (passes(frame, row) !== true) return at
      // A failure after some writes does no harm: the next row is written to the same place.
      for (let k = 0; k < values.length; k++) (writers[k] as (typeof writers)[number])(frame, at, (values[k] as Evaluate)(frame, row))
    } catch (failure) {
      if (!(failure instanceof RowFailure)) throw failure
      frame.onError(row, failure.message)
      return at
    }
    if (projection === null) {
      frame.selection[at] = row
    } else {
      frame.outDifferences[at] = frame.differences[row] as number
      if (frame.times !== null) frame.outTimes[at] = frame.times[row] as number
    }
    return at + 1
  }
}
