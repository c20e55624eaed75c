/**
 * transform: a filter and a projection by expressions in one pass; what chains of select and filter become.
 *
 * Computes: for each row that satisfies the condition, one row of the projection, with the row's multiplicity.
 * State: none.
 * Times: each row keeps its time; inside loops too.
 * Cost: one generated loop a batch, 3-8 ns a row.
 * Source: fused pipelines as HyPer compiles them (Neumann, VLDB 2011).
 *
 * Two steps fuse only if the first can't fail: its errors would be reported once more for each reader that fused it,
 * or not at all where the second step skips the expression that fails.
 *
 * @example
 *   orders.filter((o) => o.cents.gt(0)).select((o) => ({ city: o.city }))   // one transform
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { canFail } from './can-fail.ts'
import { ErrorOutlet, rowText } from './error-outlet.ts'
import { compileFilterProjection, compileProjection, type Projection } from './expression/compile.ts'
import { columnNode, type ExpressionNode } from './expression/node.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { RowView } from './row-view.ts'

export interface TransformNode extends PlanNode {
  readonly kind: 'select' | 'filter'
  readonly inputs: readonly [PlanNode]
  /** Both over the columns of the input. */
  readonly condition: ExpressionNode | null
  /** One a column of the schema; null: all columns of the input. */
  readonly projection: readonly ExpressionNode[] | null
}

export function isTransform(node: PlanNode): node is TransformNode {
  return 'condition' in node && 'projection' in node
}

/** Whether a step that has this transform as input may take its place: nothing in it can fail. */
export function canFuse(inner: TransformNode, outer: readonly ExpressionNode[]): boolean {
  if (inner.condition !== null && canFail(inner.condition)) return false
  if (inner.projection === null) return true
  // An error shows the row that its expression saw, so a step that can fail keeps its own input.
  return !inner.projection.some(canFail) && !outer.some(canFail)
}

/** A transform's node; `origin` is where the user's program made the last of its steps. */
export function transform(
  kind: TransformNode['kind'],
  input: PlanNode,
  condition: ExpressionNode | null,
  projection: readonly ExpressionNode[] | null,
  schema: Schema,
  origin: string,
): TransformNode {
  return {
    kind,
    inputs: [input],
    schema,
    parameters: { condition, projection },
    origin,
    depth: input.depth,
    appendOnly: input.appendOnly ?? false,
    condition,
    projection,
    build: (builder: Builder): Built => {
      const source = builder.of(input)
      const operator = new TransformOperator(source.rows, schema, kind, condition, projection, origin)
      const rows = streamOf(operator, schema, source.rows.region, source.rows.depth)
      return { rows, errors: errorsOf([source], operator.errors?.stream) }
    },
  }
}

export class TransformOperator extends Operator {
  readonly errors: ErrorOutlet | null
  private readonly port: Port
  private readonly pool: BatchPool
  private readonly projection: Projection
  private readonly view: RowView
  private readonly codec: RowCodec
  private current: Batch | null = null
  private readonly onError: (row: number, message: string) => void

  constructor(
    input: Stream,
    schema: Schema,
    kind: string,
    condition: ExpressionNode | null,
    projection: readonly ExpressionNode[] | null,
    origin: string,
  ) {
    super(input.operator.dataflow, kind)
    const nodes = projection ?? input.schema.names.map((name, i) => columnNode(name, input.schema.types[i] as Schema['types'][number]))
    const expressions = nodes.map((node) => ({ node }))
    this.projection =
      condition === null
        ? compileProjection(expressions, input.schema)
        : compileFilterProjection({ node: condition }, expressions, input.schema)
    this.errors =
      nodes.some(canFail) || (condition !== null && canFail(condition)) ? new ErrorOutlet(this.dataflow, kind, origin, input) : null
    this.pool = new BatchPool(schema.widths)
    this.view = new RowView(input)
    this.codec = rowCodec(input.schema)
    this.onError = (row, message) => this.fail(row, message)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port, pool, dataflow } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const out = pool.take(batch.time, batch.n)
      const view = this.view.of(batch)
      this.current = view
      this.projection.run(batch, view, 0, batch.n, out, dataflow.dictionary, this.onError)
      batch.release()
      this.send(out)
    }
    this.current = null
    this.errors?.advance(port.frontier)
    this.advance(port.frontier)
  }

  private fail(i: number, message: string): void {
    const batch = this.current as Batch
    this.errors?.addFor(batch, i, rowText(this.codec.readRow(batch, i, this.dataflow.dictionary)), message)
  }
}
