/** An index of a collection by key, as its readers see it: made by this dataflow, or by another one of the same worker. */
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { Operator } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { KeyTable } from '../runtime/trace/key-table.ts'
import type { Hold, TotalTrace } from '../runtime/trace/total-trace.ts'

export interface Arrangement extends Operator {
  readonly trace: TotalTrace
  readonly keys: KeyTable
  /** What is arranged; readers need its schema. */
  readonly input: Stream
  /** Positions, in the input's schema, of the key and of the columns kept as value. */
  readonly keyColumns: readonly number[]
  readonly valueColumns: readonly number[]
  readonly keyTypes: readonly ColumnType[]
  /** Keeps the trace readable from `time` on, or from the first time at which this arrangement can be read if that is later. */
  hold(time: number, name: string): Hold
}
