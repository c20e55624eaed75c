/**
 * enter and leave: bring a collection into a loop, and out of it.
 *
 * Computes: the same rows; a time gets one more loop coordinate (0), or loses its last.
 * State: leaving an outermost loop, rows of outer times that are not complete.
 * Times: entering and leaving an inner loop only renames times; leaving an outermost one waits until an outer time is over, sums its
 * rows, and passes outer times on in order.
 * Cost: nothing a row where a batch has one time; a copy and a hash consolidation a row at the outermost exit.
 * Source: scopes of timely dataflow (Naiad, SOSP 2013).
 *
 * @example
 *   iterate(roots, (reached, enter) => distinct(join(enter(edges), reached)))
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { consolidate } from '../runtime/data/consolidate.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { markBatch } from '../runtime/graph/garbage.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { Region, RegionExit } from '../runtime/graph/region.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { mapTimes, shellOf } from './retime.ts'

/** Into an outermost loop: outer times become times of the region. */
export class EnterOperator extends Operator {
  private readonly port: Port
  private readonly region: Region
  private readonly entrance: number
  private readonly shells: BatchPool

  constructor(stream: Stream, region: Region) {
    super(stream.operator.dataflow, 'enter')
    this.region = region
    this.shells = new BatchPool(stream.schema.widths, true)
    this.port = this.listen(stream.operator)
    this.entrance = region.addEntrance(this)
  }

  step(): void {
    const { port, region } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const out = shellOf(this.shells, batch)
      out.time = region.times.enterOuter(batch.time)
      this.send(out)
    }
    region.enterFrontier(this.entrance, port.frontier)
  }
}

/** Into a loop within a loop, or out of one: times of the region become others of another depth. */
export class RetimeOperator extends Operator {
  private readonly port: Port
  private readonly shells: BatchPool
  private readonly map: (time: number) => number

  constructor(stream: Stream, region: Region, kind: 'enter' | 'leave') {
    super(stream.operator.dataflow, kind)
    const { times } = region
    this.map = kind === 'enter' ? (time) => times.enter(time) : (time) => times.leave(time)
    this.shells = new BatchPool(stream.schema.widths, true)
    this.port = this.listen(stream.operator)
    region.setKind(this.port, kind)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const out = shellOf(this.shells, batch)
      mapTimes(batch, out, this.map)
      this.send(out)
    }
  }
}

/** Out of an outermost loop. */
export class LeaveOperator extends Operator implements RegionExit {
  readonly operator: Operator = this
  location = -1
  private readonly port: Port
  private readonly region: Region
  private readonly picks: readonly number[]
  private readonly types: readonly ColumnType[]
  private readonly pool: BatchPool
  /** Rows of incomplete outer times, one batch an outer time, in no order. */
  private readonly incomplete: Batch[] = []
  private complete = 0

  constructor(stream: Stream, region: Region) {
    super(stream.operator.dataflow, 'leave')
    this.region = region
    this.picks = stream.picks
    this.types = stream.schema.types
    this.pool = new BatchPool(stream.schema.widths)
    this.port = this.listen(stream.operator)
    region.setKind(this.port, 'leave')
    region.addExit(this)
  }

  reached(frontier: number): boolean {
    if (frontier <= this.complete) return false
    this.complete = frontier
    this.activate()
    return true
  }

  step(): void {
    const { port, incomplete } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.take(batch)
      batch.release()
    }
    if (this.complete <= this.frontier) return
    incomplete.sort((a, b) => a.time - b.time)
    let done = 0
    for (; done < incomplete.length && incomplete[done].time < this.complete; done++) {
      consolidate(incomplete[done])
      this.send(incomplete[done])
    }
    if (done > 0) incomplete.splice(0, done)
    this.advance(this.complete)
  }

  /** Rows of incomplete outer times come out when the loop is done with them. */
  override heldTime(): number {
    let held = Number.POSITIVE_INFINITY
    for (const { time } of this.incomplete) if (time < held) held = time
    return held
  }

  override markDictionary(dictionary: Dictionary): void {
    for (const batch of this.incomplete) markBatch(dictionary, batch, this.types)
  }

  private take(batch: Batch): void {
    const { times } = this.region
    if (batch.times === null) {
      this.append(batch, 0, batch.n, times.outer(batch.time))
      return
    }
    let from = 0
    while (from < batch.n) {
      const outer = times.outer(batch.times[from])
      let to = from + 1
      while (to < batch.n && (batch.times[to] === batch.times[to - 1] || times.outer(batch.times[to]) === outer)) to++
      this.append(batch, from, to, outer)
      from = to
    }
  }

  private append(batch: Batch, from: number, to: number, outer: number): void {
    let out = this.incomplete.find((each) => each.time === outer)
    if (out === undefined) {
      out = this.pool.take(outer, to - from)
      this.incomplete.push(out)
    }
    out.reserve(out.n + to - from)
    for (let c = 0; c < this.picks.length; c++) {
      const width = out.widths[c]
      copyWords(batch.columns[this.picks[c]], width * from, width * to, out.columns[c], width * out.n)
    }
    copyWords(batch.differences, from, to, out.differences, out.n)
    out.n += to - from
  }
}

function copyWords(source: Int32Array, from: number, to: number, target: Int32Array, at: number): void {
  for (let i = from, j = at; i < to; i++, j++) target[j] = source[i]
}

/** The stream inside a loop of this region, one level deeper. */
export function entered(stream: Stream, region: Region): Stream {
  const operator = stream.depth === 0 ? new EnterOperator(stream, region) : new RetimeOperator(stream, region, 'enter')
  return { ...stream, operator, region, depth: stream.depth + 1 }
}

/** The stream outside of its innermost loop. */
export function left(stream: Stream): Stream {
  const region = stream.region as Region
  if (stream.depth === 1) return streamOf(new LeaveOperator(stream, region), stream.schema)
  return { ...stream, operator: new RetimeOperator(stream, region, 'leave'), depth: stream.depth - 1 }
}
