/** The handles by which the outputs of an embedded job are read and followed. */
import type { ArrangementReader } from '../operators/arrangement-reader.ts'
import type { Collection } from '../operators/collection.ts'
import type { Delivery } from '../operators/delivery.ts'
import type { IndexedOutput } from '../operators/indexed-output.ts'
import type { OutputDefinitions } from '../operators/job.ts'
import { type ColumnChanges, OutputOperator, type RowChanges, type Unsubscribe } from '../operators/output.ts'
import type { Changelog } from '../operators/output-definition.ts'
import type { Columns, RowOf } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Stream } from '../runtime/graph/stream.ts'

/** What handles need of their app. */
export interface OutputHost {
  /** The last complete time. */
  readonly time: number
  readonly delivery: Delivery
  /** @throws MillraceError CLOSED */
  checkOpen(): void
  /** @throws MillraceError BAD_TIME while rows of the next commit are under way */
  checkBetweenTimes(): void
}

/** As of which time to read: at it, or at the last complete time if that is at or after `atLeast`. */
export interface ReadOptions {
  readonly asOf?: number
  readonly atLeast?: number
}

export interface SubscribeOptions {
  /** First tells all rows that are there now, as changes of the last complete time. */
  readonly snapshot?: boolean
}

/** An output whose changes can be followed. */
export class ChangesOutput<R> {
  readonly name: string
  protected readonly host: OutputHost
  private readonly stream: Stream
  private operator: OutputOperator | null = null

  constructor(host: OutputHost, name: string, stream: Stream) {
    this.host = host
    this.name = name
    this.stream = stream
  }

  /** Calls back with the changes of each time, once the commit is complete; nothing for a time without changes. */
  subscribe(reader: (changes: RowChanges<R>) => void): Unsubscribe {
    return this.source().subscribe(reader as (changes: RowChanges<unknown>) => void)
  }

  /**
   * Calls back with chunks of changes as they come, several a time, which sum up to the time's changes. The arrays are
   * valid during the call only, in which nothing may be read or committed.
   */
  subscribeColumns(reader: (changes: ColumnChanges) => void): Unsubscribe {
    return this.source().subscribeColumns(reader)
  }

  private source(): OutputOperator {
    this.host.checkOpen()
    this.host.checkBetweenTimes()
    this.operator ??= new OutputOperator(this.stream, this.name, this.host.delivery)
    return this.operator
  }
}

/** An output that is kept. */
export class RowsOutput<R> extends ChangesOutput<R> {
  protected readonly reader: ArrangementReader

  constructor(host: OutputHost, name: string, stream: Stream, reader: ArrangementReader) {
    super(host, name, stream)
    this.reader = reader
  }

  /** All rows, each as often as it is there. */
  rows(options?: ReadOptions): R[] {
    const { reader } = this
    const batch = reader.readAll(this.readTime(options))
    const rows: R[] = []
    for (let i = 0; i < batch.n; i++) {
      for (let j = 0; j < batch.differences[i]; j++) rows.push(reader.codec.readRow(batch, i, reader.arrangement.dataflow.dictionary) as R)
    }
    return rows
  }

  protected readTime(options: ReadOptions | undefined): number {
    const { host } = this
    host.checkOpen()
    if (options === undefined) return host.time
    const { asOf, atLeast } = options
    const time = asOf ?? host.time
    if (time > host.time || (atLeast !== undefined && atLeast > host.time)) {
      throw new MillraceError(
        'BAD_TIME',
        `time ${Math.max(time, atLeast ?? time)} is not complete yet: the last commit was at ${host.time}`,
      )
    }
    return time
  }
}

/** An output that is kept and looked up by a key. */
export class KeyedOutput<R, K> extends RowsOutput<R> {
  /** The row of a key. Throws NOT_KEYED if the key has several. */
  get(key: K, options?: ReadOptions): R | undefined {
    const { reader } = this
    const batch = reader.readKey(key as Record<string, unknown>, this.readTime(options))
    if (batch.n === 0) return undefined
    if (batch.n > 1 || batch.differences[0] !== 1) {
      throw new MillraceError(
        'NOT_KEYED',
        `${this.name} has several rows of one key`,
        'Use getAll(key), or key the output by more columns.',
      )
    }
    return reader.codec.readRow(batch, 0, reader.arrangement.dataflow.dictionary) as R
  }
}

type OutputOf<D> =
  D extends IndexedOutput<infer C, infer K>
    ? KeyedOutput<RowOf<C>, Pick<RowOf<C>, K>>
    : D extends Changelog<infer C>
      ? ChangesOutput<RowOf<C>>
      : D extends Collection<infer C extends Columns>
        ? RowsOutput<RowOf<C>>
        : never

/** The handles of a job's outputs. */
export type OutputsOf<O extends OutputDefinitions> = { readonly [N in keyof O]: OutputOf<O[N]> }
