/**
 * What a connector needs of the app that it feeds. Described by shape: a connector knows no engine, and feeds whatever
 * takes rows and commits.
 */
import type { RejectedRow } from '../runtime/protocol/change-run.ts'

/** The handle of an input without a key. Of each call all rows are taken, or none when it throws a MillraceError. */
export interface RowInput {
  insertMany(rows: readonly object[]): void
  /** Absent where rows are only ever added. */
  removeMany?(rows: readonly object[]): void
  reject(row: RejectedRow): void
}

/** The handle of an input with a key. */
export interface KeyedRowInput {
  upsertMany(rows: readonly object[]): void
  delete(key: object): void
  reject(row: RejectedRow): void
}

/** Makes what was written visible at one new time, which it mints. */
export interface Committer {
  commit(): number
}
