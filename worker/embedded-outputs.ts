/** The handles by which the outputs of an embedded job are read and followed. */
import type { ArrangementReader } from '../operators/arrangement-reader.ts'
import type { Collection } from '../operators/collection.ts'
import type { Delivery } from '../operators/delivery.ts'
import type { IndexedOutput } from '../operators/indexed-output.ts'
import type { OutputDefinitions } from '../operators/job.ts'
import { type ColumnChanges, OutputOperator, type RowChange, type RowChanges, type Unsubscribe } from '../operators/output.ts'
import type { Changelog, Probed } from '../operators/output-definition.ts'
import type { ProbeOperator } from '../operators/probe.ts'
import { type RangeBounds, RowRange } from '../operators/row-range.ts'
import type { Batch } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import type { Row } from '../runtime/data/row-kernels.ts'
import type { Columns, RowOf, Schema } from '../runtime/data/schema.ts'
import { shownValue } from '../runtime/data/value-encoding.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { Hold } from '../runtime/trace/total-trace.ts'
import type { ChangeQueue } from './change-queue.ts'
import { ChangesQueue, type KeyUpdate, UpdatesQueue } from './embedded-follow.ts'

/** What handles need of their app. */
export interface OutputHost {
  /** The last complete time. */
  readonly time: number
  readonly delivery: Delivery
  /** Iterators that end with the app. */
  readonly queues: Set<ChangeQueue<unknown>>
  /** @throws MillraceError CLOSED; REENTRANT while the dataflow runs */
  checkReadable(): void
  /** @throws MillraceError BAD_TIME while rows of the next commit are under way, and as checkReadable */
  checkBetweenTimes(): void
}

/** As of which time to read. */
export interface ReadOptions {
  /** At this time, which a hold must have kept readable unless it is the last one. */
  readonly asOf?: number | undefined
  /** At the last complete time, which must not be before this. */
  readonly atLeast?: number | undefined
}

export interface SubscribeOptions {
  /** First tells all rows that are there now, as changes of the last complete time. */
  readonly snapshot?: boolean
}

/** A row and how often it is there; less than 0 where more was taken away than put in. */
export interface CountedRow<R> {
  readonly row: R
  readonly multiplicity: number
}

/** A row of an error collection; it is there for as long as its cause. */
export interface ErrorRow {
  /** Kind of the operator, such as `map`. */
  readonly operator: string
  /** Where the user's program made the operator, as `file:line`; the name of an input. */
  readonly origin: string
  /** The row, or the key of the group, as text. */
  readonly row: string | null
  readonly message: string
  readonly source: string | null
  readonly position: string | null
}

/** What every output's handle has for its app. */
export interface OutputHandle {
  /** Lets go of the engine's memory. */
  release(): void
}

/** An output that only tells how far it is. */
export class ProbeOutput implements OutputHandle {
  readonly name: string
  private readonly host: OutputHost
  private operator: ProbeOperator | null

  constructor(host: OutputHost, name: string, operator: ProbeOperator) {
    this.host = host
    this.name = name
    this.operator = operator
  }

  /** No change at a time below comes any more. */
  get frontier(): number {
    this.host.checkReadable()
    return (this.operator as ProbeOperator).frontier
  }

  /** Whether all changes up to a time, and at it, have come. */
  isComplete(time: number): boolean {
    return this.frontier > time
  }

  release(): void {
    this.operator = null
  }
}

/** An output whose changes can be followed. */
export class ChangesOutput<R extends object> implements OutputHandle {
  readonly name: string
  /** What could not be computed of this output, and its inputs' rows that could not be decoded. */
  readonly errors: RowsOutput<ErrorRow>
  protected readonly host: OutputHost
  /** null once the app is closed. */
  private stream: Stream | null
  private operator: OutputOperator | null = null

  /** `errors` is null for an output of errors itself. */
  constructor(host: OutputHost, name: string, stream: Stream, errors: RowsOutput<ErrorRow> | null) {
    this.host = host
    this.name = name
    this.stream = stream
    this.errors = errors ?? (this as unknown as RowsOutput<ErrorRow>)
  }

  /** The columns of its rows. */
  get schema(): Schema {
    this.host.checkReadable()
    return (this.stream as Stream).schema
  }

  /** The last complete time. */
  get time(): number {
    return this.host.time
  }

  /**
   * Calls back with the changes of each time, after the commit is complete; not for a time without changes.
   * @throws MillraceError BAD_TIME while rows of the next commit are under way: subscribe before inserting much
   */
  subscribe(reader: (changes: RowChanges<R>) => void): Unsubscribe {
    checkFunction(reader)
    return this.source().subscribe(reader as (changes: RowChanges<unknown>) => void)
  }

