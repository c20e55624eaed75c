/**
 * `generated`: rows that are a function of their number, for tests, demonstrations and loads. The position is the number of the
 * next row, so any place is found at once.
 */
import type { Environment } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'
import type { ChangeRun } from '../runtime/protocol/change-run.ts'
import type { Position } from '../runtime/protocol/position.ts'
import type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from '../runtime/protocol/replayable-source.ts'

export interface GeneratedOptions {
  /** How many. Default 1. */
  readonly partitions?: number
  /** Rows a second of each partition. Default: as fast as they are taken. */
  readonly rate?: number
  /** Rows of each partition. Default: without end. */
  readonly total?: number
  /** The row with a number, from 0, which is inserted (upserted, into an input with a key); or changes of any kind. The same each time. */
  readonly rows: (partition: number, index: number) => object | ChangeRun
}

/** Rows a batch. */
const BATCH_ROWS = 1024

/** @throws MillraceError CONFIG for a number that is none */
export function generated(options: GeneratedOptions): ReplayableSource {
  const { partitions = 1, rate = Number.POSITIVE_INFINITY, total = Number.POSITIVE_INFINITY } = options
  if (!Number.isSafeInteger(partitions) || partitions < 1)
    throw new MillraceError('CONFIG', `generated() takes 1 or more partitions, not ${partitions}`)
  if (!(rate > 0)) throw new MillraceError('CONFIG', `generated() takes a rate above 0, not ${rate}`)
  if (!(total >= 0)) throw new MillraceError('CONFIG', `generated() takes a total of 0 or more, not ${total}`)
  const names = Array.from({ length: partitions }, (_, i) => String(i))
  return {
    kind: 'generated',
    partitions: async () => names,
    open: async (environment, shape, partition, after) => {
      const number = names.indexOf(partition)
      if (number === -1) throw new MillraceError('SOURCE', `there is no partition ${partition} (${names.join(', ')})`)
      return new NumberedReader(environment, shape, number, options.rows, rate, total, after === null ? 0 : indexOf(after))
    },
  }
}

class NumberedReader implements PartitionReader {
  private readonly environment: Environment
  private readonly insert: 'insert' | 'upsert'
  private readonly partition: number
  private readonly rows: GeneratedOptions['rows']
  /** Rows a second. */
  private readonly rate: number
  private readonly total: number
  private next: number
  /** The rate counts from here on: what is read again is read at once. */
  private from: { readonly index: number; readonly microseconds: number } | null = null

  constructor(
    environment: Environment,
    shape: InputShape,
    partition: number,
    rows: GeneratedOptions['rows'],
    rate: number,
    total: number,
    next: number,
  ) {
    this.environment = environment
    this.insert = shape.key === undefined ? 'insert' : 'upsert'
    this.partition = partition
    this.rows = rows
    this.rate = rate
    this.total = total
    this.next = next
  }

  get behind(): boolean {
    return this.next < this.due()
  }

  hasReached(position: Position): boolean {
    return this.next >= indexOf(position)
  }

  async poll(until: Position | null): Promise<SourceBatch | null> {
    if (until === null) this.from ??= { index: this.next, microseconds: this.environment.clock.monotonic() }
    const end = Math.min(this.next + BATCH_ROWS, this.total, until === null ? this.due() : indexOf(until))
    if (end <= this.next) return null
    const runs = this.runs(this.next, end)
    this.next = end
    return { runs, position: end }
  }

  async close(): Promise<void> {}

  /** Rows with lower numbers should be there by now. */
  private due(): number {
    if (this.rate === Number.POSITIVE_INFINITY) return this.total
    if (this.from === null) return this.next
    const elapsed = this.environment.clock.monotonic() - this.from.microseconds
    return Math.min(this.total, this.from.index + Math.floor((elapsed / 1e6) * this.rate))
  }

  private runs(from: number, end: number): ChangeRun[] {
    const runs: ChangeRun[] = []
    let rows: object[] = []
    for (let index = from; index < end; index++) {
      const given = this.rows(this.partition, index)
      if (!isRun(given)) {
        if (rows.length === 0) {
          const origin = { source: 'generated', before: 'row ', first: index, after: ` of partition ${this.partition}` }
          runs.push({ op: this.insert, rows, origin })
        }
        rows.push(given)
        continue
      }
      runs.push(given)
      rows = []
    }
    return runs
  }
}

function isRun(given: object | ChangeRun): given is ChangeRun {
  return 'op' in given && 'rows' in given && Array.isArray(given.rows)
}

function indexOf(position: Position): number {
  if (typeof position === 'number' && Number.isSafeInteger(position) && position >= 0) return position
  throw new MillraceError('SOURCE', `${JSON.stringify(position)} is no position of a generated source`)
}
