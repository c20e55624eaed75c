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
import type { Delivery } from '../operators/delivery.ts'
import { checkDeterminism } from '../operators/determinism.ts'
import { ErrorsOperator } from '../operators/errors.ts'
import type { ImportArrangementOperator } from '../operators/import-arrangement.ts'
import { IndexedOutput } from '../operators/indexed-output.ts'
import type { InputDefinitions } from '../operators/input-definition.ts'
import { builtInput } from '../operators/input-node.ts'
import { guarded, type Job, keptBy, type OutputDefinition, type OutputDefinitions, outputLookups } from '../operators/job.ts'
import { Changelog, Probed } from '../operators/output-definition.ts'
import type { PlanNode } from '../operators/plan.ts'
import { ProbeOperator } from '../operators/probe.ts'
import { checkRemovals } from '../operators/removal-check.ts'
import { errorSchema } from '../runtime/data/error-schema.ts'
import { shownValue } from '../runtime/data/value-encoding.ts'
import type { Timer } from '../runtime/env/environment.ts'
import { SystemTimers } from '../runtime/env/system-timers.ts'
import { MillraceError } from '../runtime/error.ts'
import { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Operator } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { Hold } from '../runtime/trace/total-trace.ts'
import type { ChangeQueue } from './change-queue.ts'
import { EmbeddedEngine } from './embedded-engine.ts'
import { type ImportsOf, linkImports, registerExport, withdrawExport } from './embedded-imports.ts'
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
import {
  type AppMemory,
  memoryOf,
  type OperatorProgress,
  type OperatorState,
  progressOf,
  type StateLabels,
  stateOf,
} from './embedded-state.ts'
import { EnginePart } from './engine-part.ts'
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
  /**
   * Reports rows that are removed more often than inserted in the error collection, by input and row. Needs an index of each
   * input without a key. Without it such rows show as negative multiplicities. As `development` unless given.
   */
  readonly checkRemovals?: boolean
  /** Computes users' functions twice, and reports rows that are removed more often than inserted. Slower, and needs more memory. */
  readonly development?: boolean
}

/** For a job that reads indexes of another one. */
export interface ImportOptions<I extends InputDefinitions> {
  /** Runs in the engine of this app: a commit to either closes one time for both. It is closed when the last of them is. */
  readonly beside?: Neighbour
  /** For each `imported` input an output of an app beside. */
  readonly imports?: ImportsOf<I>
}

/** An app beside which another may run. */
export interface Neighbour {
  readonly name: string
  readonly time: Time
  commit(): Time
}

const TICK_MILLISECONDS = 100

/** Keeps all outputs readable as of a time, until it is released. */
export interface AppHold extends Disposable {
  readonly time: Time
  release(): void
}

/** The index of the errors that come from one set of operators. */
interface ErrorsIndex {
  readonly operator: ErrorsOperator
  readonly reader: ArrangementReader
}

/** What is dropped when the app is closed. */
interface Seat {
  readonly engine: EmbeddedEngine
  readonly part: EnginePart
}

