/**
 * inspect: calls a user's function with each change that passes, and passes it on.
 *
 * Computes: its input.
 * State: none.
 * Times: each row keeps its time; changes are seen as they come, not summed up, before their time is complete. (Not inside loops.)
 * Cost: one object and a call a change.
 * Source: timely dataflow's inspect.
 *
 * @example
 *   inspect(orders, ({ time, row, diff }) => console.log(time, diff, row))
 */
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Row } from '../runtime/data/row-kernels.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { ErrorOutlet, rowText, thrownText } from './error-outlet.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { RowView } from './row-view.ts'
import { checkFunction } from './user-function.ts'

/** A change as it passes. */
export type Inspect = (change: { readonly time: number; readonly row: Row; readonly diff: number }) => void

/** What the function throws is an error of the change's row; the change goes on. */
export function inspect(input: PlanNode, fn: Inspect, origin = ''): PlanNode {
  checkFunction(fn)
  if (input.depth > 0) throw new MillraceError('CONFIG', 'inspect() is not possible inside a loop.', 'Inspect what goes in and comes out.')
  return passing('inspect', input, origin, (rows) => new InspectOperator(rows, fn, origin))
}

/** A node whose operator passes its input on as it is. */
export function passing(
  kind: string,
  input: PlanNode,
  origin: string,
  make: (rows: Stream) => Operator & { readonly errors?: ErrorOutlet },
): PlanNode {
  return {
    kind,
    inputs: [input],
    schema: input.schema,
    parameters: {},
    origin,
    depth: input.depth,
    appendOnly: input.appendOnly ?? false,
    build: (builder: Builder): Built => {
      const source = builder.of(input)
      const operator = make(source.rows)
      return { rows: { ...source.rows, operator }, errors: errorsOf([source], operator.errors?.stream) }
    },
  }
}

export class InspectOperator extends Operator {
  readonly errors: ErrorOutlet
  private readonly port: Port
  private readonly fn: Inspect
  private readonly view: RowView
  private readonly codec: RowCodec

  constructor(input: Stream, fn: Inspect, origin: string) {
    super(input.operator.dataflow, 'inspect')
    this.fn = fn
    this.view = new RowView(input)
    this.codec = rowCodec(input.schema)
    this.errors = new ErrorOutlet(this.dataflow, 'inspect', origin, input)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port, codec, dataflow } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const view = this.view.of(batch)
      for (let i = 0; i < view.n; i++) {
        const row = codec.readRow(view, i, dataflow.dictionary)
        try {
          this.fn({ time: batch.time, row, diff: view.differences[i] })
        } catch (thrown) {
          this.errors.addFor(view, i, rowText(row), thrownText(thrown))
        }
      }
      this.send(batch)
    }
    this.errors.advance(port.frontier)
    this.advance(port.frontier)
  }
}
