/**
 * join inside a loop: pairs of rows of two arrangements with equal keys, with the product of their multiplicities.
 *
 * Computes: for each difference of one side, its pairs with all differences of the other, at the least time at or beyond both.
 * State: none of its own; the two arrangements.
 * Times: partial order; nothing waits for a time to be complete. An arrangement holds a batch before the join has seen it,
 * so pairs with rows that still wait in the other port are subtracted: they come when it is those rows' turn.
 * Cost: a record lookup per changed row, a write per match. Yields after a chunk of output.
 * Source: differential dataflow's join (CIDR 2013).
 *
 * @example
 *   builder.generalJoin(edges by src, reached by node, columns)   // inside iterate
 */
import { type Batch, BatchPool, powerOfTwo } from '../runtime/data/batch.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { invariant } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { GeneralArrangeOperator } from './general-arrange.ts'
import {
  type Arenas,
  type ChainedRows,
  chainKernel,
  type GeneralKernel,
  type JoinOutput,
  type SegmentArrays,
  segmentKernel,
  type TimedRows,
} from './general-join-kernel.ts'
import { emptyArena, type JoinColumn, type JoinLayout, type JoinProgress, joinError } from './join-kernel.ts'

/** Output rows a chunk at most, unless one row alone has more matches. */
const CHUNK_ROWS = 1 << 14
const SMALLEST_CHUNK_ROWS = 64

type Side = 'left' | 'right'

export class GeneralJoinOperator extends Operator {
  private readonly left: GeneralArrangeOperator
  private readonly right: GeneralArrangeOperator
  private readonly leftPort: Port
  private readonly rightPort: Port
  private readonly pool: BatchPool
  private readonly layout: JoinLayout
  private readonly segmentKernels: Record<Side, GeneralKernel<SegmentArrays>>
  private readonly progress: JoinProgress = { row: 0, need: 0 }
  private readonly rows: TimedRows
  private readonly arenas: Arenas = { delta: emptyArena(), other: emptyArena(), key: emptyArena() }
  private readonly result: JoinOutput
  private readonly early: ChainedRows
  /** The batch that is being joined, and its side. */
  private delta: Batch | null = null
  private side: Side = 'left'
  /** What of the current batch is still to be subtracted: rows up to here have met the segments. */
  private subtracting = false
  private from = 0
  private until = 0
  /** How many batches of which port `early` holds; null if it is out of date. */
  private earlyPort: Port | null = null
  private earlyBatches = 0

  constructor(left: GeneralArrangeOperator, right: GeneralArrangeOperator, schema: Schema, columns: readonly JoinColumn[]) {
    super(left.dataflow, 'join')
    invariant(left.keys === right.keys, 'joined arrangements share a key table')
    invariant(left.region === right.region, 'joined arrangements are in one loop region')
    this.left = left
    this.right = right
    this.leftPort = this.listen(left)
    this.rightPort = this.listen(right)
    this.pool = new BatchPool(schema.widths)
    const side = ({ trace }: GeneralArrangeOperator) =>
      trace.rows === null ? null : { stride: trace.rows.stride, offset: trace.rows.offset }
    this.layout = { columns, left: side(left), right: side(right), key: null }
    this.segmentKernels = { left: segmentKernel(this.layout, 'left'), right: segmentKernel(this.layout, 'right') }
    const none = emptyArena()
    this.rows = { keys: none, values: none, times: null, time: 0, differences: none, n: 0 }
    this.early = { keys: none, values: none, times: none, time: 0, differences: none, n: 0, heads: none, next: none }
    this.result = { columns: [], times: none, differences: none, n: 0, capacity: 0 }
  }

  step(): void {
    let out: Batch | null = null
    while (this.delta !== null || this.begin()) {
      const { progress, result } = this
      out = this.room(out)
      try {
        if (this.subtracting) this.subtract()
        else this.produce()
      } catch (error) {
        throw joinError(error)
      }
      out.n = result.n
      if (this.delta !== null && result.n > 0) {
        this.send(out)
        this.yield()
        return
      }
      if (progress.need > 0 && out.n === 0) {
        out.release()
        out = null
      }
    }
    if (out !== null) this.send(out)
  }

