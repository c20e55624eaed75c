/** One dataflow of a thread: what is installed, how far it is, and who reads it. */
import { ArrangeOperator } from '../../operators/arrange.ts'
import { ArrangementReader } from '../../operators/arrangement-reader.ts'
import { Builder } from '../../operators/builder.ts'
import { ErrorsOperator } from '../../operators/errors.ts'
import { IndexedOutput } from '../../operators/indexed-output.ts'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import { builtInput } from '../../operators/input-node.ts'
import { type Job, keptBy, type OutputDefinition, type OutputDefinitions, outputLookups } from '../../operators/job.ts'
import { OutputOperator } from '../../operators/output.ts'
import { Changelog, Probed } from '../../operators/output-definition.ts'
import { ProbeOperator } from '../../operators/probe.ts'
import { errorSchema } from '../../runtime/data/error-schema.ts'
import { typeName } from '../../runtime/data/schema.ts'
import { invariant, MillraceError } from '../../runtime/error.ts'
import type { Operator } from '../../runtime/graph/operator.ts'
import type { Stream } from '../../runtime/graph/stream.ts'
import type {
  ChangesTold,
  CountedRow,
  Feed,
  FollowOutput,
  InstallDataflow,
  OutputShape,
  ReadOutput,
} from '../../runtime/protocol/thread.ts'
import { isTemporal } from '../temporal-plan.ts'
import { ChangelogRows } from './changelog-rows.ts'
import { KeptRows } from './kept-rows.ts'
import { MintedList } from './minted-list.ts'
import type { ThreadGraph } from './thread-graph.ts'
import { ThreadInput } from './thread-input.ts'
import { ThreadOutput } from './thread-output.ts'

/** Rows that wait for a time to be minted; with more, a dataflow that is behind takes no others. */
const WAITING_ROWS = 1 << 18

interface ErrorsEnd {
  readonly operator: ErrorsOperator
  readonly rows: KeptRows
}

export class ThreadDataflow {
  readonly id: number
  readonly graph: ThreadGraph
  /** Nothing happens at or before it. */
  readonly since: number
  readonly temporal: boolean
  /** Errors that its operators have told and not taken back. */
  errorCount = 0
  readonly minted: MintedList
  /** All outputs are complete here up to this minted time, as was told. */
  complete: number
  private readonly inputs = new Map<string, ThreadInput>()
  private readonly outputs = new Map<string, ThreadOutput>()
  /** The outputs are complete where all of these are. */
  private readonly ends: Operator[] = []
  private visible: number
  /** Times that are still to be given, ascending: those of the rows that are fed. */
  private replayed: number[] = []
  /** The graph's activations when its ends were looked at last. */
  private lookedAt = -1

  /** Call `build` next. The graph's first time is right after `since`. */
  constructor(
    { dataflow, since }: Pick<InstallDataflow, 'dataflow' | 'since'>,
    graph: ThreadGraph,
    job: Job<InputDefinitions, OutputDefinitions>,
  ) {
    this.id = dataflow
    this.graph = graph
    this.since = since
    this.complete = since
    this.visible = since
    this.minted = new MintedList(since)
    this.temporal = Object.values(job.outputs).some((output) => isTemporal(output.node))
  }

  get shapes(): OutputShape[] {
    return [...this.outputs.values()].map(({ shape }) => shape)
  }

  /** Makes the operators: the same ones in the same order on every worker. */
  build(job: Job<InputDefinitions, OutputDefinitions>): void {
    const outputs = Object.entries<OutputDefinition>(job.outputs)
    const builder = new Builder(
      this.graph,
      outputs.map(([, output]) => output.node),
      outputLookups(job.outputs),
    )
    builder.minted = this.minted
    for (const [name, node] of Object.entries(job.inputNodes))
      this.inputs.set(name, new ThreadInput(name, node.definition, builtInput(builder, node)))
    const made = new Map<string, ErrorsEnd>()
    const all = new Set<Stream>()
    for (const [name, output] of outputs) {
      const { rows, errors } = builder.of(output.node)
      for (const stream of errors) all.add(stream)
      this.outputs.set(name, this.output(builder, name, output, rows, this.errorsEnd(errors, made)))
    }
    this.countErrors(all, made)
  }

  /** All workers have it. What is fed first is for these times. */
  start(replayed: readonly number[]): void {
    this.replayed = [...replayed]
    this.graph.start()
  }

  /** Rows for the time that the next `advance` gives. If that is known they go on at once: the first of a replay has all there was. */
  feed({ input: name, partition, runs }: Feed): void {
    const input = this.inputs.get(name)
    if (input === undefined) throw this.unknown('input', name, this.inputs)
    for (const run of runs) input.feed(run, partition)
    if (this.replayed.length > 0) input.flushAt(this.replayed[0])
  }

  /** Whether so much waits for a time that more has to stay outside. Never while all minted times are complete, so that times go on. */
  get isFull(): boolean {
    if (this.complete >= this.minted.last) return false
    let rows = 0
    for (const input of this.inputs.values()) rows += input.waiting
    return rows > WAITING_ROWS
  }