export class App<I extends InputDefinitions, O extends OutputDefinitions>
  implements InputHost, OutputHost, Neighbour, Disposable, AsyncDisposable
{
  readonly name: string
  readonly development: boolean
  readonly inputs: InputsOf<I>
  readonly outputs: OutputsOf<O>
  readonly delivery: Delivery
  readonly queues = new Set<ChangeQueue<unknown>>()
  private readonly handles: { readonly inputs: Record<string, InputHandle>; readonly outputs: Record<string, OutputHandle> }
  private readonly timer: Timer | null
  private seat: Seat | null
  private readonly labels: StateLabels = { inputs: new Map(), outputs: new Map() }
  private readonly holds = new Set<() => void>()
  private lastTime: Time = -1
  private failure: unknown = null

  constructor(job: Job<I, O>, options: EmbedOptions & ImportOptions<I> = {}) {
    if (typeof (job as Partial<Job<I, O>> | undefined)?.inputNodes !== 'object')
      throw new MillraceError('CONFIG', 'what is to be embedded is no job', "Write embed(job('name', inputs, define)).")
    checkInterval(options.tickEvery)
    this.name = job.name
    this.development = options.development === true
    const { beside } = options
    if (beside !== undefined && options.clock !== undefined)
      throw new MillraceError('CONFIG', `${job.name} has the clock of the app beside which it runs.`, 'Give no clock.')
    const engine = beside === undefined ? new EmbeddedEngine(options.clock) : engineOf(beside, job.name)
    if (engine.isRunning) throw new MillraceError('REENTRANT', 'columns are handed over while outputs change', 'Embed after the commit.')
    const dataflow = new Dataflow(job.name, engine.dictionary, Math.max(0, engine.time))
    checkDeterminism(dataflow, options.development === true)
    checkRemovals(dataflow, options.checkRemovals ?? options.development === true)
    this.handles = { inputs: {}, outputs: {} }
    const part = new EnginePart(job.name, dataflow, (error) => this.stopped(error))
    this.seat = { engine, part }
    this.delivery = part.delivery
    try {
      const imports = linkImports(part, job.importNodes, options.imports ?? {}, engine.parts, engine.time)
      part.build(() => this.build(job, imports))
      engine.start(part)
    } catch (error) {
      part.detach()
      throw error
    }
    engines.set(this, engine)
    this.inputs = guarded(this.handles.inputs, 'input') as InputsOf<I>
    this.outputs = guarded(this.handles.outputs, 'output') as OutputsOf<O>
    const nodes = Object.values<OutputDefinition>(job.outputs).map((output) => output.node)
    const every = options.tickEvery ?? (engine.isReal && nodes.some((node) => isTemporal(node)) ? TICK_MILLISECONDS : 0)
    this.timer = every > 0 ? new SystemTimers().setInterval(() => this.tick(), every, { background: true }) : null
  }

  /** The last complete time; -1 before the first commit. It is that of all apps beside each other. */
  get time(): Time {
    return this.seat === null ? this.lastTime : this.seat.engine.time
  }

  /** Whether something was written since the last commit, to this app or one beside it. */
  get hasWritten(): boolean {
    return this.running().engine.hasWritten
  }

  /**
   * Makes everything that was written visible at one new time, and returns it; for all apps beside each other.
   * @throws MillraceError REENTRANT inside a subscriber, CLOSED; and what a subscriber threw, the commit being complete
   */
  commit(): Time {
    return this.running().engine.commit()
  }

  /**
   * Commits at a given time, instead of what the clock says: for tests and replays. Rows whose time has run out by then leave.
   * @throws MillraceError BAD_TIME if the time is not after the last one, or rows of the next commit are under way at a later one
   */
  advanceTo(time: Time): Time {
    return this.running().engine.advanceTo(time)
  }

  /** Keeps all outputs readable `asOf` the last complete time, until it is released; meanwhile memory grows with each change. */
  hold(): AppHold {
    const { time } = this
    this.running()
    const holds: Hold[] = []
    for (const output of Object.values(this.handles.outputs)) if (output instanceof RowsOutput) holds.push(output.hold(time))
    const release = (): void => {
      this.holds.delete(release)
      for (const hold of holds) hold.release()
    }
    this.holds.add(release)
    return { time, release, [Symbol.dispose]: release }
  }

  /** What each operator keeps: its memory, keys and rows, and who holds earlier times readable. Looks at all keys. */
  state(): readonly OperatorState[] {
    return stateOf(this.running().part, this.labels)
  }

  /** Bytes of memory; what another app keeps for this one counts there. */
  memory(): AppMemory {
    return memoryOf(this.running().part)
  }

  /** How far each operator is. What holds back a time are those at or below it whose inputs are beyond. */
  frontiers(): readonly OperatorProgress[] {
    return progressOf(this.running().part)
  }

  /**
   * Ends the app: iterators end, timers stop, memory goes. Whatever is called later throws CLOSED. May be called twice. What apps
   * beside it import goes on for them, and the memory stays until the last of them is closed.
   */
  close(): void {
    const { seat } = this
    if (seat === null) return
    this.lastTime = seat.engine.time
    engines.delete(this)
    this.labels.inputs.clear()
    this.labels.outputs.clear()
    this.seat = null
    this.timer?.clear()
    for (const queue of [...this.queues]) queue.end()
    for (const release of [...this.holds]) release()
    for (const input of Object.values(this.handles.inputs)) input.release()
    for (const output of Object.values(this.handles.outputs)) {
      withdrawExport(output)
      output.release()
    }
    seat.engine.close(seat.part)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  checkOpen(): void {
    if (this.seat === null) this.running()
  }

  checkReadable(): void {
    const { engine, part } = this.running()
    if (engine.isRunning) throw new MillraceError('REENTRANT', 'columns are handed over while outputs change', 'Read after the commit.')
    if (!part.hasErrors(engine.time)) part.completeErrors(engine.time)
  }

  checkBetweenTimes(): void {
    if (!this.running().part.hasFlushed) return
    throw new MillraceError('BAD_TIME', 'rows of the next commit are under way already', 'Subscribe before you insert, or commit first.')
  }

  fail(error: unknown): unknown {
    const { seat } = this
    if (seat !== null) seat.engine.fail(seat.part, error)
    return error
  }

  private stopped(error: unknown): void {
    this.failure = error
    this.close()
  }

  private running(): Seat {
    if (this.seat !== null) return this.seat
    if (this.failure === null) throw new MillraceError('CLOSED', `the app ${this.name} is closed`, 'embed() its job again.')
    throw new MillraceError('CLOSED', `the app ${this.name} stopped: ${String(this.failure)}`, undefined, { cause: this.failure })
  }

  /** Closes a time unless somebody is about to. */
  private tick(): void {
    const { seat } = this
    if (seat !== null && !seat.engine.isBusy && !seat.engine.hasWritten) seat.engine.commit()
  }

  private build(job: Job<I, O>, imports: ReadonlyMap<PlanNode, ImportArrangementOperator>): void {
    const { engine, part } = this.running()
    const { dataflow } = part
    const outputs = Object.entries<OutputDefinition>(job.outputs)
    const builder = new Builder(
      dataflow,
      outputs.map(([, output]) => output.node),
      outputLookups(job.outputs),
      imports,
    )
    for (const [name, node] of Object.entries(job.inputNodes)) {
      const built = builtInput(builder, node)
      for (const operator of [built.input, built.rejected]) operator.start(engine.timeline)
      part.inputs.push(built.input)
      part.rejected.push(built.rejected)
      this.labels.inputs.set(built.input, name).set(built.rejected, name).set(built.rows.operator, name)
      this.handles.inputs[name] = inputHandle(this, name, node.definition, built.input, built.rejected)
    }
    const made = new Map<string, ErrorsIndex>()
    for (const [name, output] of outputs) {
      const { rows, errors } = builder.of(output.node)
      const index = errorsIndex(dataflow, errors, made)
      const told = new RowsOutput<ErrorRow>(this, `${name}.errors`, index.operator.stream, null, index.reader, [])
      const handle = this.outputHandle(builder, name, output, rows, told)
      this.handles.outputs[name] = handle
      this.label(index.reader.arrangement, `${name}.errors`)
      const kept = keptBy(output)
      if (kept !== null) this.label(builder.arrange(output.node, kept), name)
      if (output instanceof IndexedOutput) {
        const arrangement = builder.arrange(output.node, output.keyColumns)
        registerExport(handle, { part, name, arrangement, schema: output.node.schema, errors, told: index.reader })
      }
    }
    part.errors = [...made.values()].map(({ operator }) => operator)
  }

  private label(operator: Operator, output: string): void {
    const { outputs } = this.labels
    outputs.set(operator, [...(outputs.get(operator) ?? []), output])
  }

  private outputHandle(builder: Builder, name: string, output: OutputDefinition, rows: Stream, errors: RowsOutput<ErrorRow>): OutputHandle {
    if (output instanceof Probed) return new ProbeOutput(this, name, new ProbeOperator(rows))
    if (output instanceof Changelog) return new ChangesOutput(this, name, rows, errors)
    if (output instanceof IndexedOutput) {
      const reader = new ArrangementReader(builder.arrange(output.node, output.keyColumns), output.node.schema)
      return new KeyedOutput(this, name, rows, errors, reader, output.keyColumns)
    }
    const all = output.node.schema.names.map((_, column) => column)
    return new RowsOutput(this, name, rows, errors, new ArrangementReader(builder.arrange(output.node, all), output.node.schema), [])
  }
}

function checkInterval(milliseconds: number | undefined): void {
  if (milliseconds === undefined || (Number.isFinite(milliseconds) && milliseconds >= 0)) return
  throw new MillraceError('CONFIG', `tickEvery is ${shownValue(milliseconds)}`, 'It is a number of milliseconds; 0 for no ticks.')
}

/** The engine of an app beside which another is to run. */
function engineOf(neighbour: Neighbour, name: string): EmbeddedEngine {
  const engine = engines.get(neighbour)
  if (engine === undefined) throw new MillraceError('CLOSED', `the app ${neighbour.name}, beside which ${name} is to run, is closed`)
  return engine
}

const engines = new WeakMap<object, EmbeddedEngine>()

/** The index of the errors of an output; outputs with the same sources of errors share it. */
function errorsIndex(dataflow: Dataflow, sources: ReadonlySet<Stream>, made: Map<string, ErrorsIndex>): ErrorsIndex {
  const id = [...sources].map((source) => source.operator.id).join()
  const known = made.get(id)
  if (known !== undefined) return known
  const operator = new ErrorsOperator(dataflow, sources)
  const all = errorSchema.types.map((_, column) => column)
  const arrangement = new ArrangeOperator(operator.stream, all, errorSchema.types, dataflow.keyTable(errorSchema.types))
  const index = { operator, reader: new ArrangementReader(arrangement) }
  made.set(id, index)
  return index
}

/** Runs a job in the caller's thread. Close the app when done: `using app = embed(job)`. */
export function embed<I extends InputDefinitions, O extends OutputDefinitions>(
  job: Job<I, O>,
  options?: EmbedOptions & ImportOptions<NoInfer<I>>,
): App<I, O> {
  return new App(job, options)
}
