/**
 * exchanged: the receiving half of an exchange. Passes on what other workers sent and what the own worker kept.
 *
 * State: rows that are ahead of the others. Senders run at their own pace, and readers see times in order: outside loops a
 * batch waits until the tracker says that nothing earlier can arrive.
 */
import type { Batch } from '../data/batch.ts'
import type { ColumnType } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { MillraceError } from '../error.ts'
import { markBatch } from '../graph/garbage.ts'
import { Operator } from '../graph/operator.ts'
import type { Stream } from '../graph/stream.ts'
import type { Exchanger } from './exchanger.ts'
import { type Frame, type FrameTimes, internTimes } from './frame.ts'

export class ExchangeReceiver extends Operator {
  private readonly stream: Stream
  private readonly inside: FrameTimes | null
  private readonly exchanger: Exchanger
  private readonly keyColumns: readonly number[]
  private readonly keyTypes: readonly ColumnType[]
  private readonly batches: Batch[] = []
  private sorted = true
  /** The frontier that the tracker has told. */
  private reached = this.frontier

  constructor(stream: Stream, keyColumns: readonly number[], exchanger: Exchanger) {
    super(stream.operator.dataflow, 'exchanged')
    this.stream = stream
    this.inside = stream.region === null ? null : { table: stream.region.times, depth: stream.depth }
    this.exchanger = exchanger
    this.keyColumns = keyColumns
    this.keyTypes = keyColumns.map((column) => stream.schema.types[column])
  }

  /**
   * Takes a frame, whose ids are this worker's by now. A frame inside a loop is not held up: it is passed on before this worker
   * publishes next, and so its counts go down here.
   * @throws MillraceError PROTOCOL if its rows are not those of this edge
   */
  deliver({ batch, times, depth }: Frame): void {
    const { inside } = this
    if (!sameWidths(batch.widths, this.stream.schema.widths) || depth !== this.stream.depth || (times === null) !== (inside === null))
      throw new MillraceError('PROTOCOL', `a frame for ${this.name}#${this.id} has rows of other columns or times`)
    if (inside !== null && times !== null && batch.times !== null) {
      const ids = internTimes(times, inside)
      for (let t = 0; t < ids.length; t++) this.exchanger.count(this.id, ids[t], -1)
      for (let i = 0; i < batch.n; i++) batch.times[i] = ids[batch.times[i]]
    }
    this.add(batch)
  }

  /**
   * Takes rows that stay on this worker, which never become a frame.
   *
   * What progress has to know of them (0005): a worker publishes at local quiescence only, and then every row that it has not
   * passed on must be covered by a count. Between sender and receiver of one worker the rows are like those in any queue within a
   * worker, with one difference: outside loops the receiver may have to leave them where they are when the worker comes to rest,
   * and by then the sender has given its own capability away. So they count like a frame, one at the location of the receiver, from
   * here until they are passed on. If both happen in one turn, the two cancel out in the batch of changes before anybody hears
   * of them, which is right: published is only that something upstream was consumed and what it led to downstream, as for
   * operators that a plain edge joins, and the path between these two is part of every worker's graph. If not, others see the count
   * together with the changes that it came from, as they would with a frame, and it goes down in the batch that tells what became of
   * the rows. No change of another worker depends on these rows before that, so no order between workers is at stake.
   *
   * Inside loops nothing ever waits here at rest, so there is nothing to count, and the rows keep the time ids that they have.
   */
  keep(batch: Batch): void {
    if (this.inside === null) this.exchanger.count(this.id, batch.time, 1)
    this.add(batch)
  }

  /** What arrived and was not passed on yet. */
  get waiting(): readonly Batch[] {
    return this.batches
  }

  /** What the progress tracker says can still arrive. */
  setFrontier(frontier: number): void {
    this.reached = frontier
    this.activate()
  }

  step(): void {
    const { batches, inside, reached } = this
    if (inside === null && !this.sorted) batches.sort((a, b) => a.time - b.time)
    this.sorted = true
    let taken = 0
    while (taken < batches.length && (inside !== null || batches[taken].time <= reached)) {
      const batch = batches[taken++]
      if (inside === null) this.exchanger.count(this.id, batch.time, -1)
      this.send(batch)
    }
    if (taken > 0) batches.splice(0, taken)
    if (reached > this.frontier) this.advance(reached)
  }

  /** Frontiers come from the tracker; nothing is held here. */
  override heldTime(): number {
    return Number.POSITIVE_INFINITY
  }

  override markDictionary(dictionary: Dictionary): void {
    for (const batch of this.batches) markBatch(dictionary, batch, this.stream.schema.types)
  }

  private add(batch: Batch): void {
    const { batches } = this
    if (this.keyColumns.length > 0) this.exchanger.shardSample.add(batch, this.keyColumns, this.keyTypes)
    if (batches.length > 0 && batches[batches.length - 1].time > batch.time) this.sorted = false
    batches.push(batch)
    this.activate()
  }
}

function sameWidths(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let c = 0; c < a.length; c++) if (a[c] !== b[c]) return false
  return true
}
