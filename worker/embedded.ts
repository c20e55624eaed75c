/**
 * embed: one worker in the caller's thread, complete when a call returns; no server and no promise.
 *
 * A commit closes a time: it seals the inputs, runs the dataflow until nothing is left to do, and then calls the
 * subscribers, who find every output at that time. Between commits the engine does nothing, but for ticks: where rows leave a view
 * with time (`validFor`), a timer that lets the process exit closes a time now and then.
 */

import { ArrangeOperator } from '../operators/arrange.ts'
import { ArrangementReader } from '../operators/arrangement-reader.ts'
import { Builder } from '../operators/builder.ts'
import { Delivery } from '../operators/delivery.ts'
import { checkDeterminism } from '../operators/determinism.ts'
import { ErrorsOperator } from '../operators/errors.ts'
import { IndexedOutput } from '../operators/indexed-output.ts'
import type { InputOperator } from '../operators/input.ts'
import type { InputDefinitions } from '../operators/input-definition.ts'
import { builtInput } from '../operators/input-node.ts'
import { guarded, type Job, type OutputDefinition, type OutputDefinitions, outputLookups } from '../operators/job.ts'
import { Changelog, Probed } from '../operators/output-definition.ts'
import { ProbeOperator } from '../operators/probe.ts'
import { checkRemovals } from '../operators/removal-check.ts'
import { Dictionary } from '../runtime/data/dictionary.ts'
import { errorSchema } from '../runtime/data/error-schema.ts'
import type { Timer } from '../runtime/env/environment.ts'
import { SystemClock } from '../runtime/env/system-clock.ts'
import { SystemTimers } from '../runtime/env/system-timers.ts'
import { MillraceError } from '../runtime/error.ts'
import { Dataflow } from '../runtime/graph/dataflow.ts'
import { collectGarbage, isGarbageDue } from '../runtime/graph/garbage.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import { Timeline } from '../runtime/time/timeline.ts'
import type { Hold } from '../runtime/trace/total-trace.ts'
import type { ChangeQueue } from './change-queue.ts'
import { type InputHandle, type InputHost, type InputsOf, inputHandle } from './embedded-inputs.ts'
import {
  ChangesOutput,
  type ErrorRow,
  KeyedOutput,
  type OutputHandle,
  type OutputHost,
  type OutputsOf,
  ProbeOutput,
  RowsOutput,
} from './embedded-outputs.ts'
import { isTemporal } from './temporal-plan.ts'

/** A logical time: microseconds since 1970, a safe integer. */
export type Time = number

export interface EmbedOptions {
  /** Microseconds since 1970; the wall clock unless given. A commit is at max(last + 1, clock()). */
  readonly clock?: () => number
  /**
   * Milliseconds between ticks, which close a time when nobody commits, so that rows expire. Without it: 100 if the job has
   * rows that expire and no clock is given, else never.
   */
  readonly tickEvery?: number
  /** Computes users' functions twice, and reports rows that are removed more often than inserted. Slower, and needs more memory. */
  readonly development?: boolean
}

const TICK_MILLISECONDS = 100

/** Keeps all outputs readable as of a time, until it is released. */
export interface AppHold extends Disposable {
  readonly time: Time
  release(): void
}

type ErrorsOutput = RowsOutput<ErrorRow>

/** What is dropped when the app is closed. */
interface Engine {
  readonly dataflow: Dataflow
  readonly dataflows: readonly Dataflow[]
  readonly inputs: readonly InputOperator[]
  readonly rejected: readonly InputOperator[]
  readonly errors: readonly ErrorsOperator[]
}

export class App<I extends InputDefinitions, O extends OutputDefinitions> implements InputHost, OutputHost, Disposable, AsyncDisposable {
  readonly name: string
  readonly inputs: InputsOf<I>
  readonly outputs: OutputsOf<O>
  readonly delivery = new Delivery()
  readonly queues = new Set<ChangeQueue<unknown>>()
  private readonly timeline: Timeline
  private readonly handles: { readonly inputs: Record<string, InputHandle>; readonly outputs: Record<string, OutputHandle> }
  private readonly timer: Timer | null
  private engine: Engine | null
  /** The time of the commit under way, where the caller gave one. */
  private given = -1
  private failure: unknown = null