  /** Takes up the next batch, of the longer queue first: what waits in the other one has to be indexed. */
  private begin(): boolean {
    const left = waiting(this.leftPort)
    const right = waiting(this.rightPort)
    if (left === 0 && right === 0) return false
    this.side = left >= right ? 'left' : 'right'
    const port = this.side === 'left' ? this.leftPort : this.rightPort
    const batch = port.pop() as Batch
    if (this.earlyPort === port) this.earlyPort = null
    this.delta = batch
    const { rows, progress } = this
    rows.keys = batch.columns[0]
    rows.values = batch.columns[1]
    rows.times = batch.times
    rows.time = batch.time
    rows.differences = batch.differences
    progress.row = 0
    progress.need = 0
    this.subtracting = false
    return true
  }

  private room(open: Batch | null): Batch {
    const delta = this.delta as Batch
    const wanted = Math.max(this.progress.need, Math.min(CHUNK_ROWS, Math.max(SMALLEST_CHUNK_ROWS, 4 * delta.n)))
    this.progress.need = 0
    const { result } = this
    const out = open ?? this.pool.take(0, wanted)
    result.columns = out.columns
    result.times = out.useTimes()
    result.differences = out.differences
    result.capacity = out.capacity
    result.n = out.n
    return out
  }

  /** The rest of the batch against the segments; then as many rows against what the segments hold too early. */
  private produce(): void {
    const { progress, rows } = this
    const left = this.side === 'left'
    const own = left ? this.left : this.right
    const other = left ? this.right : this.left
    other.trace.fit()
    other.trace.load((this.delta as Batch).columns[0], (this.delta as Batch).n)
    const layout = this.prepare(own, other)
    const run = layout === this.layout ? this.segmentKernels[this.side] : segmentKernel(layout, this.side)
    this.from = progress.row
    rows.n = (this.delta as Batch).n
    run(progress, rows, other.trace.segments, this.arenas, this.result, own.region.times)
    this.until = progress.row
    if (this.until > this.from && this.collectEarly(left ? this.rightPort : this.leftPort)) {
      this.subtracting = true
      progress.row = this.from
    } else this.finishIfDone()
  }

  private subtract(): void {
    const { progress, rows } = this
    const left = this.side === 'left'
    const own = left ? this.left : this.right
    const layout = this.prepare(own, left ? this.right : this.left)
    rows.n = this.until
    chainKernel(layout, this.side)(progress, rows, this.early, this.arenas, this.result, own.region.times)
    if (progress.row < this.until) return
    this.subtracting = false
    this.finishIfDone()
  }

  private finishIfDone(): void {
    const delta = this.delta as Batch
    if (this.progress.row < delta.n) return
    this.delta = null
    delta.release()
  }

  private prepare(own: GeneralArrangeOperator, other: GeneralArrangeOperator): JoinLayout {
    const { arenas } = this
    const { words, dense } = own.keys
    arenas.delta = own.trace.rows?.arena ?? emptyArena()
    arenas.other = other.trace.rows?.arena ?? emptyArena()
    if (dense || words === null) return this.layout
    arenas.key = words.arena
    return { ...this.layout, key: { stride: words.stride, offset: words.offset } }
  }

  /** Chains the rows that wait in the other port by key; false if there are none. */
  private collectEarly(port: Port): boolean {
    const n = waiting(port)
    if (n === 0) return false
    if (this.earlyPort === port && this.earlyBatches === port.length) return true
    this.earlyPort = port
    this.earlyBatches = port.length
    const { early } = this
    const size = powerOfTwo(n)
    early.keys = new Int32Array(n)
    early.values = new Int32Array(n)
    early.differences = new Int32Array(n)
    early.heads = new Int32Array(size)
    early.next = new Int32Array(n)
    const times = new Int32Array(n)
    early.times = times
    early.n = n
    let row = 0
    for (let b = 0; b < port.length; b++) {
      const batch = port.at(b) as Batch
      for (let i = 0; i < batch.n; i++, row++) {
        const key = batch.columns[0][i]
        early.keys[row] = key
        early.values[row] = batch.columns[1][i]
        times[row] = batch.times === null ? batch.time : batch.times[i]
        early.differences[row] = batch.differences[i]
        const hash = (key ^ (key >>> 12)) & (size - 1)
        early.next[row] = early.heads[hash]
        early.heads[hash] = row + 1
      }
    }
    return true
  }
}

/** Rows that wait in a port. */
function waiting(port: Port): number {
  let n = 0
  for (let i = 0; i < port.length; i++) n += (port.at(i) as Batch).n
  return n
}
