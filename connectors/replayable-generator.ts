/**
 * `source`: a source of one's own, as an async generator for each partition.
 *
 * ```
 * source({
 *   kind: 'ticks',
 *   partitions: ['nyse', 'nasdaq'],
 *   async *read(partition, after) {
 *     for (let n = Number(after ?? 0); ; n += 100) yield { position: n + 100, rows: await fetchTicks(partition, n, 100) }
 *   },
 * })
 * ```
 */
import type { Environment, Timer } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'
import type { ChangeRun } from '../runtime/protocol/change-run.ts'
import type { Position } from '../runtime/protocol/position.ts'
import type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from '../runtime/protocol/replayable-source.ts'
import { samePosition } from './replayable-position.ts'

export interface GeneratedBatch {
  /** After the last row: JSON, and never the same twice in a partition. */
  readonly position: Position
  /** Rows that are inserted, or, into an input with a key, upserted. */
  readonly rows?: readonly object[]
  /** Instead of `rows`: changes of any kind, in order. */
  readonly runs?: readonly ChangeRun[]
}

export interface SourceOptions {
  /** What people call sources like it. */
  readonly kind?: string
  /** Names, at least one; every process must be given the same. */
  readonly partitions: readonly string[] | ((environment: Environment) => Promise<readonly string[]>)
  /**
   * Gives a partition's batches, from the one behind a position on; null: from the first. It must give the same batches again,
   * with the same rows, however often it is asked: a cluster that lost a process has nothing else. It is asked for a batch when there is
   * room for it, and ended (`return`) when the partition moves. What it throws is tried again, from the last position.
   */
  readonly read: (partition: string, after: Position | null, context: SourceContext) => AsyncIterable<GeneratedBatch>
}

export interface SourceContext {
  readonly environment: Environment
  readonly shape: InputShape
  /** Aborted when nobody wants more of it. */
  readonly signal: AbortSignal
}

/** A poll waits for so long for a batch that is on its way. */
const PATIENCE_MILLISECONDS = 20

export function source(options: SourceOptions): ReplayableSource {
  const { partitions } = options
  return {
    kind: options.kind ?? 'source',
    partitions: async (environment) => (typeof partitions === 'function' ? partitions(environment) : partitions),
    open: async (environment, shape, partition, after) => new GeneratorReader(environment, shape, partition, options, after),
  }
}

type Outcome = { readonly batch: GeneratedBatch } | { readonly error: unknown } | 'done'

class GeneratorReader implements PartitionReader {
  private readonly environment: Environment
  private readonly shape: InputShape
  private readonly partition: string
  private readonly options: SourceOptions
  private position: Position | null
  private iterator: AsyncIterator<GeneratedBatch> | null = null
  private signal = new AbortController()
  private asked = false
  /** What the generator gave and nobody took. */
  private outcome: Outcome | null = null
  private wakeUp: (() => void) | null = null
  private closed = false

  constructor(environment: Environment, shape: InputShape, partition: string, options: SourceOptions, after: Position | null) {
    this.environment = environment
    this.shape = shape
    this.partition = partition
    this.options = options
    this.position = after
  }

  get behind(): boolean {
    return this.outcome !== null && this.outcome !== 'done'
  }

  hasReached(position: Position): boolean {
    const mine = this.position
    return samePosition(mine, position) || (typeof mine === 'number' && typeof position === 'number' && mine > position)
  }

  async poll(until: Position | null): Promise<SourceBatch | null> {
    if (this.closed) throw new MillraceError('CLOSED', `the reader of partition ${this.partition} is closed`)
    if (until !== null && this.hasReached(until)) return null
    if (this.outcome === null) {
      this.ask()
      await this.wait()
    }
    const { outcome } = this
    if (outcome === null || outcome === 'done') return null
    this.outcome = null
    if ('error' in outcome) throw this.failed(outcome.error)
    return this.take(outcome.batch, until)
  }

  async close(): Promise<void> {
    this.closed = true
    this.wakeUp?.()
    this.end()
  }

  private take(batch: GeneratedBatch, until: Position | null): SourceBatch {
    const { position, rows, runs } = batch ?? {}
    if (position === undefined || position === null || (rows === undefined) === (runs === undefined) || !Array.isArray(rows ?? runs)) {
      this.end()
      throw this.wrong('a batch is { position, rows } or { position, runs }')
    }
    if (typeof until === 'number' && typeof position === 'number' && position > until) {
      this.end()
      throw this.wrong(
        `it gave a batch that ends at ${position} where one ended at ${until} before; it must give the same batches again, whenever it is asked`,
      )
    }
    this.position = position
    this.ask()
    if (runs !== undefined) return { runs, position }
    const op = this.shape.key === undefined ? 'insert' : 'upsert'
    return { runs: rows === undefined || rows.length === 0 ? [] : [{ op, rows }], position }
  }

  /** Has the generator make the next batch, if it is not at it. */
  private ask(): void {
    if (this.asked || this.closed || this.outcome !== null) return
    this.asked = true
    const { signal } = this.signal
    const settle = (outcome: Outcome): void => {
      if (signal.aborted) return
      this.asked = false
      this.outcome = outcome
      this.wakeUp?.()
    }
    try {
      this.iterator ??= this.begin()
      this.iterator.next().then(
        (result) => settle(result.done === true ? 'done' : { batch: result.value }),
        (error: unknown) => settle({ error }),
      )
    } catch (error) {
      settle({ error })
    }
  }

  private begin(): AsyncIterator<GeneratedBatch> {
    const { environment, shape } = this
    return this.options.read(this.partition, this.position, { environment, shape, signal: this.signal.signal })[Symbol.asyncIterator]()
  }

  private wait(): Promise<void> {
    if (this.outcome !== null) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: Timer | null = null
      const done = (): void => {
        timer?.clear()
        this.wakeUp = null
        resolve()
      }
      this.wakeUp = done
      timer = this.environment.timers.setTimeout(done, PATIENCE_MILLISECONDS)
    })
  }

  /** The next poll begins anew, behind what was taken. */
  private failed(error: unknown): MillraceError {
    this.end()
    if (error instanceof MillraceError) return error
    const message = error instanceof Error ? error.message : String(error)
    return new MillraceError('SOURCE', `${this.name} failed: ${message}`, undefined, { cause: error })
  }

  private wrong(message: string): MillraceError {
    return new MillraceError('SOURCE', `${this.name} is wrong: ${message}`)
  }

  private get name(): string {
    return `the generator of partition ${this.partition} (${this.options.kind ?? 'source'})`
  }

  private end(): void {
    const { iterator } = this
    this.iterator = null
    this.asked = false
    this.outcome = null
    this.signal.abort()
    this.signal = new AbortController()
    // It may be in the middle of something, and what it says at its end is of no interest.
    Promise.resolve(iterator?.return?.()).catch(() => undefined)
  }
}
