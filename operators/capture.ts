/**
 * capture: writes down what a collection does, change by change and frontier by frontier, for `replay`.
 *
 * Computes: its input.
 * State: none of its own; the log is the caller's.
 * Times: a frontier in the log says that no change at a time below it follows. (Not inside loops.)
 * Cost: one object a change.
 * Source: timely dataflow's capture and replay.
 *
 * @example
 *   const log = new CaptureLog()
 *   capture(orders, log)
 */
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Change } from '../runtime/data/row-kernels.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import { passing } from './inspect.ts'
import type { PlanNode } from './plan.ts'
import { RowView } from './row-view.ts'

export type CapturedEvent =
  | { readonly kind: 'changes'; readonly time: number; readonly changes: readonly Change[] }
  | { readonly kind: 'frontier'; readonly frontier: number }

/** What one worker captured, in order. */
export class CaptureLog {
  readonly events: CapturedEvent[] = []
  private readonly readers: (() => void)[] = []

  write(event: CapturedEvent): void {
    this.events.push(event)
    for (const reader of this.readers) reader()
  }

  /** Calls back after each event. */
  onEvent(reader: () => void): void {
    this.readers.push(reader)
  }
}

/** On several workers each builds the plan with a log of its own. */
export function capture(input: PlanNode, log: CaptureLog, origin = ''): PlanNode {
  if (input.depth > 0) throw new MillraceError('CONFIG', 'capture() is not possible inside a loop.', 'Capture what goes in and comes out.')
  return passing('capture', input, origin, (rows) => new CaptureOperator(rows, log))
}

export class CaptureOperator extends Operator {
  private readonly port: Port
  private readonly log: CaptureLog
  private readonly view: RowView
  private readonly codec: RowCodec
  private written: number

  constructor(input: Stream, log: CaptureLog) {
    super(input.operator.dataflow, 'capture')
    this.log = log
    this.view = new RowView(input)
    this.codec = rowCodec(input.schema)
    this.written = this.frontier
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const changes = this.codec.readRows(this.view.of(batch), 0, batch.n, this.dataflow.dictionary)
      this.log.write({ kind: 'changes', time: batch.time, changes })
      this.send(batch)
    }
    if (port.frontier > this.written) {
      this.written = port.frontier
      this.log.write({ kind: 'frontier', frontier: port.frontier })
    }
    this.advance(port.frontier)
  }
}
