/**
 * exchange: brings each row to the worker that owns its key's virtual shard.
 *
 * The sending half. Rows for other workers are gathered into one open frame a destination, which goes when it is full and at the
 * end of the worker's turn, so that small rounds do not wait and large ones make few frames. Frames under way are counted as
 * pointstamps at the receiving operator's location: plus one when sent, minus one when taken, both published with
 * everything else that the worker did in the same turn. Rows for the own worker are handed over: see `ExchangeReceiver.keep`.
 *
 * State: open frames, within a turn only.
 * Cost: about 7 ns a row of one int32 key and one more column; 12 where the key is text.
 */
import { type Batch, BatchPool, powerOfTwo } from '../data/batch.ts'
import { type ColumnType, isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { ownersOfRows } from '../data/key-hash.ts'
import { markBatch } from '../graph/garbage.ts'
import { Operator, type Port } from '../graph/operator.ts'
import { pickColumns, type Stream } from '../graph/stream.ts'
import type { ExchangeReceiver } from './exchange-receiver.ts'
import type { Exchanger } from './exchanger.ts'
import { type FrameTimes, frameRows, OWN_STRINGS, packTimes } from './frame.ts'
import { gather, Partition } from './partition.ts'

const NOTHING: readonly never[] = []

export class ExchangeSender extends Operator {
  private readonly port: Port
  private readonly stream: Stream
  private readonly exchanger: Exchanger
  private receiver: ExchangeReceiver | null = null
  private readonly keyColumns: readonly number[]
  private readonly keyTypes: readonly ColumnType[]
  /** Positions of columns that hold dictionary ids. */
  private readonly interned: readonly number[]
  private readonly frameRows: number
  private readonly pool: BatchPool
  private readonly columns: Int32Array[] = []
  private readonly keyScratch: Int32Array[] = []
  private owners = new Int32Array(0)
  private readonly partition: Partition
  /** By worker: the rows that are gathered for it. */
  private readonly open: (Batch | null)[]
  private flushing = false

  constructor(stream: Stream, keyColumns: readonly number[], exchanger: Exchanger) {
    super(stream.operator.dataflow, 'exchange')
    const { types, widths } = stream.schema
    const { workers } = exchanger.shards
    this.stream = stream
    this.exchanger = exchanger
    this.keyColumns = keyColumns
    this.keyTypes = keyColumns.map((column) => types[column])
    this.interned = types.flatMap((type, column) => (isInterned(type) ? [column] : []))
    this.frameRows = frameRows(widths, this.interned.length > 0)
    this.pool = new BatchPool(widths)
    this.partition = new Partition(workers)
    this.open = Array.from({ length: workers }, () => null)
    this.port = this.listen(stream.operator)
  }

  /** Call when the receiving operator, which comes after this one, exists. */
  connect(receiver: ExchangeReceiver): void {
    this.receiver = receiver
  }

  /** The receiving operator's id, which is also the location of frames under way. */
  get target(): number {
    return (this.receiver as ExchangeReceiver).id
  }

  /** What is gathered and not sent yet. */
  get gathered(): readonly Batch[] {
    return this.open.filter((batch) => batch !== null)
  }

  step(): void {
    const { port } = this
    const { worker } = this.exchanger
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      this.distribute(batch)
      batch.release()
    }
    if (this.open[worker] !== null) this.close(worker)
    this.advance(port.frontier)
  }

  /** Sends what is gathered. */
  flush(): void {
    this.flushing = false
    for (let worker = 0; worker < this.open.length; worker++) if (this.open[worker] !== null) this.close(worker)
  }

  override markDictionary(dictionary: Dictionary): void {
    for (const batch of this.gathered) markBatch(dictionary, batch, this.stream.schema.types)
  }

  private distribute(batch: Batch): void {
    const { exchanger, partition, keyColumns, keyScratch } = this
    const { n } = batch
    const columns = pickColumns(batch, this.stream.picks, this.columns)
    if (this.owners.length < n) this.owners = new Int32Array(powerOfTwo(n))
    for (let k = 0; k < keyColumns.length; k++) keyScratch[k] = columns[keyColumns[k]]
    ownersOfRows(keyScratch, this.keyTypes, n, this.dataflow.dictionary, exchanger.shards.owners, this.owners)
    partition.group(this.owners, n)
    const { starts } = partition
    for (let worker = 0; worker < this.open.length; worker++) {
      let first = starts[worker]
      const end = starts[worker + 1]
      while (first < end) first += this.append(worker, batch, columns, first, end - first)
    }
  }

  /** Adds rows of the partition to the open frame of a worker, as many as fit; returns how many. */
  private append(worker: number, batch: Batch, columns: readonly Int32Array[], first: number, count: number): number {
    const { widths } = this.pool
    const inside = this.stream.region !== null
    let out = this.open[worker]
    if (out !== null && !inside && out.time !== batch.time) {
      this.close(worker)
      out = null
    }
    if (out === null) {
      out = this.pool.take(inside ? -1 : batch.time, Math.min(count, this.frameRows))
      this.open[worker] = out
      if (!this.flushing && worker !== this.exchanger.worker) {
        this.flushing = true
        this.exchanger.flushLater(this)
      }
    }
    const at = out.n
    const fits = Math.min(count, this.frameRows - at)
    const { rows } = this.partition
    out.reserve(at + fits)
    for (let c = 0; c < widths.length; c++) gather(columns[c], widths[c], rows, first, fits, out.columns[c], at)
    gather(batch.differences, 1, rows, first, fits, out.differences, at)
    if (inside) {
      const times = out.useTimes()
      if (batch.times === null) times.fill(batch.time, at, at + fits)
      else gather(batch.times, 1, rows, first, fits, times, at)
    }
    out.n = at + fits
    if (out.n === this.frameRows) this.close(worker)
    return fits
  }

  private close(worker: number): void {
    const batch = this.open[worker] as Batch
    this.open[worker] = null
    if (worker === this.exchanger.worker) (this.receiver as ExchangeReceiver).keep(batch)
    else if (this.interned.length === 0) this.sendRows(worker, batch, OWN_STRINGS, NOTHING, NOTHING)
    else this.sendWithStrings(worker, batch)
  }

  /** Strings may be long: then the rows become several frames. */
  private sendWithStrings(worker: number, batch: Batch): void {
    const sender = this.exchanger.stringsTo(worker)
    for (let from = 0; from < batch.n; ) {
      const end = sender.collect(batch, this.interned, from)
      const part = from === 0 && end === batch.n ? batch : this.slice(batch, from, end)
      const epoch = sender.number(part, this.interned)
      this.sendRows(worker, part, epoch, sender.ids, sender.strings)
      if (part !== batch && end === batch.n) batch.release()
      from = end
    }
  }

  private slice(batch: Batch, from: number, end: number): Batch {
    const { widths } = this.pool
    const part = this.pool.take(batch.time, end - from)
    for (let c = 0; c < widths.length; c++) part.columns[c].set(batch.columns[c].subarray(widths[c] * from, widths[c] * end))
    part.differences.set(batch.differences.subarray(from, end))
    if (batch.times !== null) part.useTimes().set(batch.times.subarray(from, end))
    part.n = end - from
    return part
  }

  private sendRows(worker: number, batch: Batch, epoch: number, ids: readonly number[], strings: readonly string[]): void {
    const { exchanger, interned, target } = this
    const { region, depth } = this.stream
    const { shards, dataflow, worker: from } = exchanger
    let times: Float64Array | null = null
    if (region === null) exchanger.count(target, batch.time, 1)
    else times = this.countTimes(batch, { table: region.times, depth })
    const { generation } = shards
    exchanger.sendFrame(worker, {
      kind: 'frame',
      generation,
      dataflow,
      target,
      from,
      time: batch.time,
      depth,
      times,
      batch,
      interned,
      epoch,
      ids,
      strings,
    })
  }

  /** Inside loops a frame counts once at each of its times. */
  private countTimes(batch: Batch, inside: FrameTimes): Float64Array {
    const seen = new Set((batch.times as Int32Array).subarray(0, batch.n))
    for (const id of seen) this.exchanger.count(this.target, id, 1)
    return packTimes(batch, inside)
  }
}
