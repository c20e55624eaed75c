/**
 * exchange: brings each row to the worker that owns its key's virtual shard.
 *
 * The sending half. Rows for other workers are gathered into one open frame a destination, which goes when it is full and at the
 * end of the worker's turn, so that small rounds do not wait and large ones make few frames. Frames under way are counted as
 * pointstamps at the receiving operator's location: plus one when sent, minus one when taken, both published with
 * everything else that the worker did in the same turn. Rows for the own worker are handed over: see `ExchangeReceiver.keep`.
 *
 * State: open frames, within a turn only.
 * Cost: 6 ns a row of an int32 key and another column while keys are small; some 10 where the key is text.
 */
import { type Batch, BatchPool } from '../data/batch.ts'
import { type ColumnType, isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { markBatch } from '../graph/garbage.ts'
import { Operator, type Port } from '../graph/operator.ts'
import { pickColumns, type Stream } from '../graph/stream.ts'
import type { ExchangeReceiver } from './exchange-receiver.ts'
import type { Exchanger } from './exchanger.ts'
import { frameRows } from './frame.ts'
import { FrameSender } from './frame-sender.ts'
import { append, areEqual, gather, Partition } from './partition.ts'
import { RowCombiner } from './row-combiner.ts'

/** Rows that are routed at a time: they stay in the nearest cache from one loop to the next. */
const SLICE_ROWS = 1 << 11
/** Fewer rows are not worth a preparation. */
const FEW_ROWS = 64

export class ExchangeSender extends Operator {
  private readonly port: Port
  private readonly stream: Stream
  private readonly exchanger: Exchanger
  private receiver: ExchangeReceiver | null = null
  private readonly keyColumns: readonly number[]
  private readonly keyTypes: readonly ColumnType[]
  private readonly frameRows: number
  private readonly sliceRows: number
  private readonly pool: BatchPool
  private readonly sender: FrameSender
  private readonly columns: Int32Array[] = []
  private readonly keyScratch: Int32Array[] = []
  private readonly combiner: RowCombiner | null
  /** Rows of one word that is their key. */
  private readonly isKeyOnly: boolean
  /** Of the slice at hand: the worker of each row, and the rows by worker. */
  private readonly owners: Int32Array
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
    this.frameRows = frameRows(widths, types.some(isInterned))
    this.sliceRows = Math.max(1, Math.min(SLICE_ROWS, this.frameRows >> 1))
    this.pool = new BatchPool(widths)
    this.sender = new FrameSender(stream, exchanger, this.pool)
    this.combiner = stream.region === null && widths.length === 1 && widths[0] < 3 ? new RowCombiner(widths[0] as 1 | 2) : null
    this.isKeyOnly = stream.region === null && workers > 1 && types.length === 1 && this.keyTypes[0]?.kind === 'int32' && !types[0].nullable
    this.owners = new Int32Array(this.sliceRows)
    this.partition = new Partition(workers, this.sliceRows)
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
    const { port, combiner } = this
    const { worker } = this.exchanger
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const columns = pickColumns(batch, this.stream.picks, this.columns)
      if (combiner?.wants(batch.n)) this.combine(combiner, batch, columns, port.peek())
      else this.distribute(columns, batch.differences, batch.times, batch.time, batch.n)
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

  /** Rows of the next batch are combined with these if they have the same time. */
  private combine(combiner: RowCombiner, { differences, time, n }: Batch, columns: readonly Int32Array[], next: Batch | null): void {
    for (let from = 0; from < n; ) {
      from = combiner.add(columns[0], differences, from, n)
      if (combiner.isFull || (from === n && (next === null || next.time !== time || !combiner.wants(0))))
        this.distribute(combiner.columns, combiner.differences, null, time, combiner.finish())
    }
  }

  private distribute(columns: readonly Int32Array[], differences: Int32Array, times: Int32Array | null, time: number, n: number): void {
    const { keyColumns, keyScratch, sliceRows, owners } = this
    for (let k = 0; k < keyColumns.length; k++) keyScratch[k] = columns[keyColumns[k]]
    for (let from = 0; from < n; from += sliceRows) {
      const end = Math.min(n, from + sliceRows)
      const isEqual = end - from > FEW_ROWS && areEqual(differences, from, end - from)
      if (isEqual && this.isKeyOnly && this.splitKeys(columns[0], differences[from], time, from, end)) continue
      const sum = this.exchanger.owners.find(keyScratch, this.keyTypes, from, end, owners)
      this.partition.group(owners, end - from, from, sum)
      this.gatherSlice(columns, differences, times, time, from, end - from, isEqual)
    }
  }

  /** Appends rows that are only keys, all with one difference; returns whether that could be done. */
  private splitKeys(keys: Int32Array, difference: number, time: number, from: number, end: number): boolean {
    if (this.open.length > 2) return this.splitKeysAmongMany(keys, difference, time, from, end)
    const n = end - from
    const zero = this.batchFor(0, time, n)
    const one = this.batchFor(1, time, n)
    const atOne = this.exchanger.owners.splitSmall(keys, from, end, zero.columns[0], zero.n, one.columns[0], one.n)
    if (atOne < 0) return false
    const atZero = zero.n + n - (atOne - one.n)
    zero.differences.fill(difference, zero.n, atZero)
    one.differences.fill(difference, one.n, atOne)
    zero.n = atZero
    one.n = atOne
    this.closeIfFull(0)
    this.closeIfFull(1)
    return true
  }

  private splitKeysAmongMany(keys: Int32Array, difference: number, time: number, from: number, end: number): boolean {
    const { lists, counts, stride } = this.partition
    if (!this.exchanger.owners.splitMany(keys, from, end, lists[0], stride, counts)) return false
    for (let worker = 0; worker < this.open.length; worker++) {
      const count = counts[worker]
      if (count === 0) continue
      const batch = this.batchFor(worker, time, count)
      const at = batch.n
      append(lists[0], 1, worker * stride, count, batch.columns[0], at)
      batch.differences.fill(difference, at, at + count)
      batch.n = at + count
      this.closeIfFull(worker)
    }
    return true
  }

  private gatherSlice(
    columns: readonly Int32Array[],
    differences: Int32Array,
    times: Int32Array | null,
    time: number,
    from: number,
    n: number,
    isEqual: boolean,
  ): void {
    const { lists, firsts, counts } = this.partition
    const { widths } = this.pool
    for (let worker = 0; worker < this.open.length; worker++) {
      const count = counts[worker]
      if (count === 0) continue
      const rows = lists[worker]
      const first = firsts[worker]
      const batch = this.batchFor(worker, time, count)
      const at = batch.n
      if (count === n) for (let c = 0; c < widths.length; c++) append(columns[c], widths[c], from, n, batch.columns[c], at)
      else for (let c = 0; c < widths.length; c++) gather(columns[c], widths[c], rows, first, count, batch.columns[c], at)
      if (isEqual) batch.differences.fill(differences[from], at, at + count)
      else gather(differences, 1, rows, first, count, batch.differences, at)
      if (times !== null) gather(times, 1, rows, first, count, batch.useTimes(), at)
      else if (this.stream.region !== null) batch.useTimes().fill(time, at, at + count)
      batch.n = at + count
      this.closeIfFull(worker)
    }
  }

  /** The open frame of a worker, with room for `rows` rows more. */
  private batchFor(worker: number, time: number, rows: number): Batch {
    const inside = this.stream.region !== null
    let batch = this.open[worker]
    if (batch !== null && !inside && batch.time !== time) {
      this.close(worker)
      batch = null
    }
    if (batch === null) {
      batch = this.pool.take(inside ? -1 : time, rows < FEW_ROWS ? rows : this.frameRows)
      this.open[worker] = batch
      if (!this.flushing && worker !== this.exchanger.worker) {
        this.flushing = true
        this.exchanger.flushLater(this)
      }
    }
    batch.reserve(batch.n + rows)
    return batch
  }

  private closeIfFull(worker: number): void {
    if ((this.open[worker] as Batch).n + this.sliceRows > this.frameRows) this.close(worker)
  }

  private close(worker: number): void {
    const batch = this.open[worker] as Batch
    this.open[worker] = null
    if (batch.n === 0) batch.release()
    else if (worker === this.exchanger.worker) (this.receiver as ExchangeReceiver).keep(batch)
    else this.sender.send(worker, batch, this.target)
  }
}
