/**
 * variable: a collection of a loop that starts as its source and becomes, in each iteration, what the loop's body made of it.
 *
 * Computes: the source, and one iteration later the body's result minus the source; so at iteration i + 1 it is the result of
 * iteration i, and where nothing changes any more it is the fixed point of the body.
 * State: none.
 * Times: partial order; the loop coordinate grows by 1. At `maxIterations` rows go to a second output instead: the loop is bounded.
 * Cost: nothing a row where a batch has one time.
 * Source: `Variable` of differential dataflow; feedback of timely dataflow.
 *
 * @example
 *   iterate(roots, (reached, enter) => ..., { maxIterations: 1000 })
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { Outlet } from '../runtime/graph/outlet.ts'
import type { Region } from '../runtime/graph/region.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import { mapTimes, shellOf } from './retime.ts'

export class VariableOperator extends Operator {
  /** What would have gone on beyond the last iteration. */
  readonly beyond: Outlet
  private readonly region: Region
  private readonly depth: number
  private readonly maxIterations: number
  private readonly source: Port | null
  private readonly sourcePicks: readonly number[]
  private result: Port | null = null
  private resultPicks: readonly number[] = []
  private readonly shells: BatchPool
  private readonly pool: BatchPool
  private readonly next: (time: number) => number

  /** `source` is a stream inside the loop; null for a variable that starts empty. */
  constructor(region: Region, schema: Schema, depth: number, source: Stream | null, maxIterations: number) {
    super(region.dataflow, 'variable')
    this.region = region
    this.depth = depth
    this.maxIterations = maxIterations
    this.shells = new BatchPool(schema.widths, true)
    this.pool = new BatchPool(schema.widths)
    const { times } = region
    this.next = (time) => times.increment(time)
    this.sourcePicks = source?.picks ?? []
    this.source = source === null ? null : this.listen(source.operator)
    this.beyond = new Outlet(this.dataflow, 'variable beyond')
    region.addFollower(this, this.beyond)
  }

  /** Closes the loop. */
  connect(result: Stream): void {
    this.resultPicks = result.picks
    this.result = this.listen(result.operator)
    this.region.setKind(this.result, 'feedback')
  }

  step(): void {
    const { source, result } = this
    if (source !== null) {
      for (let batch = source.pop(); batch !== null; batch = source.pop()) {
        batch.readers++
        this.sendOn(this.negated(batch))
        this.send(this.shown(batch, this.sourcePicks))
      }
    }
    if (result !== null)
      for (let batch = result.pop(); batch !== null; batch = result.pop()) this.sendOn(this.shown(batch, this.resultPicks))
  }

  private shown(batch: Batch, picks: readonly number[]): Batch {
    const out = shellOf(this.shells, batch)
    out.columns = picks.map((pick) => batch.columns[pick])
    out.floats = picks.map((pick) => batch.floats[pick])
    out.longs = picks.map((pick) => batch.longs[pick])
    return out
  }

  private negated(batch: Batch): Batch {
    const out = this.shown(batch, this.sourcePicks)
    out.differences = batch.differences.slice(0, batch.n)
    for (let i = 0; i < batch.n; i++) out.differences[i] = -out.differences[i]
    return out
  }

  /** Sends a batch of its own one iteration on. */
  private sendOn(batch: Batch): void {
    const { times } = batch
    mapTimes(batch, batch, this.next)
    if (times === null) {
      if (this.isBeyond(batch.time)) this.beyond.send(batch)
      else this.send(batch)
      return
    }
    let beyond = 0
    const mapped = batch.times as Int32Array
    for (let i = 0; i < batch.n; i++) if (this.isBeyond(mapped[i])) beyond++
    if (beyond === 0) this.send(batch)
    else if (beyond === batch.n) this.beyond.send(batch)
    else this.split(batch)
  }

  private split(batch: Batch): void {
    const kept = this.pool.take(0, batch.n)
    const beyond = this.pool.take(0, batch.n)
    const times = batch.times as Int32Array
    for (let i = 0; i < batch.n; i++) copyRow(batch, i, this.isBeyond(times[i]) ? beyond : kept)
    batch.release()
    this.send(kept)
    this.beyond.send(beyond)
  }

  private isBeyond(time: number): boolean {
    return this.region.times.coordinate(time, this.depth) >= this.maxIterations
  }
}

function copyRow(from: Batch, i: number, to: Batch): void {
  const row = to.n++
  for (let c = 0; c < to.widths.length; c++) {
    const width = to.widths[c]
    for (let j = 0; j < width; j++) to.columns[c][width * row + j] = from.columns[c][width * i + j]
  }
  to.differences[row] = from.differences[i]
  to.useTimes()[row] = (from.times as Int32Array)[i]
}
