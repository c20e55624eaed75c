/// <reference lib="esnext.disposable" preserve="true" />
/** The public package. */

export { type Bound, Collection, type EnterLoop, Grouped, type InspectedChange } from './operators/collection.ts'
export { type Collections, connectedComponents, iterateAll, reachability } from './operators/collection-loops.ts'
export {
  Aggregate,
  type AggregatedColumns,
  type Aggregates,
  aggregate,
  avg,
  count,
  countDistinct,
  type GroupRow,
  max,
  min,
  sum,
} from './operators/expression/aggregate.ts'
export { Expression } from './operators/expression/expression.ts'
export { days, greatest, hours, least, literal, minutes, seconds, when } from './operators/expression/functions.ts'
export { OrderBy } from './operators/expression/order-by.ts'
export type { RowExpressions } from './operators/expression/proxy-row.ts'
export type { SelectedColumns, Selection } from './operators/expression/selection.ts'
export { ImportedDefinition, imported } from './operators/import-definition.ts'
export { IndexedOutput } from './operators/indexed-output.ts'
export {
  type InputDefinition,
  type InputDefinitions,
  type InputRow,
  KeyedTableDefinition,
  StreamDefinition,
  stream,
  TableDefinition,
  table,
} from './operators/input-definition.ts'
export type { IterateOptions } from './operators/iterate.ts'
export { type InputCollections, Job, job, type OutputDefinition, type OutputDefinitions } from './operators/job.ts'
export type { ColumnChanges, RowChange, RowChanges, Unsubscribe } from './operators/output.ts'
export { Changelog, Probed } from './operators/output-definition.ts'
export type { TopOptions } from './operators/top-k.ts'
export {
  array,
  bool,
  bytes,
  type ColumnType,
  decimal,
  float64,
  int32,
  int64,
  json,
  type Kind,
  nullable,
  text,
  timestamp,
} from './runtime/data/column-type.ts'
export type { Columns, RowOf } from './runtime/data/schema.ts'
export { type ErrorCode, MillraceError } from './runtime/error.ts'
export type { StateHolder, StateStats } from './runtime/log/state-stats.ts'
export { type App, type AppHold, type EmbedOptions, embed, type ImportOptions, type Neighbour, type Time } from './worker/embedded.ts'
export { type CapturedLogs, capture, replay } from './worker/embedded-capture.ts'
export type { KeyUpdate } from './worker/embedded-follow.ts'
export type { ColumnValues, InputsOf, KeyedInput, Rejected, StreamInput, TableInput } from './worker/embedded-inputs.ts'
export type {
  ChangesOutput,
  CountedRow,
  ErrorRow,
  KeyedOutput,
  OutputsOf,
  ProbeOutput,
  ReadOptions,
  RowsOutput,
  ScanOptions,
  SubscribeOptions,
} from './worker/embedded-outputs.ts'
export type { AppMemory, OperatorProgress, OperatorState } from './worker/embedded-state.ts'