  /** By name of the output, where it keeps rows. */
  get outputRows(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const [name, { rowCount }] of this.outputs) if (rowCount !== null) counts[name] = rowCount
    return counts
  }

  /** A time is minted: everything that was fed has it. */
  advance(time: number): void {
    const replayed = this.replayed.shift()
    invariant(replayed === undefined || replayed === time, `time ${time} was given, and ${replayed} is to be replayed`)
    this.minted.add(time)
    this.lookedAt = -1
    for (const input of this.inputs.values()) input.seal(time)
  }

  /** Times before `compactTo` are read no more, but as of `time` reads go on. */
  show(time: number, compactTo: number): void {
    if (time > this.visible) this.visible = time
    for (const output of this.outputs.values()) output.compactTo(Math.min(compactTo, this.visible))
  }

  /** @throws MillraceError UNKNOWN_NAME, and as ThreadOutput.read */
  read(query: ReadOutput): CountedRow[] {
    return this.outputOf(query.output).read(query)
  }

  /** @throws MillraceError UNKNOWN_NAME, and as ThreadOutput.follow */
  follow({ request, output: name, after }: FollowOutput, event: (told: ChangesTold) => void): void {
    const output = this.outputOf(name)
    output.follow(request, after)
    output.tell(event)
  }

  unfollow(request: number): void {
    for (const output of this.outputs.values()) output.unfollow(request)
  }

  /** Tells followers what is new, and returns whether `complete` has moved. */
  tell(event: (told: ChangesTold) => void): boolean {
    const { graph, ends, minted } = this
    if (this.lookedAt === graph.activations) return false
    this.lookedAt = graph.activations
    for (const output of this.outputs.values()) output.tell(event)
    let frontier = Number.POSITIVE_INFINITY
    for (let i = 0; i < ends.length; i++) if (ends[i].frontier < frontier) frontier = ends[i].frontier
    const complete = minted.completeBelow(frontier)
    if (complete <= this.complete) return false
    this.complete = complete
    minted.forget(complete)
    return true
  }

  private output(builder: Builder, name: string, output: OutputDefinition, stream: Stream, errors: KeptRows): ThreadOutput {
    const { schema } = output.node
    const kept = keptBy(output)
    const isKeyed = output instanceof IndexedOutput
    const shape: OutputShape = {
      name,
      columns: schema.names,
      types: schema.types.map(typeName),
      key: isKeyed ? output.key : null,
      kept: kept !== null,
      sharded: isKeyed,
    }
    if (output instanceof Probed) return new ThreadOutput(shape, this.endAt(new ProbeOperator(stream)), null, errors)
    if (output instanceof Changelog || kept === null) {
      const rows = new ChangelogRows(name, this.since, stream)
      return new ThreadOutput(shape, this.endAt(rows.end), rows, errors)
    }
    const reader = new ArrangementReader(builder.arrange(output.node, kept), schema)
    const rows = new KeptRows(name, this.since, reader, isKeyed ? kept : null)
    return new ThreadOutput(shape, this.endAt(rows.end), rows, errors)
  }

  /** The errors of a set of operators; outputs with the same set share them. */
  private errorsEnd(sources: ReadonlySet<Stream>, made: Map<string, ErrorsEnd>): KeptRows {
    const id = nameOf(sources)
    const known = made.get(id)
    if (known !== undefined) return known.rows
    const operator = new ErrorsOperator(this.graph, sources)
    const all = errorSchema.types.map((_, column) => column)
    const arrangement = new ArrangeOperator(operator.stream, all, errorSchema.types, this.graph.keyTable(errorSchema.types))
    const rows = new KeptRows('errors', this.since, new ArrangementReader(arrangement), null)
    this.endAt(arrangement)
    made.set(id, { operator, rows })
    return rows
  }

  /** Counts each error once, however many outputs it is an error of. */
  private countErrors(sources: ReadonlySet<Stream>, made: ReadonlyMap<string, ErrorsEnd>): void {
    const operator = made.get(nameOf(sources))?.operator ?? new ErrorsOperator(this.graph, sources)
    new OutputOperator(operator.stream, 'errors').subscribeColumns(({ n, differences }) => {
      for (let i = 0; i < n; i++) this.errorCount += differences[i]
    })
  }

  private endAt(operator: Operator): Operator {
    this.ends.push(operator)
    return operator
  }

  private outputOf(name: string): ThreadOutput {
    const output = this.outputs.get(name)
    if (output === undefined) throw this.unknown('output', name, this.outputs)
    return output
  }

  private unknown(what: string, name: string, known: ReadonlyMap<string, unknown>): MillraceError {
    const names = [...known.keys()].join(', ')
    return new MillraceError('UNKNOWN_NAME', `${this.graph.name} has no ${what} ${JSON.stringify(name)} (${names}).`)
  }
}

function nameOf(sources: ReadonlySet<Stream>): string {
  return [...sources].map(({ operator }) => operator.id).join()
}
