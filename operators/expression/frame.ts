/** What one run of a compiled or interpreted expression works on. */
import type { Batch } from '../../runtime/data/batch.ts'

/** The part of the dictionary that expressions use. */
export interface TextTable {
  intern(s: string): number
  get(id: number): string
}

/** Input columns with the views of their memory; a Batch is one. */
export interface ColumnViews {
  readonly columns: readonly Int32Array[]
  /** Of each column of two words, a view as doubles. */
  readonly floats: readonly (Float64Array | null)[]
}

/** Told of a row that has no result; `row` is its index in the input. */
export type OnRowError = (row: number, message: string) => void

/** Evaluates row `row` to place `at` and returns the next place: `at` again if the row failed or was not selected. */
export type EvaluateRow = (frame: Frame, row: number, at: number) => number

const EMPTY = new Int32Array(0)

export class Frame {
  columns: readonly Int32Array[] = []
  floats: readonly (Float64Array | null)[] = []
  /** Input column of each column slot of the kernel. */
  readonly slots: readonly number[]
  /** Value of each literal of the kernel. */
  readonly parameters: unknown[]
  dictionary: TextTable = { intern: () => 0, get: () => '' }
  onError: OnRowError = () => {}
  /** First place to write. */
  at = 0
  differences: Int32Array = EMPTY
  times: Int32Array | null = null
  outColumns: readonly Int32Array[] = []
  outFloats: readonly (Float64Array | null)[] = []
  outDifferences: Int32Array = EMPTY
  outTimes: Int32Array = EMPTY
  selection: Int32Array = EMPTY
  /** Evaluates a row whose 64-bit values don't all fit a double. */
  readonly evaluate: EvaluateRow

  constructor(slots: readonly number[], parameters: unknown[], evaluate: EvaluateRow) {
    this.slots = slots
    this.parameters = parameters
    this.evaluate = evaluate
  }

  read(views: ColumnViews, dictionary: TextTable, onError: OnRowError): void {
    this.columns = views.columns
    this.floats = views.floats
    this.dictionary = dictionary
    this.onError = onError
  }

  /** Makes room for `rows` more rows of output. */
  write(input: Batch, output: Batch, rows: number): void {
    output.reserve(output.n + rows)
    this.at = output.n
    this.differences = input.differences
    this.times = input.times
    if (input.times !== null) this.outTimes = outputTimes(output)
    this.outColumns = output.columns
    this.outFloats = output.floats
    this.outDifferences = output.differences
  }

  slow(row: number, at: number): number {
    return this.evaluate(this, row, at)
  }
}

/** The output's time column; rows that are in it already have the time of the batch. */
function outputTimes(output: Batch): Int32Array {
  return output.times ?? output.useTimes().fill(output.time, 0, output.n)
}