  /**
   * Calls back with chunks of changes as they come, several a time, which sum up to the time's changes. The arrays are
   * valid during the call only, in which nothing may be read or committed.
   */
  subscribeColumns(reader: (changes: ColumnChanges) => void): Unsubscribe {
    checkFunction(reader)
    return this.source().subscribeColumns(reader)
  }

  /**
   * Follows the changes, time by time, from now on; ends when the app is closed. What is unread is bounded: a reader that
   * falls too far behind gets an OVERFLOW error.
   */
  changes(): AsyncIterableIterator<RowChanges<R>> {
    const queue = new ChangesQueue<R>(this.name, () => this.drop(queue, stop))
    const stop = this.subscribe((changes) => queue.add(changes))
    this.host.queues.add(queue as ChangeQueue<unknown>)
    return queue
  }

  release(): void {
    this.operator?.close()
    this.stream = null
    this.operator = null
    if ((this.errors as unknown) !== this) this.errors.release()
  }

  protected drop(queue: object, stop: Unsubscribe): void {
    stop()
    this.host.queues.delete(queue as ChangeQueue<unknown>)
  }

  private source(): OutputOperator {
    this.host.checkBetweenTimes()
    this.operator ??= new OutputOperator(this.stream as Stream, this.name, this.host.delivery)
    return this.operator
  }
}

function checkFunction(reader: unknown): void {
  if (typeof reader === 'function') return
  throw new MillraceError('CONFIG', `a subscriber is a function, not ${shownValue(reader)}`, 'Write subscribe((changes) => ...).')
}

/** An output that is kept. */
export class RowsOutput<R extends object> extends ChangesOutput<R> {
  private arrangement: ArrangementReader | null
  private readonly range: RowRange

  constructor(
    host: OutputHost,
    name: string,
    stream: Stream,
    errors: RowsOutput<ErrorRow> | null,
    reader: ArrangementReader,
    key: readonly number[],
  ) {
    super(host, name, stream, errors)
    this.arrangement = reader
    this.range = new RowRange(reader.schema, key)
  }

  /** As of ChangesOutput; with `snapshot` the rows that are there now come first. */
  override subscribe(reader: (changes: RowChanges<R>) => void, options: SubscribeOptions = {}): Unsubscribe {
    const stop = super.subscribe(reader)
    if (options.snapshot !== true) return stop
    const changes: RowChange<R>[] = this.multiset().map(({ row, multiplicity }) => ({ row, diff: multiplicity }))
    if (changes.length > 0) reader({ time: this.host.time, changes })
    return stop
  }

  /**
   * All rows, each as often as it is there, in the order of the columns.
   * @throws MillraceError BAD_ROW if a multiplicity is negative, BAD_TIME for a time that cannot be read
   */
  rows(options: ReadOptions = {}): R[] {
    const time = this.readTime(options)
    return this.expanded(this.reader.readAll(time), {})
  }

  /** All different rows with their multiplicities, in the order of the columns. */
  multiset(options: ReadOptions = {}): CountedRow<R>[] {
    const time = this.readTime(options)
    const batch = this.reader.readAll(time)
    const { dictionary } = this
    const rows = this.range.select(batch, {}, dictionary)
    return rows.map((i) => ({ row: this.reader.codec.readRow(batch, i, dictionary) as R, multiplicity: batch.differences[i] }))
  }

  protected expanded(batch: Batch, bounds: RangeBounds, limit = Number.POSITIVE_INFINITY): R[] {
    const { dictionary } = this
    const rows: R[] = []
    for (const i of this.range.select(batch, bounds, dictionary)) {
      if (batch.differences[i] < 0) throw this.negative(batch, i)
      for (let j = 0; j < batch.differences[i] && rows.length < limit; j++) {
        rows.push(this.reader.codec.readRow(batch, i, dictionary) as R)
      }
    }
    return rows
  }

  protected negative(batch: Batch, i: number): MillraceError {
    const row = this.reader.codec.readRow(batch, i, this.dictionary)
    const shown = JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
    return new MillraceError(
      'BAD_ROW',
      `${this.name} has the row ${shown} ${batch.differences[i]} times: more was removed than inserted`,
      'Run with embed(job, { development: true }) to find the row of the input; multiset() shows such rows.',
    )
  }

  /** Keeps what can be read now readable `asOf` its time until it is released. */
  hold(time: number): Hold {
    return this.reader.arrangement.hold(time, `${this.name} reader`)
  }

  override release(): void {
    super.release()
    this.arrangement = null
  }

  /** Only after a check that the app is open. */
  protected get reader(): ArrangementReader {
    return this.arrangement as ArrangementReader
  }