  constructor(job: Job<I, O>, options: EmbedOptions = {}) {
    this.name = job.name
    const systemClock = new SystemClock()
    const clock = options.clock ?? (() => systemClock.now())
    this.timeline = new Timeline(() => (this.given >= 0 ? this.given : clock()), -1)
    const dataflow = new Dataflow(job.name, new Dictionary())
    checkDeterminism(dataflow, options.development === true)
    checkRemovals(dataflow, options.development === true)
    this.handles = { inputs: {}, outputs: {} }
    this.engine = this.build(job, dataflow)
    this.inputs = guarded(this.handles.inputs, 'input') as InputsOf<I>
    this.outputs = guarded(this.handles.outputs, 'output') as OutputsOf<O>
    const nodes = Object.values<OutputDefinition>(job.outputs).map((output) => output.node)
    const every = options.tickEvery ?? (options.clock === undefined && nodes.some((node) => isTemporal(node)) ? TICK_MILLISECONDS : 0)
    this.timer = every > 0 ? new SystemTimers().setInterval(() => this.tick(), every, { background: true }) : null
  }

  /** The last complete time; -1 before the first commit. */
  get time(): Time {
    return this.timeline.closed
  }

  /** Whether something was written since the last commit. */
  get hasWritten(): boolean {
    const { inputs, rejected } = this.running()
    return inputs.some((input) => input.pending) || rejected.some((input) => input.pending)
  }

  /**
   * Makes everything that was written visible at one new time, and returns it.
   * @throws MillraceError REENTRANT inside a subscriber, CLOSED; and what a subscriber threw, the commit being complete
   */
  commit(): Time {
    const engine = this.running()
    const { dataflow, inputs, rejected, errors } = engine
    if (dataflow.isRunning || this.delivery.active) {
      throw new MillraceError(
        'REENTRANT',
        'a subscriber commits while a commit is under way',
        'Write in the subscriber, and commit after it.',
      )
    }
    const time = this.timeline.close()
    try {
      for (let i = 0; i < inputs.length; i++) inputs[i].seal(time)
      for (let i = 0; i < rejected.length; i++) if (rejected[i].pending) rejected[i].seal(time)
      dataflow.run()
      for (let i = 0; i < errors.length; i++) if (errors[i].waits) completeErrors(engine, time)
      if (isGarbageDue(dataflow.dictionary, engine.dataflows)) collectGarbage(dataflow.dictionary, engine.dataflows)
    } catch (error) {
      throw this.fail(error)
    }
    if (this.delivery.waiting) this.delivery.flush()
    return time
  }

  /**
   * Commits at a given time, instead of what the clock says: for tests and replays. Rows whose time has run out by then leave.
   * @throws MillraceError BAD_TIME if the time is not after the last one, or rows of the next commit are under way at a later one
   */
  advanceTo(time: Time): Time {
    this.running()
    if (!Number.isSafeInteger(time)) throw new MillraceError('BAD_TIME', `${time} is no time`, 'Times are whole microseconds since 1970.')
    if (time <= this.time) throw new MillraceError('BAD_TIME', `time ${time} has passed: the last commit was at ${this.time}`)
    const flushed = this.hasFlushed()
    if (flushed && this.timeline.current() > time) {
      throw new MillraceError(
        'BAD_TIME',
        `rows are under way at time ${this.timeline.current()} already`,
        'For replays give embed() a clock.',
      )
    }
    if (flushed && this.timeline.current() < time) this.commit()
    this.given = time
    try {
      return this.commit()
    } finally {
      this.given = -1
    }
  }

  /** Keeps all outputs readable `asOf` the last complete time, until it is released; meanwhile memory grows with each change. */
  hold(): AppHold {
    const { time } = this
    this.running()
    const holds: Hold[] = []
    for (const output of Object.values(this.handles.outputs)) if (output instanceof RowsOutput) holds.push(output.hold(time))
    const release = (): void => {
      for (const hold of holds) hold.release()
    }
    return { time, release, [Symbol.dispose]: release }
  }

