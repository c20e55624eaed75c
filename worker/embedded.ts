/**
 * embed: one worker in the caller's thread, complete when a call returns; no server, no promise, no timer.
 *
 * A commit closes a time: it seals the inputs, runs the dataflow until nothing is left to do, and then calls the
 * subscribers, who find every output at that time.
 */
import { ArrangementReader } from '../operators/arrangement-reader.ts'
import { Builder } from '../operators/builder.ts'
import { Delivery } from '../operators/delivery.ts'
import { IndexedOutput } from '../operators/indexed-output.ts'
import type { InputOperator } from '../operators/input.ts'
import type { InputDefinitions } from '../operators/input-definition.ts'
import { builtInput } from '../operators/input-node.ts'
import { guarded, type Job, type OutputDefinition, type OutputDefinitions } from '../operators/job.ts'
import { Changelog } from '../operators/output-definition.ts'
import { Dictionary } from '../runtime/data/dictionary.ts'
import { SystemClock } from '../runtime/env/system-clock.ts'
import { MillraceError } from '../runtime/error.ts'
import { Dataflow } from '../runtime/graph/dataflow.ts'
import { collectGarbage, isGarbageDue } from '../runtime/graph/garbage.ts'
import { Timeline } from '../runtime/time/timeline.ts'
import { type InputHost, type InputsOf, inputHandle } from './embedded-inputs.ts'
import { ChangesOutput, KeyedOutput, type OutputHost, type OutputsOf, RowsOutput } from './embedded-outputs.ts'

/** A logical time: microseconds since 1970, a safe integer. */
export type Time = number

export interface EmbedOptions {
  /** Microseconds since 1970; the wall clock unless given. Commits take max(last + 1, clock()). */
  readonly clock?: () => number
}

export class App<I extends InputDefinitions, O extends OutputDefinitions> implements InputHost, OutputHost {
  readonly inputs: InputsOf<I>
  readonly outputs: OutputsOf<O>
  readonly delivery = new Delivery()
  private readonly timeline: Timeline
  private readonly dataflow: Dataflow
  private readonly dataflows: readonly Dataflow[]
  private readonly operators: InputOperator[] = []
  private readonly rejected: InputOperator[] = []
  private closed = false
  private failure: unknown = null

  constructor(job: Job<I, O>, options: EmbedOptions = {}) {
    const clock = new SystemClock()
    this.timeline = new Timeline(options.clock ?? (() => clock.now()), -1)
    this.dataflow = new Dataflow(job.name, new Dictionary())
    this.dataflows = [this.dataflow]
    const definitions = Object.entries<OutputDefinition>(job.outputs)
    const builder = new Builder(
      this.dataflow,
      definitions.map(([, output]) => output.node),
    )
    const inputs: Record<string, unknown> = {}
    for (const [name, node] of Object.entries(job.inputNodes)) {
      const { input, rejected } = builtInput(builder, node)
      for (const operator of [input, rejected]) operator.start(this.timeline)
      this.operators.push(input)
      this.rejected.push(rejected)
      inputs[name] = inputHandle(this, name, node.definition, input, rejected)
    }
    const outputs: Record<string, unknown> = {}
    for (const [name, output] of definitions) outputs[name] = this.outputHandle(builder, name, output)
    this.inputs = guarded(inputs, 'input') as InputsOf<I>
    this.outputs = guarded(outputs, 'output') as OutputsOf<O>
  }

  /** The last complete time; -1 before the first commit. */
  get time(): Time {
    return this.timeline.closed
  }

  /**
   * Makes everything that was written visible at one new time, and returns it.
   * @throws MillraceError REENTRANT inside a subscriber, CLOSED; and what a subscriber threw, the commit being complete
   */
  commit(): Time {
    this.checkOpen()
    if (this.dataflow.isRunning || this.delivery.active) {
      throw new MillraceError(
        'REENTRANT',
        'a subscriber commits while a commit is under way',
        'Write in the subscriber, and commit after it.',
      )
    }
    const time = this.timeline.close()
    try {
      const { operators, rejected } = this
      for (let i = 0; i < operators.length; i++) operators[i].seal(time)
      for (let i = 0; i < rejected.length; i++) if (rejected[i].pending) rejected[i].seal(time)
      this.dataflow.run()
    } catch (error) {
      throw this.fail(error)
    }
    if (this.delivery.waiting) this.delivery.flush()
    if (isGarbageDue(this.dataflow.dictionary, this.dataflows)) collectGarbage(this.dataflow.dictionary, this.dataflows)
    return time
  }

  /** Ends the app; whatever is called later throws CLOSED. May be called twice. */
  close(): void {
    this.closed = true
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  checkOpen(): void {
    if (!this.closed) return
    if (this.failure === null) throw new MillraceError('CLOSED', `the app ${this.dataflow.name} is closed`)
    throw new MillraceError('CLOSED', `the app ${this.dataflow.name} stopped: ${String(this.failure)}`, undefined, { cause: this.failure })
  }

  checkBetweenTimes(): void {
    if (!this.operators.some((operator) => operator.flushed)) return
    throw new MillraceError('BAD_TIME', 'rows of the next commit are under way already', 'Subscribe before you insert, or commit first.')
  }

  fail(error: unknown): unknown {
    this.failure = error
    this.close()
    return error
  }

  private outputHandle(builder: Builder, name: string, output: OutputDefinition): ChangesOutput<unknown> {
    const { rows } = builder.of(output.node)
    if (output instanceof Changelog) return new ChangesOutput(this, name, rows)
    if (output instanceof IndexedOutput) {
      const reader = new ArrangementReader(builder.arrange(output.node, output.keyColumns))
      return new KeyedOutput(this, name, rows, reader)
    }
    const all = output.node.schema.names.map((_, column) => column)
    return new RowsOutput(this, name, rows, new ArrangementReader(builder.arrange(output.node, all)))
  }
}

/** Runs a job in the caller's thread. Close the app when done: `using app = embed(job)`. */
export function embed<I extends InputDefinitions, O extends OutputDefinitions>(job: Job<I, O>, options?: EmbedOptions): App<I, O> {
  return new App(job, options)
}
