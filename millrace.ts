/// <reference lib="esnext.disposable" preserve="true" />
/** The public package. */

export { Collection, Grouped } from './operators/collection.ts'
export { avg, count, countDistinct, max, min, sum } from './operators/expression/aggregate.ts'
export { days, greatest, hours, least, literal, minutes, seconds, when } from './operators/expression/functions.ts'
export { stream, table } from './operators/input-definition.ts'
export { job } from './operators/job.ts'
export type { ColumnChanges, RowChange, RowChanges, Unsubscribe } from './operators/output.ts'
export { Changelog } from './operators/output-definition.ts'
export { array, bool, bytes, decimal, float64, int32, int64, json, nullable, text, timestamp } from './runtime/data/column-type.ts'
export { MillraceError } from './runtime/error.ts'
export { type App, embed, type Time } from './worker/embedded.ts'
