/**
 * import: the index that another dataflow of this worker keeps, as an arrangement of this one.
 *
 * Computes: the exporter's content as of this dataflow's first time, as one batch, then the exporter's sealed batches as they come.
 * State: none; trace, key table and value rows are the exporter's, and count there.
 * Times: total order. The exporter runs first, so that its head holds a batch before this dataflow's joins see it; they subtract it.
 * Cost: one pass over the content when the dataflow starts; then nothing a row.
 * Source: import of arrangements between dataflows in "Shared Arrangements" (VLDB 2020).
 *
 * @example
 *   embed(reports, { beside: bank, imports: { accounts: bank.outputs.accountsByOwner } })
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Schema } from '../runtime/data/schema.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import type { StateStats } from '../runtime/log/state-stats.ts'
import type { KeyTable } from '../runtime/trace/key-table.ts'
import type { Hold, TotalTrace } from '../runtime/trace/total-trace.ts'
import type { Arrangement } from './arrangement.ts'
import { ImportRowsOperator } from './import-rows.ts'

export class ImportArrangementOperator extends Operator implements Arrangement {
  readonly trace: TotalTrace
  readonly keys: KeyTable
  readonly keyTypes: readonly ColumnType[]
  readonly keyColumns: readonly number[]
  readonly valueColumns: readonly number[]
  readonly input: Stream
  /** What the exporter could not compute, here. */
  readonly errors: ReadonlySet<Stream>
  private readonly exporter: Arrangement
  private readonly port: Port
  /** Whether the content is sent, or there was none. */
  private begun: boolean
  private decoded: Stream | null = null
  /** Batches that show the exporter's under our own count of readers, so that we can give all of them back. */
  private readonly shells = new BatchPool([], true)
  private lent: Batch[] = []
  private holds: Hold[] = []

  /** `names` are those of the exporter's columns; `schema` has them in any order. The exporter is at rest, with `dataflow.since` as its last complete time. */
  constructor(
    dataflow: Dataflow,
    exporter: Arrangement,
    names: readonly string[],
    name: string,
    schema: Schema,
    errors: ReadonlySet<Stream>,
  ) {
    super(dataflow, name)
    this.exporter = exporter
    this.trace = exporter.trace
    this.keys = exporter.keys
    this.keyTypes = exporter.keyTypes
    this.keyColumns = exporter.keyColumns.map((column) => schema.indexOf(names[column]))
    this.valueColumns = exporter.valueColumns.map((column) => schema.indexOf(names[column]))
    this.input = streamOf(this, schema)
    this.errors = errors
    this.begun = exporter.trace.upper <= dataflow.since
    this.port = this.listen(exporter)
    this.activate()
  }

  /** The same as rows, for whoever needs another index or none. */
  rows(): Stream {
    this.decoded ??= streamOf(new ImportRowsOperator(this), this.input.schema)
    return this.decoded
  }

  hold(time: number, name: string): Hold {
    const hold = this.exporter.hold(Math.max(time, this.trace.since), name)
    const release = hold.release.bind(hold)
    this.holds.push(hold)
    return {
      get time() {
        return hold.time
      },
      name,
      downgrade: (to) => hold.downgrade(to),
      release: () => {
        release()
        this.holds = this.holds.filter((one) => one !== hold)
      },
    }
  }

  step(): void {
    const { port } = this
    if (!this.begun) {
      this.begun = true
      this.sendContent(this.dataflow.since)
    }
    for (let batch = port.pop(); batch !== null; batch = port.pop()) this.lend(batch)
    this.advance(port.frontier)
  }

  override stateStats(): StateStats {
    return { ...this.trace.stats(), bytes: 0, shared: true }
  }

  /** Gives back all that is the exporter's. Only when the dataflow does not run, and never will again. */
  close(): void {
    this.unlisten(this.exporter, this.port)
    for (const shell of this.lent) {
      shell.parent?.release()
      shell.parent = null
    }
    this.lent = []
    for (const hold of this.holds) hold.release()
    this.holds = []
  }

  private sendContent(time: number): void {
    const { trace } = this
    trace.catchUp()
    // A pool of its own, so that a batch of this size is not kept for reuse.
    const out = new BatchPool([1, 1]).take(time, 64)
    trace.readAll(time, (key, value, difference) => {
      if (out.n === out.capacity) out.reserve(out.n + 1)
      const n = out.n++
      out.columns[0][n] = key
      out.columns[1][n] = value
      out.differences[n] = difference
    })
    this.send(out)
  }

  private lend(batch: Batch): void {
    // Before a shell that has come back is lent again.
    if (this.lent.length > 0) this.lent = this.lent.filter((one) => one.parent !== null)
    const shell = this.shells.take(batch.time, 0)
    shell.columns = batch.columns
    shell.differences = batch.differences
    shell.n = batch.n
    shell.parent = batch
    this.lent.push(shell)
    this.send(shell)
  }
}