  protected get dictionary(): Dictionary {
    return this.reader.arrangement.dataflow.dictionary
  }

  protected readTime({ asOf, atLeast }: ReadOptions): number {
    const { host } = this
    host.checkReadable()
    const { time } = host
    const wanted = Math.max(asOf ?? time, atLeast ?? time)
    if (!Number.isSafeInteger(wanted))
      throw new MillraceError('BAD_TIME', `${wanted} is no time`, 'Times are whole microseconds since 1970.')
    if (wanted > time) {
      throw new MillraceError(
        'BAD_TIME',
        `time ${wanted} is not complete yet: the last commit was at ${time}`,
        'Read after commit() returns it.',
      )
    }
    return asOf ?? time
  }
}

export interface ScanOptions<K> extends ReadOptions {
  /** Only rows with these values in the first key columns. */
  readonly prefix?: Partial<K>
  /** Only rows at or after this key, or these first columns of one. */
  readonly from?: Partial<K>
  /** Only rows before this key, or these first columns of one. */
  readonly to?: Partial<K>
  /** At most this many rows. */
  readonly limit?: number
}

/** An output that is kept and looked up by a key. */
export class KeyedOutput<R extends object, K> extends RowsOutput<R> {
  /** For types only: whoever imports the output must say exactly its row and key. */
  declare readonly exact: (row: R, key: K) => readonly [R, K]
  private readonly keyNames: readonly string[]

  constructor(
    host: OutputHost,
    name: string,
    stream: Stream,
    errors: RowsOutput<ErrorRow>,
    reader: ArrangementReader,
    key: readonly number[],
  ) {
    super(host, name, stream, errors, reader, key)
    this.keyNames = key.map((column) => reader.schema.names[column])
  }

  /**
   * The row of a key.
   * @throws MillraceError NOT_KEYED if the key has several, BAD_ROW for a key of the wrong type
   */
  get(key: K, options: ReadOptions = {}): R | undefined {
    const batch = this.read(key, options)
    if (batch.n === 0) return undefined
    if (batch.n > 1 || batch.differences[0] !== 1) {
      if (batch.differences[0] < 0) throw this.negative(batch, 0)
      throw new MillraceError(
        'NOT_KEYED',
        `${this.name} has several rows of one key`,
        'Use getAll(key), or key the output by more columns.',
      )
    }
    return this.reader.codec.readRow(batch, 0, this.dictionary) as R
  }

  /** The rows of a key, in the order of the columns. */
  getAll(key: K, options: ReadOptions = {}): R[] {
    return this.expanded(this.read(key, options), {})
  }

  /** Rows in the order of the key. Looks at all rows: for a few keys, get() is faster. */
  scan(options: ScanOptions<K> = {}): R[] {
    const bounds = { prefix: options.prefix as Row | undefined, from: options.from as Row | undefined, to: options.to as Row | undefined }
    const time = this.readTime(options)
    const { limit } = options
    if (limit !== undefined && !(limit >= 0))
      throw new MillraceError('CONFIG', `the limit of a scan is ${limit}`, 'Give a number from 0 on.')
    return this.expanded(this.reader.readAll(time), bounds, limit)
  }

  /**
   * Follows the rows by key, from now on; ends when the app is closed. A slow reader gets the updates of a key that it has not read
   * merged into one.
   */
  updates(): AsyncIterableIterator<KeyUpdate<R, K>> {
    const queue = new UpdatesQueue<R, K>(this.keyNames, () => this.drop(queue, stop))
    const stop = this.subscribe((changes) => queue.add(changes))
    this.host.queues.add(queue as ChangeQueue<unknown>)
    return queue
  }

  private read(key: K, options: ReadOptions): Batch {
    if (typeof key !== 'object' || key === null) {
      throw new MillraceError(
        'BAD_ROW',
        `a key of ${this.name} is an object`,
        `Write get({ ${this.keyNames.map((name) => `${name}: ...`).join(', ')} }).`,
      )
    }
    const time = this.readTime(options)
    return this.reader.readKey(key as Row, time)
  }
}

type OutputOf<D> =
  D extends IndexedOutput<infer C, infer K>
    ? KeyedOutput<RowOf<C>, Pick<RowOf<C>, K>>
    : D extends Changelog<infer C>
      ? ChangesOutput<RowOf<C>>
      : D extends Probed
        ? ProbeOutput
        : D extends Collection<infer C extends Columns>
          ? RowsOutput<RowOf<C>>
          : never

/** The handles of a job's outputs. */
export type OutputsOf<O extends OutputDefinitions> = { readonly [N in keyof O]: OutputOf<O[N]> }
