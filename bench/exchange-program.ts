/** Rows of two int32 columns from one worker to another, as fast as they go: all are fed at the first and owned by the last. */
import { int32 } from '../millrace.ts'
import { Builder } from '../operators/builder.ts'
import { InputOperator } from '../operators/input.ts'
import { ownersOfInt32 } from '../runtime/data/key-hash.ts'
import { Schema } from '../runtime/data/schema.ts'
import { nodeThreadSurroundings } from '../runtime/env/node-thread-surroundings.ts'
import { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { Timeline } from '../runtime/time/timeline.ts'
import { type ProgramContext, runProgram } from '../worker/parallel-thread.ts'
import { globalProbe } from './global-probe.ts'
import { hash2 } from './sink.ts'

export interface ExchangeData {
  /** Rows of a commit, and how many commits are measured. */
  readonly rows: number
  readonly commits: number
  /** Commits before those. */
  readonly warm: number
}

/** The sums over all rows, of what was fed or of what came. */
export interface ExchangeResult {
  readonly rows: number
  readonly checksum: number
  /** From the first measured row until all are known to have been folded. */
  readonly milliseconds: number
}

/** Rows that are fed at a time. */
const SLICE_ROWS = 1 << 13
/** Commits under way at one time. */
const OPEN_COMMITS = 4
const NEVER = Number.POSITIVE_INFINITY
const schema = new Schema({ k: int32, v: int32 })

class Fold extends Operator {
  rows = 0
  checksum = 0
  private readonly port: Port
  private readonly picks: readonly number[]

  constructor(stream: Stream) {
    super(stream.operator.dataflow, 'fold')
    this.picks = stream.picks
    this.port = this.listen(stream.operator)
  }

  step(): void {
    const { port, picks } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.checksum = checksumOf(batch.columns[picks[0]], batch.columns[picks[1]], batch.differences, batch.n, this.checksum)
      this.rows += batch.n
      batch.release()
    }
    this.advance(port.frontier)
  }
}

function checksumOf(keys: Int32Array, values: Int32Array, differences: Int32Array, n: number, start: number): number {
  let sum = start
  for (let i = 0; i < n; i++) sum = (sum + Math.imul(differences[i], hash2(keys[i], values[i]))) | 0
  return sum
}

function program(context: ProgramContext<ExchangeData>): void {
  const { worker, index, workers, data } = context
  const { rows, commits, warm } = data
  const graph = new Dataflow('exchange', worker.dictionary, 0)
  let time = 0
  const timeline = new Timeline(() => time, -1)
  const parts: { input: InputOperator; fold: Fold; probe: { readonly frontier: number } }[] = []
  worker.add(0, graph, () => {
    const builder = new Builder(graph, [])
    const input = new InputOperator(graph, 'rows', schema, timeline)
    const fold = new Fold(builder.exchange(streamOf(input, schema), [0]))
    parts.push({ input, fold, probe: globalProbe(builder, streamOf(fold, schema)) })
  })
  const [{ input, fold, probe }] = parts
  const k = keysOf(workers - 1, worker.shards.owners, rows)
  const v = k.map((key, i) => key ^ Math.imul(i, 0x9e3779b1))
  const feed = (count: number): void => {
    for (let commit = 0; commit < count; commit++) {
      for (let from = 0; from < rows; from += SLICE_ROWS) {
        const end = Math.min(rows, from + SLICE_ROWS)
        input.changeColumns({ k: k.subarray(from, end), v: v.subarray(from, end) }, end - from, 1)
        context.step()
        context.stepWhile(() => !context.wantsFeed)
      }
      timeline.close()
      input.seal(time)
      context.stepWhile(() => probe.frontier <= time - OPEN_COMMITS)
      time++
    }
    context.stepWhile(() => probe.frontier < time)
  }
  let milliseconds = 0
  if (index === 0) {
    feed(warm)
    const start = performance.now()
    feed(commits)
    milliseconds = performance.now() - start
  }
  input.advance(NEVER)
  context.stepWhile(() => probe.frontier !== NEVER)
  const fed = {
    rows: rows * (warm + commits),
    checksum: Math.imul(checksumOf(k, v, new Int32Array(rows).fill(1), rows, 0), warm + commits),
  }
  context.report(
    (index === 0 ? { ...fed, milliseconds } : { rows: fold.rows, checksum: fold.checksum, milliseconds }) satisfies ExchangeResult,
  )
}

/** Distinct keys that a worker owns. */
function keysOf(owner: number, owners: Int32Array, count: number): Int32Array {
  const keys = new Int32Array(count)
  const one = new Int32Array(1)
  const found = new Int32Array(1)
  for (let n = 0; n < count; one[0]++) {
    ownersOfInt32(one, 0, 1, owners, found)
    if (found[0] === owner) keys[n++] = one[0]
  }
  return keys
}

runProgram<ExchangeData>(nodeThreadSurroundings(), program)
