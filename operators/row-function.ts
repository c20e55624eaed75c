/**
 * The operator behind map, filter and flatMap with a user's function: rows go through JavaScript objects.
 *
 * A function that throws, or gives a row that does not fit the schema, makes an error of the row it was called with; with
 * several rows out of one, none of them is put out then. In development mode each batch is computed twice.
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Row } from '../runtime/data/row-kernels.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { shownValue } from '../runtime/data/value-encoding.ts'
import { MillraceError } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { checksDeterminism, NOT_DETERMINISTIC } from './determinism.ts'
import { ErrorOutlet, rowText, thrownText } from './error-outlet.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { RowView } from './row-view.ts'
import { checkFunction } from './user-function.ts'

/** Calls the user's function with a row, and adds the rows that come out of it to `out`. */
export type Expand = (row: Row, out: object[]) => void

/** Rows that one row may become. */
const MOST_ROWS = 1 << 24

export function rowFunction(kind: string, input: PlanNode, schema: Schema, expand: Expand, fn: unknown, origin: string): PlanNode {
  checkFunction(fn)
  return {
    kind,
    inputs: [input],
    schema,
    parameters: { fn },
    origin,
    depth: input.depth,
    appendOnly: input.appendOnly ?? false,
    build: (builder: Builder): Built => {
      const source = builder.of(input)
      const operator = new RowFunctionOperator(source.rows, kind, schema, expand, origin)
      const rows = streamOf(operator, schema, source.rows.region, source.rows.depth)
      return { rows, errors: errorsOf([source], operator.errors.stream) }
    },
  }
}

/** The rows of what a user's function returned for several. */
export function addAll(rows: unknown, out: object[]): void {
  if (typeof rows !== 'object' || rows === null || !(Symbol.iterator in rows)) {
    throw new MillraceError(
      'USER_FUNCTION',
      `the function returned ${shownValue(rows)}, not rows`,
      'Return an array, or write a generator.',
    )
  }
  const from = out.length
  for (const row of rows as Iterable<object>) {
    out.push(row)
    if (out.length - from > MOST_ROWS) throw new MillraceError('USER_FUNCTION', `the function gave more than ${MOST_ROWS} rows for one`)
  }
}

export class RowFunctionOperator extends Operator {
  readonly errors: ErrorOutlet
  private readonly port: Port
  private readonly view: RowView
  private readonly reader: RowCodec
  private readonly writer: RowCodec
  private readonly pool: BatchPool
  private readonly scratch: Batch
  private readonly expand: Expand
  private readonly twice: boolean
  /** Scratch of one batch: the rows that came out, and for each the row it came from. */
  private readonly produced: object[] = []
  private readonly from: number[] = []

  constructor(input: Stream, kind: string, schema: Schema, expand: Expand, origin: string) {
    super(input.operator.dataflow, kind)
    this.errors = new ErrorOutlet(this.dataflow, kind, origin, input)
    this.view = new RowView(input)
    this.reader = rowCodec(input.schema)
    this.writer = rowCodec(schema)
    this.pool = new BatchPool(schema.widths)
    this.scratch = this.pool.take(0, 1)
    this.expand = expand
    this.twice = checksDeterminism(this.dataflow)
    this.port = this.listen(input.operator)
  }

  step(): void {
    const { port } = this
    for (let batch = port.pop(); batch !== null; batch = port.pop()) {
      const view = this.view.of(batch)
      this.send(this.twice ? this.checkedBatch(view) : this.wholeBatch(view))
      batch.release()
    }
    this.errors.advance(port.frontier)
    this.advance(port.frontier)
  }

  private wholeBatch(batch: Batch): Batch {
    const { produced, from, expand, reader, dataflow } = this
    produced.length = from.length = 0
    for (let i = 0; i < batch.n; i++) {
      const before = produced.length
      try {
        expand(reader.readRow(batch, i, dataflow.dictionary), produced)
      } catch (thrown) {
        produced.length = before
        this.fail(batch, i, thrownText(thrown))
      }
      for (let j = before; j < produced.length; j++) from.push(i)
    }
    const out = this.pool.take(batch.time, produced.length)
    try {
      this.writer.writeRows(produced, 0, produced.length, out, 1, dataflow.dictionary)
    } catch {
      this.writeFitting(batch, out)
    }
    this.finish(batch, out)
    return out
  }