  /** Ends the app: iterators end, timers stop, memory goes. Whatever is called later throws CLOSED. May be called twice. */
  close(): void {
    if (this.engine === null) return
    this.engine = null
    this.timer?.clear()
    for (const queue of [...this.queues]) queue.end()
    for (const input of Object.values(this.handles.inputs)) input.release()
    for (const output of Object.values(this.handles.outputs)) output.release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  checkOpen(): void {
    if (this.engine === null) this.running()
  }

  checkReadable(): void {
    const engine = this.running()
    if (engine.dataflow.isRunning)
      throw new MillraceError('REENTRANT', 'columns are handed over while outputs change', 'Read after the commit.')
    if (engine.errors.some((one) => one.frontier <= this.time)) completeErrors(engine, this.time)
  }

  checkBetweenTimes(): void {
    this.running()
    if (!this.hasFlushed()) return
    throw new MillraceError('BAD_TIME', 'rows of the next commit are under way already', 'Subscribe before you insert, or commit first.')
  }

  fail(error: unknown): unknown {
    this.failure = error
    this.close()
    return error
  }

  private running(): Engine {
    if (this.engine !== null) return this.engine
    if (this.failure === null) throw new MillraceError('CLOSED', `the app ${this.name} is closed`)
    throw new MillraceError('CLOSED', `the app ${this.name} stopped: ${String(this.failure)}`, undefined, { cause: this.failure })
  }

  private hasFlushed(): boolean {
    const { inputs, rejected } = this.running()
    return inputs.some((input) => input.flushed) || rejected.some((input) => input.flushed)
  }

  /** Closes a time unless somebody is about to. */
  private tick(): void {
    const { engine } = this
    if (engine === null || engine.dataflow.isRunning || this.delivery.active) return
    if (!this.hasWritten) this.commit()
  }

  private build(job: Job<I, O>, dataflow: Dataflow): Engine {
    const outputs = Object.entries<OutputDefinition>(job.outputs)
    const builder = new Builder(
      dataflow,
      outputs.map(([, output]) => output.node),
      outputLookups(job.outputs),
    )
    const inputs: InputOperator[] = []
    const rejected: InputOperator[] = []
    for (const [name, node] of Object.entries(job.inputNodes)) {
      const built = builtInput(builder, node)
      for (const operator of [built.input, built.rejected]) operator.start(this.timeline)
      inputs.push(built.input)
      rejected.push(built.rejected)
      this.handles.inputs[name] = inputHandle(this, name, node.definition, built.input, built.rejected)
    }
    const errors = new Map<string, { operator: ErrorsOperator; reader: ArrangementReader }>()
    for (const [name, output] of outputs) {
      const built = builder.of(output.node)
      this.handles.outputs[name] = this.outputHandle(
        builder,
        name,
        output,
        built.rows,
        this.errorsOutput(dataflow, name, built.errors, errors),
      )
    }
    return { dataflow, dataflows: [dataflow], inputs, rejected, errors: [...errors.values()].map(({ operator }) => operator) }
  }

  private outputHandle(builder: Builder, name: string, output: OutputDefinition, rows: Stream, errors: ErrorsOutput): OutputHandle {
    if (output instanceof Probed) return new ProbeOutput(this, name, new ProbeOperator(rows))
    if (output instanceof Changelog) return new ChangesOutput(this, name, rows, errors)
    if (output instanceof IndexedOutput) {
      const reader = new ArrangementReader(builder.arrange(output.node, output.keyColumns))
      return new KeyedOutput(this, name, rows, errors, reader, output.keyColumns)
    }
    const all = output.node.schema.names.map((_, column) => column)
    return new RowsOutput(this, name, rows, errors, new ArrangementReader(builder.arrange(output.node, all)), [])
  }

  /** The errors of an output; outputs with the same sources of errors share the index. */
  private errorsOutput(
    dataflow: Dataflow,
    name: string,
    sources: ReadonlySet<Stream>,
    made: Map<string, { operator: ErrorsOperator; reader: ArrangementReader }>,
  ): ErrorsOutput {
    const id = [...sources].map((source) => source.operator.id).join()
    let shared = made.get(id)
    if (shared === undefined) {
      const operator = new ErrorsOperator(dataflow, sources)
      const all = errorSchema.types.map((_, column) => column)
      const arrangement = new ArrangeOperator(operator.stream, all, errorSchema.types, dataflow.keyTable(errorSchema.types))
      shared = { operator, reader: new ArrangementReader(arrangement) }
      made.set(id, shared)
    }
    return new RowsOutput<ErrorRow>(this, `${name}.errors`, shared.operator.stream, null, shared.reader, [])
  }
}

/** Brings the rejected rows of all inputs, which commits leave alone while there are none, up to a time; and with them all errors. */
function completeErrors({ dataflow, rejected }: Engine, time: number): void {
  for (const input of rejected) input.advance(time + 1)
  dataflow.run()
}

/** Runs a job in the caller's thread. Close the app when done: `using app = embed(job)`. */
export function embed<I extends InputDefinitions, O extends OutputDefinitions>(job: Job<I, O>, options?: EmbedOptions): App<I, O> {
  return new App(job, options)
}
