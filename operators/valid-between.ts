/**
 * validBetween, validFor: rows that are there during a time of their own, on the job's logical clock.
 *
 * Computes: at time T the rows with from <= T < until; a null bound is none. A row enters at the first minted time at or after `from`
 * and leaves at the first at or after `until`, without new input.
 * State: what takes effect later, one entry a different row and time; corrections cancel there.
 * Times: total order; what is due at a minted time comes out at that time, in slices of bounded work.
 * Cost: per row and bound that lies ahead one lookup of a row, and a few moves as its time comes nearer.
 * Source: temporal filters as in Materialize; radix heap.
 *
 * @example
 *   validFor(frauds, f.at, 30n * 86_400_000_000n)
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { NULL_TIMESTAMP_HIGH } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { presentState, type StateStats } from '../runtime/log/state-stats.ts'
import { internedWords } from '../runtime/trace/key-table.ts'
import type { Builder } from './builder.ts'
import { arithmetic } from './expression/build.ts'
import type { HasNode } from './expression/compile.ts'
import { columnNode } from './expression/node.ts'
import type { MintedTimes } from './minted-times.ts'
import { PendingRows } from './pending-rows.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { select } from './select.ts'

/** Rows a slice. */
const SLICE_ROWS = 1 << 14
const TWO_TO_32 = 0x100000000

/**
 * The rows that are valid now; null for a bound that there is not.
 * @throws MillraceError COLUMN_TYPE if a bound is no timestamp, CONFIG inside a loop
 */
export function validBetween(input: PlanNode, from: HasNode | null, until: HasNode | null, origin = ''): PlanNode {
  const bounds = { '\u0000from': from, '\u0000until': until }
  for (const bound of [from, until]) {
    if (bound === null || bound.node.type.kind === 'timestamp') continue
    throw new MillraceError(
      'COLUMN_TYPE',
      `a time of validity is a timestamp, not ${bound.node.type.kind}`,
      'Convert it with .toTimestamp().',
    )
  }
  if (input.depth > 0) throw new MillraceError('CONFIG', 'Rows cannot come and go with time inside a loop.', 'Do it before enter().')
  const { names, types } = input.schema
  const all = Object.fromEntries(names.map((name, i) => [name, { node: columnNode(name, types[i]) }]))
  const given = Object.entries(bounds).filter((entry): entry is [string, HasNode] => entry[1] !== null)
  const node = select(input, { ...all, ...Object.fromEntries(given) }, origin)
  return {
    kind: 'validBetween',
    inputs: [node],
    schema: input.schema,
    parameters: { from: from?.node ?? null, until: until?.node ?? null },
    origin,
    depth: 0,
    build: (builder: Builder): Built => {
      const source = builder.of(node)
      // A row and its correction meet on one worker.
      const rows = builder.exchange(
        source.rows,
        names.map((_, i) => i),
      )
      const columns = { from: node.schema.indexOf('\u0000from'), until: node.schema.indexOf('\u0000until') }
      const operator = new ValidBetweenOperator(rows, input.schema, columns, builder.minted)
      return { rows: streamOf(operator, input.schema), errors: errorsOf([source]) }
    },
  }
}

/** The rows from `at` until `microseconds` later. */
export function validFor(input: PlanNode, at: HasNode, microseconds: bigint, origin = ''): PlanNode {
  return validBetween(input, at, { node: arithmetic('plus', at.node, microseconds) }, origin)
}

export class ValidBetweenOperator extends Operator {
  readonly pending: PendingRows
  private readonly port: Port
  private readonly picks: readonly number[]
  /** Positions of the bounds in the input's batches; -1 for none. */
  private readonly from: number
  private readonly until: number
  private readonly pool: BatchPool
  private readonly minted: MintedTimes
  private readonly interned: readonly number[]
  private readonly row: Int32Array[] = []
  /** The last minted time up to which all that was due is out, and the one being worked on. */
  private done: number
  private at = Number.POSITIVE_INFINITY

  constructor(input: Stream, schema: Schema, columns: { readonly from: number; readonly until: number }, minted: MintedTimes) {
    super(input.operator.dataflow, 'validBetween')
    this.picks = schema.names.map((_, i) => input.picks[i])
    this.from = columns.from < 0 ? -1 : input.picks[columns.from]
    this.until = columns.until < 0 ? -1 : input.picks[columns.until]
    this.pool = new BatchPool(schema.widths)
    this.minted = minted
    this.interned = internedWords(schema.types)
    this.done = this.frontier - 1
    this.pending = new PendingRows(schema.widths, Math.max(0, this.done))
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port, minted } = this
    for (;;) {
      if (this.at === Number.POSITIVE_INFINITY) {
        const batch = port.peek()
        const next = minted.next(this.done, port.frontier)
        this.at = batch !== null && batch.time < port.frontier ? Math.min(batch.time, next) : next
        if (this.at === Number.POSITIVE_INFINITY) break
        this.advance(this.at)
      }
      if (!this.takeDue(this.at)) {
        this.yield()
        return
      }
      for (let batch = port.peek(); batch !== null && batch.time === this.at; batch = port.peek()) {
        port.pop()
        this.take(batch)
        batch.release()
      }
      this.done = this.at
      this.at = Number.POSITIVE_INFINITY
    }
    this.advance(port.frontier)
  }

  /** Sends a slice of what is due; whether that was the last. */
  private takeDue(time: number): boolean {
    const out = this.pool.take(time, 16)
    const all = this.pending.take(time, out, SLICE_ROWS)
    this.send(out)
    return all
  }

  private take(batch: Batch): void {
    const { pending, row, picks } = this
    const { time, n, differences, columns } = batch
    const out = this.pool.take(time, n)
    for (let c = 0; c < picks.length; c++) row[c] = columns[picks[c]]
    const from = this.from < 0 ? null : columns[this.from]
    const until = this.until < 0 ? null : columns[this.until]
    for (let i = 0; i < n; i++) {
      const start = from === null ? time : Math.max(time, boundAt(from, i, Number.NEGATIVE_INFINITY))
      const end = until === null ? Number.POSITIVE_INFINITY : boundAt(until, i, Number.POSITIVE_INFINITY)
      if (end <= start || start > Number.MAX_SAFE_INTEGER) continue
      if (start > time) pending.add(row, i, differences[i], start)
      else copyRow(row, i, differences[i], out)
      if (end <= Number.MAX_SAFE_INTEGER) pending.add(row, i, -differences[i], end)
    }
    pending.flush()
    this.send(out)
  }

  /** What waits may come out at its time without any input on this worker. */
  protected override keptTime(): number {
    return this.pending.notBefore
  }

  override stateStats(): StateStats {
    return presentState(this.pending.bytes, this.pending.size, this.pending.size)
  }

  override markDictionary(dictionary: Dictionary): void {
    this.pending.markDictionary(dictionary, this.interned)
  }
}

/** Microseconds of a timestamp column's row; `none` for null. Not exact beyond the safe integers, where no time ever is. */
function boundAt(column: Int32Array, i: number, none: number): number {
  const low = column[2 * i]
  const high = column[2 * i + 1]
  return low === 0 && high === NULL_TIMESTAMP_HIGH ? none : high * TWO_TO_32 + (low >>> 0)
}

function copyRow(columns: readonly Int32Array[], i: number, difference: number, out: Batch): void {
  const n = out.n++
  for (let c = 0; c < columns.length; c++) {
    const width = out.widths[c]
    const to = out.columns[c]
    const from = columns[c]
    for (let j = 0; j < width; j++) to[n * width + j] = from[i * width + j]
  }
  out.differences[n] = difference
}