  /** Writes the rows of each row of the batch whose results all fit the schema. */
  private writeFitting(batch: Batch, out: Batch): void {
    const { produced, from, writer } = this
    let kept = 0
    for (let j = 0; j < produced.length; ) {
      const i = from[j] as number
      let end = j
      while (end < produced.length && from[end] === i) end++
      const wrong = produced
        .slice(j, end)
        .map((row) => this.unfit(row))
        .find((message) => message !== null)
      if (wrong === undefined || wrong === null) {
        writer.writeRows(produced, j, end, out, 1, this.dataflow.dictionary)
        for (; j < end; j++) from[kept++] = i
      } else this.fail(batch, i, wrong)
      j = end
    }
    from.length = kept
  }

  /** Gives the rows of `out` the differences and times of the rows they came from. */
  private finish(batch: Batch, out: Batch): void {
    const { from } = this
    const { differences, times } = batch
    const outDifferences = out.differences
    const outTimes = times === null ? null : out.useTimes()
    for (let j = 0; j < out.n; j++) {
      const i = from[j] as number
      outDifferences[j] = differences[i] as number
      if (outTimes !== null && times !== null) outTimes[j] = times[i] as number
    }
  }

  /** Row by row, each computed twice. */
  private checkedBatch(batch: Batch): Batch {
    const { from, writer, dataflow, pool } = this
    const out = pool.take(batch.time, batch.n)
    const again = pool.take(batch.time, 16)
    from.length = 0
    for (let i = 0; i < batch.n; i++) {
      const first = this.once(batch, i)
      const second = this.once(batch, i)
      if (typeof first === 'string') {
        this.fail(batch, i, first === second ? first : NOT_DETERMINISTIC)
        continue
      }
      const before = out.n
      out.reserve(before + first.length)
      writer.writeRows(first, 0, first.length, out, 1, dataflow.dictionary)
      again.n = 0
      again.reserve(first.length)
      if (typeof second !== 'string' && second.length === first.length) {
        writer.writeRows(second, 0, second.length, again, 1, dataflow.dictionary)
      }
      if (again.n === first.length && sameWords(out, before, again)) for (let j = before; j < out.n; j++) from.push(i)
      else {
        out.n = before
        this.fail(batch, i, NOT_DETERMINISTIC)
      }
    }
    again.release()
    this.finish(batch, out)
    return out
  }

  /** The rows that come out of row i, or what is wrong with them. */
  private once(batch: Batch, i: number): object[] | string {
    const rows: object[] = []
    try {
      this.expand(this.reader.readRow(batch, i, this.dataflow.dictionary), rows)
    } catch (thrown) {
      return thrownText(thrown)
    }
    for (const row of rows) {
      const wrong = this.unfit(row)
      if (wrong !== null) return wrong
    }
    return rows
  }

  /** What is wrong with a row that a function gave, or null. */
  private unfit(row: object): string | null {
    if (row instanceof Promise) return 'the function gave a promise: it must give its result at once'
    const batch = this.scratch
    batch.n = 0
    try {
      this.writer.writeRows([row], 0, 1, batch, 1, this.dataflow.dictionary)
      return null
    } catch (error) {
      return `the function gave a row that does not fit: ${thrownText(error)
        .replace(' of row 0:', ':')
        .replace(/^row 0: /, '')}`
    }
  }

  private fail(batch: Batch, i: number, message: string): void {
    this.errors.addFor(batch, i, rowText(this.reader.readRow(batch, i, this.dataflow.dictionary)), message)
  }
}

/** Whether the rows of `a` from `at` on are the rows of `b`. */
function sameWords(a: Batch, at: number, b: Batch): boolean {
  for (let c = 0; c < a.columns.length; c++) {
    const width = a.widths[c] as number
    const x = a.columns[c] as Int32Array
    const y = b.columns[c] as Int32Array
    for (let j = 0; j < b.n * width; j++) if (x[at * width + j] !== y[j]) return false
  }
  return true
}
