/** What one app has in an embedded engine: its dataflow, and what ties it to the dataflows of other apps. */
import { Delivery } from '../operators/delivery.ts'
import type { ErrorsOperator } from '../operators/errors.ts'
import type { ImportArrangementOperator } from '../operators/import-arrangement.ts'
import type { ImportErrorsOperator } from '../operators/import-errors.ts'
import type { InputOperator } from '../operators/input.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import type { KeyTable, KeyUser } from '../runtime/trace/key-table.ts'

export class EnginePart {
  readonly name: string
  readonly dataflow: Dataflow
  readonly delivery = new Delivery()
  readonly inputs: InputOperator[] = []
  readonly rejected: InputOperator[] = []
  errors: readonly ErrorsOperator[] = []
  /** The parts from which it imports. */
  readonly exporters = new Set<EnginePart>()
  readonly imports: ImportArrangementOperator[] = []
  readonly importedErrors: ImportErrorsOperator[] = []
  /** Nobody writes or reads it any more; it runs on for those that import from it. */
  closed = false
  /** An operator threw: it runs no more. */
  failed = false
  /** Tells its app. */
  readonly stop: (error: unknown) => void
  private readonly borrowed: { readonly table: KeyTable; readonly users: KeyUser[] }[] = []

  constructor(name: string, dataflow: Dataflow, stop: (error: unknown) => void) {
    this.name = name
    this.dataflow = dataflow
    this.stop = stop
  }

  get hasWritten(): boolean {
    return this.inputs.some((input) => input.pending) || this.rejected.some((input) => input.pending)
  }

  get hasFlushed(): boolean {
    return this.inputs.some((input) => input.flushed) || this.rejected.some((input) => input.flushed)
  }

  seal(time: number): void {
    const { inputs, rejected } = this
    for (let i = 0; i < inputs.length; i++) inputs[i].seal(time)
    for (let i = 0; i < rejected.length; i++) if (rejected[i].pending) rejected[i].seal(time)
  }

  /** Runs until nothing is left to do at `time`. */
  run(time: number): void {
    const { dataflow, errors } = this
    dataflow.run()
    for (let i = 0; i < errors.length; i++) if (errors[i].waits) this.completeErrors(time)
  }

  /** Whether all errors of a time are where readers find them. */
  hasErrors(time: number): boolean {
    return this.errors.every((one) => one.frontier > time)
  }

  /** Brings the rejected rows of all inputs, which commits leave alone while there are none, up to a time; and with them all errors. */
  completeErrors(time: number): void {
    for (const exporter of this.exporters) exporter.completeErrors(time)
    for (const input of this.rejected) input.advance(time + 1)
    this.dataflow.run()
  }

  /** Builds the part, and notes what it puts into key tables of others. */
  build(work: () => void): void {
    const tables = [...new Set(this.imports.map(({ keys }) => keys))]
    const before = tables.map(({ users }) => users.length)
    try {
      work()
    } finally {
      tables.forEach((table, i) => {
        this.borrowed.push({ table, users: table.users.slice(before[i]) })
      })
    }
  }

  /** Unties it from the others, which then keep nothing for it. */
  detach(): void {
    for (const one of this.imports) one.close()
    for (const one of this.importedErrors) one.close()
    for (const { table, users } of this.borrowed) for (const user of users) table.leave(user)
    this.borrowed.length = 0
  }
}
