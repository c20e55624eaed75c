/**
 * exchange: brings each row to the worker that owns its key's virtual shard.
 *
 * The sending half partitions batches into frames; the receiving half turns frames into batches. Frames under way are
 * counted as pointstamps at the receiving operator's location: plus one when sent, minus one when taken, both published
 * with everything else that the worker did in the same turn.
 */
import { BatchPool, powerOfTwo } from '../data/batch.ts'
import { type ColumnType, isInterned } from '../data/column-type.ts'
import { hashKeys, virtualShard } from '../data/key-hash.ts'
import { Operator, type Port } from '../graph/operator.ts'
import { pickColumns, type Stream } from '../graph/stream.ts'
import type { Exchanger } from './exchanger.ts'
import { decodeFrame, type Frame, FrameEncoder, type FrameTimes } from './frame.ts'

export class ExchangeSender extends Operator {
  private readonly port: Port
  private readonly stream: Stream
  private readonly exchanger: Exchanger
  private readonly keyColumns: readonly number[]
  private readonly keyTypes: readonly ColumnType[]
  private readonly encoder: FrameEncoder
  private readonly columns: Int32Array[] = []
  private readonly keyScratch: Int32Array[] = []
  private hashes = new Uint32Array(0)
  /** Row numbers of the batch at hand, by worker. */
  private readonly rowsOf: Int32Array[]
  private readonly counts: Int32Array
  /** The receiving operator's id, which is also the location of frames under way; set when that exists. */
  target = -1

  constructor(stream: Stream, keyColumns: readonly number[], exchanger: Exchanger) {
    super(stream.operator.dataflow, 'exchange')
    this.stream = stream
    this.exchanger = exchanger
    this.keyColumns = keyColumns
    this.keyTypes = keyColumns.map((column) => stream.schema.types[column])
    this.encoder = new FrameEncoder(stream.schema.widths, stream.schema.types.map(isInterned))
    const { workers } = exchanger.shards
    this.rowsOf = Array.from({ length: workers }, () => new Int32Array(0))
    this.counts = new Int32Array(workers)
    this.port = this.listen(stream.operator)
  }

  step(): void {
    const { port, exchanger, counts, rowsOf } = this
    const { dictionary } = this.dataflow
    const inside: FrameTimes | null = this.stream.region === null ? null : { table: this.stream.region.times, depth: this.stream.depth }
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const columns = pickColumns(batch, this.stream.picks, this.columns)
      if (this.hashes.length < batch.n) this.hashes = new Uint32Array(powerOfTwo(batch.n))
      for (let k = 0; k < this.keyColumns.length; k++) this.keyScratch[k] = columns[this.keyColumns[k]]
      hashKeys(this.keyScratch, this.keyTypes, batch.n, dictionary, this.hashes)
      counts.fill(0)
      for (let worker = 0; worker < counts.length; worker++)
        if (rowsOf[worker].length < batch.n) rowsOf[worker] = new Int32Array(powerOfTwo(batch.n))
      const { owners } = exchanger.shards
      for (let i = 0; i < batch.n; i++) {
        const worker = owners[virtualShard(this.hashes[i])]
        rowsOf[worker][counts[worker]++] = i
      }
      for (let worker = 0; worker < counts.length; worker++) {
        if (counts[worker] === 0) continue
        const header = { generation: exchanger.shards.generation, dataflow: exchanger.dataflow, target: this.target }
        const frame = this.encoder.encode(header, batch, columns, rowsOf[worker], counts[worker], dictionary, inside)
        countFrame(exchanger, frame, inside, 1)
        exchanger.sendFrame(worker, frame)
      }
      batch.release()
    }
    this.advance(port.frontier)
  }
}

export class ExchangeReceiver extends Operator {
  private readonly frames: Frame[] = []
  private readonly stream: Stream
  private readonly exchanger: Exchanger
  private readonly pool: BatchPool
  private readonly interned: readonly boolean[]
  /** The frontier that the tracker has told. */
  private reached = this.frontier

  constructor(stream: Stream, exchanger: Exchanger) {
    super(stream.operator.dataflow, 'exchanged')
    this.stream = stream
    this.exchanger = exchanger
    this.pool = new BatchPool(stream.schema.widths)
    this.interned = stream.schema.types.map(isInterned)
  }

  deliver(frame: Frame): void {
    this.frames.push(frame)
    this.activate()
  }

  /** Frames that arrived and were not taken yet. */
  get waiting(): readonly Frame[] {
    return this.frames
  }

  /** What the progress tracker says can still arrive. */
  setFrontier(frontier: number): void {
    this.reached = frontier
    this.activate()
  }

  step(): void {
    const inside: FrameTimes | null = this.stream.region === null ? null : { table: this.stream.region.times, depth: this.stream.depth }
    const frames = this.frames
    // Senders run at their own pace: what is ahead of the others waits, so that readers see times in order.
    if (inside === null && frames.length > 1) frames.sort((a, b) => a.time - b.time)
    let taken = 0
    while (taken < frames.length && (inside !== null || frames[taken].time <= this.reached)) {
      const frame = frames[taken++]
      const batch = this.pool.take(frame.time, frame.rows)
      decodeFrame(frame, batch, this.stream.schema.widths, this.interned, this.dataflow.dictionary, inside)
      countFrame(this.exchanger, frame, inside, -1)
      this.send(batch)
    }
    frames.splice(0, taken)
    if (this.reached > this.frontier) this.advance(this.reached)
  }

  /** Frontiers come from the tracker; nothing is held here. */
  override heldTime(): number {
    return Number.POSITIVE_INFINITY
  }
}

/** A frame counts once at each of its times. */
function countFrame(exchanger: Exchanger, frame: Frame, inside: FrameTimes | null, delta: number): void {
  if (inside === null || frame.times === null) {
    exchanger.count({ target: frame.target, time: frame.time, timeId: -1 }, delta)
    return
  }
  const stride = inside.depth + 1
  for (let p = 0; p < frame.times.length; p += stride) {
    const timeId = inside.table.internDepth(
      inside.depth,
      frame.times[p],
      frame.times[p + 1],
      frame.times[p + 2] ?? 0,
      frame.times[p + 3] ?? 0,
    )
    exchanger.count({ target: frame.target, time: -1, timeId }, delta)
  }
}
