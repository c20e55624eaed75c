/**
 * How many nodes have how many edges, on several workers: each feeds its share of every round. A program reports, for each time,
 * the checksum of its part of the output so far, and how long the rounds took.
 */

import { count, int32, job, table } from '../../../millrace.ts'
import { Builder } from '../../../operators/builder.ts'
import { builtInput } from '../../../operators/input-node.ts'
import { outputLookups } from '../../../operators/job.ts'
import { OutputOperator } from '../../../operators/output.ts'
import { nodeThreadSurroundings } from '../../../runtime/env/node-thread-surroundings.ts'
import { Dataflow } from '../../../runtime/graph/dataflow.ts'
import { type ProgramContext, runProgram } from '../../../worker/parallel-thread.ts'

export interface DegreesData {
  readonly nodes: number
  readonly load: number
  readonly batch: number
  readonly rounds: number
  /** Throws in this round, on the last worker. */
  readonly failAt?: number
}

export interface DegreesReport {
  readonly checksums: readonly number[]
  readonly loadMilliseconds: number
  readonly roundsMilliseconds: number
  readonly medianMicroseconds: number
}

const degrees = job('degrees', { edges: table({ src: int32, dst: int32 }) }, ({ edges }) => ({
  out: edges
    .groupBy('src')
    .aggregate(() => ({ d: count() }))
    .groupBy('d')
    .aggregate(() => ({ n: count() }))
    .changelog(),
}))

function program(context: ProgramContext<DegreesData>): void {
  const { index, workers, worker, data } = context
  const graph = new Dataflow('degrees', worker.dictionary, 0)
  let input: ReturnType<typeof builtInput> | undefined
  let output: OutputOperator | undefined
  worker.add(0, graph, () => {
    const { out } = degrees.outputs
    const builder = new Builder(graph, [out.node], outputLookups(degrees.outputs))
    input = builtInput(builder, degrees.inputNodes.edges)
    output = new OutputOperator(builder.of(out.node).rows, 'out')
  })
  if (input === undefined || output === undefined) throw new Error('not installed')
  const edges = input
  const end = output
  let checksum = 0
  end.subscribeColumns(({ n, words: { d, n: counts }, differences }) => {
    for (let i = 0; i < n; i++) checksum = (checksum + Math.imul(differences[i], hash(d[2 * i], counts[2 * i]))) >>> 0
  })
  const stream = drawn(data)
  const share = (from: number, to: number): { src: number; dst: number }[] => {
    const rows: { src: number; dst: number }[] = []
    for (let i = from; i < to; i++) if (i % workers === index) rows.push({ src: stream[2 * i], dst: stream[2 * i + 1] })
    return rows
  }
  const commit = (time: number): void => {
    edges.input.seal(time)
    edges.rejected.seal(time)
    context.stepWhile(() => end.frontier <= time)
  }
  const change = (from: number, to: number, difference: number): void => {
    for (let i = from; i < to; i += 2048) edges.input.changeRows(share(i, Math.min(to, i + 2048)), difference)
  }
  const checksums: number[] = []
  const latencies: number[] = []
  let before = performance.now()
  change(0, data.load, 1)
  commit(0)
  const loadMilliseconds = performance.now() - before
  const start = performance.now()
  for (let round = 0; round < data.rounds; round++) {
    if (round === data.failAt && index === workers - 1) throw new Error(`round ${round} fails`)
    before = performance.now()
    const from = round * data.batch
    change(data.load + from, data.load + from + data.batch, 1)
    change(from, from + data.batch, -1)
    commit(round + 1)
    latencies.push(performance.now() - before)
    checksums.push(checksum)
  }
  const roundsMilliseconds = performance.now() - start
  latencies.sort((a, b) => a - b)
  const report: DegreesReport = {
    checksums,
    loadMilliseconds,
    roundsMilliseconds,
    medianMicroseconds: 1000 * latencies[latencies.length >> 1],
  }
  context.report(report)
}

function drawn({ nodes, load, batch, rounds }: DegreesData): Int32Array {
  let state = 1234567
  return Int32Array.from({ length: 2 * (load + batch * rounds) }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % nodes
  })
}

const hash = (a: number, b: number) => (Math.imul(a, 2654435761) ^ (Math.imul(b, 40503) + 1)) >>> 0

runProgram(nodeThreadSurroundings(), program)
