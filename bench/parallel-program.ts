/** A workload on one of several worker threads: builds the dataflow, feeds its share of each batch, and steps until all have folded it. */
import { Builder } from '../operators/builder.ts'
import type { InputOperator } from '../operators/input.ts'
import { builtInput } from '../operators/input-node.ts'
import { outputLookups } from '../operators/job.ts'
import { OutputOperator } from '../operators/output.ts'
import { nodeThreadSurroundings } from '../runtime/env/node-thread-surroundings.ts'
import { Dataflow } from '../runtime/graph/dataflow.ts'
import { Timeline } from '../runtime/time/timeline.ts'
import { type ProgramContext, runProgram } from '../worker/parallel-thread.ts'
import { globalProbe } from './global-probe.ts'
import { workloadJobs } from './jobs.ts'
import { rowsOf, SLICE } from './millrace.ts'
import type { SharedProgramData, WorkerResult } from './parallel-options.ts'
import { parametersOf } from './runner.ts'
import { Sink } from './sink.ts'
import { type Streams, type Workload, workloads } from './workloads.ts'

const NEVER = Number.POSITIVE_INFINITY
const NOTHING = { next: () => NEVER }

function program(context: ProgramContext<SharedProgramData>): void {
  const { worker, index, workers } = context
  const { workload, args, seed, forms, feed, warm } = context.data
  const parameters = parametersOf(workload, args, warm)
  const streams = context.data.streams ?? (workloads[workload].draw(parameters, seed) as Streams[Workload])
  const { job, inputs, initial, foldColumns, foldRows } = (
    workloadJobs[workload] as (drawn: Streams[Workload]) => ReturnType<(typeof workloadJobs)[Workload]>
  )(streams)
  // A worker that is ahead may have sent changes of the next time already: never of the one after it.
  const sinks = [new Sink(), new Sink()]
  const total = new Sink()
  const operators = new Map<string, InputOperator>()
  const sealed: InputOperator[] = []
  let time = 0
  const timeline = new Timeline(() => time, -1)
  let probe = { frontier: 0 }
  const graph = new Dataflow(job.name, worker.dictionary, 0)
  worker.add(0, graph, () => {
    const builder = new Builder(
      graph,
      Object.values(job.outputs).map((output) => output.node),
      outputLookups(job.outputs),
    )
    builder.minted = NOTHING
    for (const [name, node] of Object.entries(job.inputNodes)) {
      const { input, rejected } = builtInput(builder, node)
      for (const operator of [input, rejected]) operator.start(timeline)
      operators.set(name, input)
      sealed.push(input)
      rejected.advance(NEVER)
    }
    const { rows } = builder.of(job.outputs['out'].node)
    const output = new OutputOperator(rows, 'out')
    const [even, odd] = sinks.map((sink) => (forms.output === 'columns' ? foldColumns(sink) : foldRows(sink)) as (changes: object) => void)
    const fold = (changes: { readonly time: number }): void => (changes.time % 2 === 0 ? even : odd)(changes)
    if (forms.output === 'columns') output.subscribeColumns(fold)
    else output.subscribe(fold)
    probe = globalProbe(builder, rows)
  })

  const feedRows = (name: string, rowAt: (i: number) => object, from: number, to: number, difference: number): void => {
    const input = operators.get(name) as InputOperator
    for (let i = from, slices = 1; i < to; i += SLICE, slices++) {
      input.changeRows(rowsOf(rowAt, i, Math.min(to, i + SLICE)), difference)
      // What has been exchanged goes on its way while more is fed: about a slice to each worker at a time.
      if (slices % workers !== 0) continue
      context.step()
      context.stepWhile(() => !context.wantsFeed)
    }
  }
  /** The part of rows that this worker feeds: an equal share, or of a single row whoever's turn it is. */
  const share = (from: number, to: number): readonly [number, number] => {
    if (feed === 'one') return index === 0 ? [from, to] : [from, from]
    const n = to - from
    const first = (index + from) % workers
    return [from + Math.floor((first * n) / workers), from + Math.floor(((first + 1) * n) / workers)]
  }
  const step = (addFrom: number, addTo: number, removeFrom: number, removeTo: number): void => {
    for (const { name, rowAt } of inputs) {
      feedRows(name, rowAt, ...share(addFrom, addTo), 1)
      feedRows(name, rowAt, ...share(removeFrom, removeTo), -1)
    }
    timeline.close()
    for (const input of sealed) input.seal(time)
    context.stepWhile(() => probe.frontier <= time)
    const sink = sinks[time % 2]
    total.add(sink)
    sink.clear()
    time++
  }

  // Nobody is measured while others are still starting.
  step(0, 0, 0, 0)
  if (index === 0) for (const [name, some] of Object.entries(initial)) operators.get(name)?.changeRows(some, 1)
  const { rows, batch, rounds } = parameters
  globalThis.gc?.()
  const loadStart = performance.now()
  step(0, rows, 0, 0)
  const loadMilliseconds = performance.now() - loadStart
  const loaded = { loadChecksum: total.checksum, loadRows: total.rows }
  total.diffs = 0
  const latencies = new Float64Array(rounds - warm)
  const checksums = new Float64Array(rounds)
  // Of all threads of the process.
  let cpuStart = process.cpuUsage()
  let roundsStart = performance.now()
  for (let round = 0; round < rounds; round++) {
    const roundStart = performance.now()
    if (round === warm) {
      cpuStart = process.cpuUsage()
      roundsStart = roundStart
    }
    const from = round * batch
    step(rows + from, rows + from + batch, from, from + batch)
    if (round >= warm) latencies[round - warm] = performance.now() - roundStart
    checksums[round] = total.checksum
  }
  const roundsMilliseconds = performance.now() - roundsStart
  const cpu = process.cpuUsage(cpuStart)
  context.report({
    loadMilliseconds,
    ...loaded,
    roundsMilliseconds,
    latencies: Array.from(latencies.sort()),
    checksums: Array.from(checksums),
    rows: total.rows,
    diffs: total.diffs,
    processMilliseconds: (cpu.user + cpu.system) / 1000,
  } satisfies WorkerResult)
}

runProgram<SharedProgramData>(nodeThreadSurroundings(), program)
